-- A program in plain LuaSocket style, examples/luasocket_proxy.lua: on LuaSocket, under `cosock.install()` and by the
-- command `cosock`, its clients, its server and its output cannot tell the difference.

local cosock = require "cosock"
local oracle = require "spec.support.oracle"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local run = require "spec.support.run"
local socket = require "cosock.socket"

local PROXY = "examples/luasocket_proxy.lua"
local LARGE = ("0123456789abcdef"):rep(65536)

local places = {
  { "under cosock.install()", function(...)
    return process.file_after("require('cosock').install()", PROXY, ...)
  end },
  { "by the command", function(...)
    return process.file("bin/cosock", PROXY, ...)
  end },
}
if oracle.available() then
  table.insert(places, 1, { "on LuaSocket", function(...)
    return process.file(PROXY, ...)
  end })
end

-- What the server behind the proxy answers, by path.
local replies = {
  ["/hello"] = function()
    return "HTTP/1.1 200 OK\r\nX-Test: one\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"
  end,
  ["/head"] = function(head)
    return "HTTP/1.1 200 OK\r\n\r\n" .. head
  end,
  ["/body"] = function(_, body)
    return "HTTP/1.1 201 Created\r\n\r\n" .. body
  end,
  ["/large"] = function()
    return "HTTP/1.1 200 OK\r\n\r\n" .. LARGE
  end,
  ["/empty"] = function()
    return "HTTP/1.1 204 No Content\r\n\r\n"
  end,
  ["/nonsense"] = function()
    return "what?\r\n\r\n"
  end,
  ["/silent"] = function()
    return ""
  end,
}

local function serve(client)
  local lines = {}
  local line = client:receive()
  while line and line ~= "" do
    lines[#lines + 1] = line
    line = client:receive()
  end
  local head = table.concat(lines, "\n")
  local length = tonumber(head:match "[Cc]ontent%-[Ll]ength: (%d+)") or 0
  local body = length > 0 and client:receive(length) or ""
  client:send(replies[head:match "^%S+ (%S+)"](head, body))
  client:close()
end

-- What clients send, and in how many pieces: one piece, then the others when those after it were answered.
local exchanges = {
  { "GET /hello HTTP/1.1\r\nHost: somewhere\r\nConnection: keep-alive\r\n\r\n" },
  { "GET /head HTTP/1.0\r\nX-Long: " .. ("x"):rep(5000) .. "\r\nProxy-Connection: close\r\n\r\n" },
  { "GET /he", "llo HTTP/1.1\r\nHost:", " somewhere\r\n\r\n" },
  { "POST /body HTTP/1.1\r\nContent-Length: 11\r\n\r\nhello there" },
  { "PUT /body HTTP/1.1\r\ncontent-length: " .. #LARGE .. "\r\n\r\n" .. LARGE },
  { "\r\n\r\nGET /large HTTP/1.1\r\n\r\n" },
  { "GET /empty HTTP/1.1\n\n" },
  { "GET /nonsense HTTP/1.1\r\n\r\n" },
  { "GET /silent HTTP/1.1\r\n\r\n" },
  { "nonsense\r\n\r\n" },
  { "GET /hello HTTP/1.1\r\nX: " .. ("x"):rep(20000) },
  { "GET /he", close = true },
}

--- Everything that the clients got, in their order, and what the proxy wrote.
local function play(start)
  local got, output, status = {}, nil, nil
  run.task(function()
    local server, server_port = peers.server(socket)
    cosock.spawn(function()
      for _ = 1, 9 do
        serve(assert(server:accept()))
      end
    end, "server")
    local proxy = start("127.0.0.1", server_port, #exchanges)
    local port = proxy:expect "^listening on 127.0.0.1:(%d+)$"
    local slow
    for index, exchange in ipairs(exchanges) do
      local client = assert(socket.connect("127.0.0.1", port))
      client:settimeout(30)
      client:send(exchange[1])
      if exchange[2] then
        slow = { client = client, index = index, rest = exchange }
      elseif exchange.close then
        client:close()
      else
        local reply, err, partial = client:receive "*a"
        got[index] = ("%s %s"):format(reply or partial, tostring(err))
        client:close()
      end
      if slow and slow.rest[2] and index == slow.index + 2 then
        for piece = 2, #slow.rest do
          slow.client:send(slow.rest[piece])
          socket.sleep(0.01)
        end
        got[slow.index] = slow.client:receive "*a"
        slow.client:close()
        slow = nil
      end
    end
    server:close()
    output, status = proxy:finish()
  end)
  return got, output:gsub("listening on [%d.:]+", "listening"), status
end

describe("a proxy written for LuaSocket", function()
  after_each(process.stop_all)

  local expected, expected_output

  for index, place in ipairs(places) do
    it("serves its clients " .. place[1], function()
      local got, output, status = play(place[2])
      assert.equal(0, status)
      assert.matches("hello nil$", got[1])
      assert.matches("Connection: close\r\n", got[1], 1, true)
      assert.is_nil(got[1]:find("keep-alive", 1, true))
      assert.matches("hello$", got[3])
      assert.matches(LARGE, got[6], 1, true)
      assert.matches("GET /hello: 200, 5 bytes\n", output, 1, true)
      assert.matches("PUT /body: 201, " .. #LARGE .. " bytes\n", output, 1, true)
      assert.matches("GET /nonsense: malformed reply\n", output, 1, true)
      assert.matches("GET /silent: closed\n", output, 1, true)
      assert.matches("\ndone\n$", output)
      if index == 1 then
        expected, expected_output = got, output
      end
      assert.equal(expected_output, output)
      for number = 1, #exchanges do
        assert.is_true(expected[number] == got[number], "the reply to request " .. number)
      end
    end)

    it("tells when its server is not there " .. place[1], function()
      run.task(function()
        local port = peers.refused_port(socket)
        local child = place[2]("127.0.0.1", port, 1)
        local client = assert(socket.connect("127.0.0.1", child:expect "^listening on 127.0.0.1:(%d+)$"))
        client:send "GET / HTTP/1.0\r\n\r\n"
        local reply = client:receive "*a"
        assert.matches("^HTTP/1.0 502 Bad Gateway\r\n.*\r\n\r\nconnection refused\n$", reply)
        local output, status = child:finish()
        assert.matches("\nGET /: connection refused\ndone\n$", output)
        assert.equal(0, status)
      end)
    end)
  end
end)
