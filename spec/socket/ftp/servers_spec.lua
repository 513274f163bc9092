-- `cosock.socket.ftp` and real servers, good and bad ones.

local cosock = require "cosock"
local ftp = require "cosock.socket.ftp"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local scripted = require "spec.support.scripted_server"
local servers = require "spec.support.servers"
local socket = require "cosock.socket"

local pack = peers.pack

local unpack = table.unpack or unpack -- luacheck: ignore 143

describe("ftp and a real server", function()
  local server

  setup(function()
    server = servers.ftp()
    server:write("text", "a text")
  end)

  teardown(function()
    server:stop()
  end)

  --- A request by a user who may do everything.
  local function by_ann(fields)
    local made = { host = "127.0.0.1", port = server.port, user = "ann", password = "secret word", type = "i" }
    for name, value in pairs(fields) do
      made[name] = value
    end
    return made
  end

  local function url(path)
    return ("ftp://127.0.0.1:%d/%s"):format(server.port, path)
  end

  for place, here in peers.inside_and_outside(it) do
    here("get, put and command, " .. place, function()
      assert.equal("a text", ftp.get(url "text;type=i"))
      local content = ("\0\1\r\n\254\255"):rep(200000)
      assert.equal(#content, ftp.put(by_ann { path = "a b", source = ltn12.source.string(content) }))
      assert.equal(content, server:read "a b")
      assert.equal(content, ftp.get(url "a%20b;type=i"))
      assert.equal(1, ftp.command(by_ann { command = { "rnfr", "rnto" }, argument = { "a b", "c" } }))
      local sink, chunks = ltn12.sink.table()
      assert.equal(1, ftp.get(by_ann { command = "nlst", sink = sink }))
      local names = table.concat(chunks)
      assert.is_truthy(names:find "text\r\n" and names:find "c\r\n" and not names:find "a b")
      assert.equal(1, ftp.command(by_ann { command = "dele", argument = "c" }))
      local result, err = ftp.get(url "c")
      assert.is_nil(result)
      assert.matches("^550 ", err)
    end)

    here("agree on who the user is, " .. place, function()
      local result, err = ftp.put(url "new", "x")
      assert.is_nil(result)
      assert.matches("^550 ", err)
      result, err = ftp.get(("ftp://ann:wrong@127.0.0.1:%d/text"):format(server.port))
      assert.is_nil(result)
      assert.matches("^530 ", err)
      assert.equal("a text", ftp.get(("ftp://ann:secret word@127.0.0.1:%d/text"):format(server.port)))
    end)
  end

  it("transfer from 20 tasks at once", function()
    local tasks, done = {}, 0
    for number = 1, 20 do
      tasks[number] = function()
        local content = (number .. "\n"):rep(number * 5000)
        local name = "task" .. number
        assert(ftp.put(by_ann { path = name, source = function()
          socket.sleep(0)
          local piece = content:sub(1, 4096)
          content = content:sub(4097)
          return piece ~= "" and piece or nil
        end }))
        assert.equal((number .. "\n"):rep(number * 5000), assert(ftp.get(url(name .. ";type=i"))))
        done = done + 1
      end
    end
    run.tasks(unpack(tasks))
    assert.equal(20, done)
  end)

  it("fall back on the passive mode for an old server", function()
    local old = servers.ftp("127.0.0.1", "EPSV", "EPRT")
    old:write("text", "an old text")
    local text = ftp.get(("ftp://127.0.0.1:%d/text;type=i"):format(old.port))
    old:stop()
    assert.equal("an old text", text)
  end)
end)

describe("ftp and a server that behaves badly", function()
  local timeout

  before_each(function()
    timeout = ftp.TIMEOUT
  end)

  after_each(function()
    ftp.TIMEOUT = timeout
  end)

  local REPLIES = { "220 hi", "331 who", "230 in", "229 (|||%d|)", "150 go", "226 done", "221 bye" }

  --- Transfers with a server that is a task: it sends the first `count` replies, and hands the data connection to
  --- `serve_data`. Says on a channel when that is done. Every socket has to be closed afterwards.
  local function transfer(fn, fields, count, serve_data)
    local results, sockets = nil, {}
    local original = socket.tcp
    local tx, rx = cosock.channel.new()
    function socket.tcp()
      sockets[#sockets + 1] = original()
      return sockets[#sockets]
    end
    local ok, err = pcall(scripted.run, { function(peer)
      local listener = assert(socket.bind("127.0.0.1", 0))
      local _, data_port = listener:getsockname()
      for index = 1, count do
        if index > 1 and index ~= 6 then
          peer:receive()
        end
        peer:send(REPLIES[index]:format(data_port) .. "\r\n")
        if index == 5 and serve_data then
          local data = assert(listener:accept())
          serve_data(data, rx)
          data:close()
        end
      end
      if count < #REPLIES then
        scripted.until_closed(peer)
      end
      listener:close()
    end }, function(port)
      fields.host, fields.port = "127.0.0.1", port
      results = pack(ftp[fn](fields))
      tx:send()
    end)
    socket.tcp = original
    assert(ok, err)
    for _, sock in ipairs(sockets) do
      assert.equal(-1, sock:getfd())
    end
    return results
  end

  it("give up when it says nothing, at whatever step", function()
    ftp.TIMEOUT = 0.05
    for _, fn in ipairs { "get", "put" } do
      for count = 1, #REPLIES - 1 do
        local fields = { sink = ltn12.sink.null(), source = ltn12.source.string "x" }
        local results = transfer(fn, fields, count, function(data)
          data:receive "*l"
        end)
        assert.same({ n = 2, nil, "timeout" }, results)
      end
    end
  end)

  it("give up when it sends no data, or takes none", function()
    ftp.TIMEOUT = 0.05
    local function do_nothing(_, rx)
      rx:receive()
    end
    assert.same({ n = 2, nil, "timeout" }, transfer("get", { sink = ltn12.sink.null() }, 5, do_nothing))
    assert.same({ n = 2, nil, "timeout" }, transfer("put", { source = function()
      return peers.too_much
    end }, 5, do_nothing))
  end)

  it("report data that it did not take, even if it says that all is well", function()
    local results = transfer("put", { source = function()
      return ("x"):rep(100000)
    end }, 6, function(data)
      data:receive(1)
    end)
    assert.same({ n = 2, nil, "closed" }, results)
  end)

  it("fetch a file of any size a chunk at a time", function()
    local chunk, count = ("x"):rep(65536), 400
    local got, most = 0, 0
    collectgarbage()
    local before = collectgarbage "count"
    local results = transfer("get", { sink = function(piece)
      if piece then
        got = got + #piece
        if got % 2 ^ 20 == 0 then
          collectgarbage()
          most = math.max(most, collectgarbage "count" - before)
        end
      end
      return 1
    end }, 7, function(data)
      for _ = 1, count do
        data:send(chunk)
      end
    end)
    assert.same({ n = 1, 1 }, results)
    assert.equal(#chunk * count, got)
    assert.is_true(most < 1000, most)
  end)
end)
