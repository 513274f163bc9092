-- `smtp.send` and real servers, good and bad ones.

local Generator = require "spec.support.generator"
local cosock = require "cosock"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local scripted = require "spec.support.scripted_server"
local servers = require "spec.support.servers"
local smtp = require "cosock.socket.smtp"
local socket = require "cosock.socket"

local pack = peers.pack

local unpack = table.unpack or unpack -- luacheck: ignore 143

--- A mail, with the fields that are given in place of the usual ones.
local function mail(fields)
  local made = { from = "<ann@example.org>", rcpt = "<bob@example.org>", source = ltn12.source.string "hello\r\n" }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return made
end

describe("smtp.send and a real server", function()
  local server

  setup(function()
    server = servers.smtp()
  end)

  teardown(function()
    server:stop()
  end)

  --- Sends a mail through the server.
  local function send(fields)
    fields.server, fields.port = "127.0.0.1", server.port
    return smtp.send(mail(fields))
  end

  for place, here in peers.inside_and_outside(it) do
    here("agree, " .. place, function()
      assert.equal(1, (send { from = "<ann@x>", rcpt = { "<a@x>", "<b@x>" }, domain = "here.example.org" }))
      assert.same({
        from = "ann@x", to = "a@x,b@x", by = "None", domain = "here.example.org", text = "hello\r\n\r\n",
      }, server:mail())
    end)

    here("agree on who the user is, " .. place, function()
      assert.equal(1, (send { user = "ann", password = "secret word" }))
      assert.equal("LOGIN", server:mail().by)
      local result, err = send { user = "ann", password = "wrong" }
      assert.is_nil(result)
      assert.matches("^535 ", err)
    end)

    here("agree on what is refused, " .. place, function()
      assert.same({ n = 2, nil, "550 nobody is here" }, pack(send { rcpt = { "<a@x>", "<nobody@x>" } }))
      assert.same({ n = 2, nil, "554 as you wish" }, pack(send { source = ltn12.source.string "refuse this\r\n" }))
    end)

    here("agree on dots and everything else in the message, " .. place, function()
      local random = Generator.new(7)
      local pieces = { ".", "..", "\r\n", "\r\n.", "\r\n.\r\n", "a", "\r\n..\r\n", ("x"):rep(70), "\0", "\255" }
      for _ = 1, 20 do
        local text = random:text(pieces, 40)
        assert.equal(1, (send { source = ltn12.source.table(random:split(text)) }))
        assert.equal(text .. "\r\n", server:mail().text)
      end
    end)
  end

  it("agree, from 20 tasks at once", function()
    local tasks, results = {}, {}
    for number = 1, 20 do
      local lines = number
      tasks[number] = function()
        results[number] = pack(send {
          from = ("<sender%d@x>"):format(number),
          source = smtp.message { headers = { subject = "mail " .. number }, body = function()
            socket.sleep(0)
            lines = lines - 1
            return lines >= 0 and (number .. "\r\n"):rep(100) or nil
          end },
        })
      end
    end
    run.tasks(unpack(tasks))
    local seen = {}
    for number = 1, 20 do
      assert.same({ n = 1, 1 }, results[number])
      local got = server:mail()
      local sender = tonumber(got.from:match "^sender(%d+)@x$")
      assert.is_nil(seen[sender])
      seen[sender] = true
      assert.matches("Subject: mail " .. sender .. "\r\n", got.text, 1, true)
      assert.matches("\r\n\r\n" .. (sender .. "\r\n"):rep(100 * sender) .. "\r\n", got.text, 1, true)
    end
  end)

  it("agree on PLAIN", function()
    local plain = servers.smtp "PLAIN"
    local results = pack(smtp.send(mail {
      server = "127.0.0.1", port = plain.port, user = "ann", password = "secret word",
    }))
    assert.same({ n = 1, 1 }, results)
    assert.equal("PLAIN", plain:mail().by)
    plain:stop()
  end)
end)

describe("smtp.send and a server that behaves badly", function()
  local timeout

  before_each(function()
    timeout = smtp.TIMEOUT
  end)

  after_each(function()
    smtp.TIMEOUT = timeout
  end)

  local REPLIES = { "220 hi", "250 AUTH LOGIN", "334 user", "334 password", "235 in", "250 m", "250 r", "354 go" }

  --- Sends a mail to a server that is a task, and says on a channel when that is done. The socket has to be closed
  --- afterwards.
  local function send(serve, fields, done)
    local results, sock
    scripted.run({ serve }, function(port)
      fields = mail(fields)
      fields.server, fields.port, fields.user, fields.password = "127.0.0.1", port, "ann", "secret"
      function fields.create()
        sock = socket.tcp()
        return sock
      end
      results = pack(smtp.send(fields))
      if done then
        done:send()
      end
    end)
    assert.equal(-1, sock:getfd())
    return results
  end

  --- The first `count` replies.
  local function first(count)
    return { unpack(REPLIES, 1, count) }
  end

  it("give up when it says nothing, at whatever step", function()
    smtp.TIMEOUT = 0.05
    for count = 1, #REPLIES do
      assert.same({ n = 2, nil, "timeout" }, send(scripted.replies(first(count))))
    end
    assert.same({ n = 2, nil, "timeout" }, send(scripted.until_closed))
  end)

  it("give up when it closes, at whatever step", function()
    for count = 1, #REPLIES do
      local results = send(function(peer)
        for index, reply in ipairs(first(count)) do
          if index > 1 then
            peer:receive()
          end
          peer:send(reply .. "\r\n")
        end
      end, { source = ltn12.source.string(("x"):rep(4e6)) })
      assert.same({ n = 2, nil, "closed" }, results)
    end
  end)

  it("give up when it does not read", function()
    smtp.TIMEOUT = 0.05
    local tx, rx = cosock.channel.new()
    assert.same({ n = 2, nil, "timeout" }, send(function(peer)
      for index, reply in ipairs(REPLIES) do
        if index > 1 then
          peer:receive()
        end
        peer:send(reply .. "\r\n")
      end
      rx:receive() -- until the client has given up
    end, {
      source = function()
        return peers.too_much
      end,
    }, tx))
  end)

  it("give up when its replies have no end", function()
    for count = 0, #REPLIES - 1 do
      local results = send(function(peer)
        for _, reply in ipairs(first(count)) do
          peer:send(reply .. "\r\n")
          peer:receive()
        end
        local sent
        repeat
          sent = peer:send "250-and\r\n"
        until not sent
      end)
      assert.same({ n = 2, nil, "too many lines in server reply" }, results)
    end
  end)

  it("leave nothing behind when the source raises in a task", function()
    local oops = { "oops" }
    local sock, caught
    cosock.set_error_handler(function(err)
      caught = err
    end)
    scripted.run({ scripted.replies(REPLIES) }, function(port)
      smtp.send(mail {
        server = "127.0.0.1", port = port, user = "ann", password = "secret",
        create = function()
          sock = socket.tcp()
          return sock
        end,
        source = function()
          socket.sleep(0)
          error(oops)
        end,
      })
    end)
    cosock.set_error_handler(nil)
    assert.equal(oops, caught)
    assert.equal(-1, sock:getfd())
  end)
end)
