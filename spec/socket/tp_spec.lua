local FakeSocket = require "spec.support.fake_socket"
local cosock = require "cosock"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local scripted = require "spec.support.scripted_server"
local socket = require "cosock.socket"
local tp = require "cosock.socket.tp"

local pack, raised = peers.pack, peers.raised

--- A control connection to a server that sends `input` and closes.
local function connected(input, options)
  options = options or {}
  options.input = input
  local fake = FakeSocket.new(options)
  return assert(tp.connect("host", 25, nil, fake.create)), fake
end

--- What `check` returns for a reply.
local function checked(input, ok, options)
  return pack(connected(input, options):check(ok))
end

describe("cosock.socket.tp", function()
  it("is also socket.tp", function()
    assert.equal(tp, socket.tp)
    assert.equal(60, tp.TIMEOUT)
  end)

  describe("connect", function()
    it("connects the socket that it is given, with a timeout", function()
      local _, fake = connected ""
      assert.same({ "create", 'connect "host" 25' }, fake.log)
      assert.equal(60, fake.timeout)
    end)

    it("takes the timeout that it is told", function()
      local fake = FakeSocket.new {}
      assert(tp.connect("host", "25", 5, fake.create))
      assert.equal(5, fake.timeout)
    end)

    it("connects with socket.tcp, as it is at that moment", function()
      local fake, original = FakeSocket.new {}, socket.tcp
      socket.tcp = fake.create
      local control = tp.connect("host", 25)
      socket.tcp = original
      assert.equal(fake, control:getcontrol())
    end)

    it("says why there is no socket", function()
      assert.same({ n = 2, nil, "none left" }, pack(tp.connect("host", 25, nil, function()
        return nil, "none left"
      end)))
    end)

    it("says why it could not connect, and closes the socket", function()
      local fake = FakeSocket.new { connect_error = "connection refused" }
      assert.same({ n = 2, nil, "connection refused" }, pack(tp.connect("host", 25, nil, fake.create)))
      assert.is_false(fake.is_open)
    end)

    it("raises for what is no host or port, and makes no socket", function()
      local fake = FakeSocket.new {}
      assert.equal("bad argument #1 to 'connect' (string expected, got nil)", raised(function()
        tp.connect(nil, 25, nil, fake.create)
      end))
      assert.equal("bad argument #2 to 'connect' (string expected, got table)", raised(function()
        tp.connect("host", {}, nil, fake.create)
      end))
      assert.same({}, fake.log)
    end)
  end)

  describe("check", function()
    it("returns the code and the reply if they are as expected", function()
      for _, ok in ipairs { "2..", "^220$", 220, "220", 22, { 1, 2 } } do
        assert.same({ n = 2, 220, "220 hello" }, checked("220 hello\r\n", ok))
      end
    end)

    it("returns nil and the reply if they are not", function()
      for _, ok in ipairs { "3..", 221, "221" } do
        assert.same({ n = 2, nil, "220 hello" }, checked("220 hello\r\n", ok))
      end
      assert.same({ n = 2, nil, "220 hello" }, checked("220 hello\r\n", {}))
    end)

    it("takes one of several", function()
      assert.same({ n = 2, 331, "331 go on" }, checked("331 go on\r\n", { "2..", 331 }))
      assert.same({ n = 2, nil, "332 go on" }, checked("332 go on\r\n", { "2..", 331 }))
    end)

    it("leaves the decision to a function", function()
      local got
      local result = checked("220-a\r\n220 b\r\n", function(...)
        got = pack(...)
        return "first", nil, "third"
      end)
      assert.same({ n = 2, 220, "220-a\n220 b" }, got)
      assert.same({ n = 3, "first", nil, "third" }, result)
    end)

    it("raises for anything else, before it receives", function()
      local control, fake = connected "220 hello\r\n"
      for _, kind in ipairs { "nil", "boolean" } do
        local ok = kind == "boolean" or nil
        assert.equal("bad argument #1 to 'check' (string, number, table or function expected, got " .. kind .. ")",
          raised(function()
            control:check(ok)
          end))
      end
      assert.equal("220 hello\r\n", fake.input)
    end)

    it("joins the lines of a reply that has several", function()
      for _, lines in ipairs {
        { "250-a", "250-b", "250 c" },
        { "250-a", "250 " },
        { "250-", "250-250 x", "250 c" },
        { "250-a", "251 other code", "no code", " 250 indented", "", "250x", "250 c" },
        { "250-a", "250" }, -- the blank may be missing at the end
      } do
        local control = connected(table.concat(lines, "\r\n") .. "\r\n354 next\r\n")
        assert.same({ n = 2, 250, table.concat(lines, "\n") }, pack(control:check "2.."))
        assert.same({ n = 2, 354, "354 next" }, pack(control:check "3.."))
      end
    end)

    it("takes a reply whose code is followed by anything but a hyphen for a single line", function()
      for _, line in ipairs { "220", "220x", "2200 x", "220\tx", "220 -" } do
        assert.same({ n = 2, 220, line }, checked(line .. "\r\n", "2.."))
      end
    end)

    it("refuses what begins with no code", function()
      for _, line in ipairs { "", "hello", "22 hello", " 220 hello", "x220 hello", "-220" } do
        assert.same({ n = 2, nil, "invalid server reply" }, checked(line .. "\r\n", "2.."))
      end
    end)

    it("returns the socket's errors, in the middle of a reply too", function()
      for _, input in ipairs { "", "220", "220 hello", "220-a\r\n", "220-a\r\n220 b" } do
        assert.same({ n = 2, nil, "closed" }, checked(input, "2.."))
        assert.same({ n = 2, nil, "timeout" }, checked(input, "2..", { receive_error = "timeout" }))
      end
    end)
  end)

  describe("command", function()
    it("sends the command in capitals, and its argument as it is", function()
      local control, fake = connected ""
      assert.equal(6, control:command "helo")
      assert.equal(15, control:command("mail", "From:<a>"))
      assert.equal(9, control:command("helo", 12))
      assert.equal(7, control:command("helo", ""))
      assert.equal(6, control:command("helo", false))
      assert.same({
        [[send "HELO\r\n"]], [[send "MAIL From:<a>\r\n"]], [[send "HELO 12\r\n"]], [[send "HELO \r\n"]],
        [[send "HELO\r\n"]],
      }, { (table.unpack or unpack)(fake.log, 3) }) -- luacheck: ignore 113 143
    end)

    it("refuses what would be more than one line, and sends nothing", function()
      local control, fake = connected ""
      for _, evil in ipairs { "\r", "\n", "\0", "a\r\nQUIT", "a\0b" } do
        local refused = { n = 2, nil, "invalid command: CR, LF and NUL are not allowed" }
        assert.same(refused, pack(control:command(evil)))
        assert.same(refused, pack(control:command("helo", evil)))
      end
      assert.same(2, #fake.log)
    end)

    it("raises for arguments of the wrong kind", function()
      local control = connected ""
      assert.equal("bad argument #1 to 'command' (string expected, got nil)", raised(function()
        control:command()
      end))
      assert.equal("bad argument #2 to 'command' (string expected, got table)", raised(function()
        control:command("helo", {})
      end))
    end)

    it("returns the socket's error", function()
      local control = connected("", { send_error = "closed" })
      assert.same({ n = 3, nil, "closed", 0 }, pack(control:command "helo"))
    end)
  end)

  it("sends and receives as the socket does", function()
    local control, fake = connected "one\r\ntwo\r\nthree"
    assert.equal(3, control:send "a\r\n")
    assert.equal("one", control:receive())
    assert.equal("two", control:receive "*l")
    assert.equal("th", control:receive(2))
    assert.equal([[send "a\r\n"]], fake.log[3])
  end)

  it("sends all that a source gives", function()
    local control, fake = connected ""
    local steps = 0
    assert.equal(1, (control:source(ltn12.source.table { "ab", "c" })))
    assert.equal(1, (control:source(ltn12.source.string "d", function(...)
      steps = steps + 1
      return ltn12.pump.step(...)
    end)))
    assert.equal(2, steps)
    assert.same({ 'send "ab"', 'send "c"', 'send "d"' }, { fake.log[3], fake.log[4], fake.log[5] })
    local result, err = control:source(ltn12.source.error "no data")
    assert.is_nil(result)
    assert.equal("no data", err)
    assert.equal("bad argument #1 to 'source' (function expected, got nil)", raised(function()
      control:source()
    end))
    assert.is_true(fake.is_open)
  end)

  it("hands what it receives to a sink", function()
    local control = connected "one\r\ntwo"
    local sink, chunks = ltn12.sink.table()
    control:sink(sink, "*l")
    control:sink(sink, 2)
    assert.same({ "one", "tw" }, chunks)
    local got
    control:sink(function(...)
      got = pack(...)
    end, "*l")
    assert.same({ nil, "closed", "o", n = 3 }, got)
  end)

  it("knows its socket and the peer's address", function()
    local server, port = peers.server(socket)
    local control = assert(tp.connect("127.0.0.1", port))
    local sock = control:getcontrol()
    assert.equal(sock:getfd(), control:getfd())
    assert.is_false(control:dirty())
    assert.same(pack(sock:getpeername()), pack(control:getpeername()))
    assert.same(pack(sock:getpeername()), pack(control:getsockname()))
    assert.equal(1, control:close())
    assert.equal(-1, sock:getfd())
    server:close()
  end)

  it("sends at once what it sends", function()
    local server, port = peers.server(socket)
    local control = assert(tp.connect("127.0.0.1", port))
    assert.is_true(control:getcontrol():getoption "tcp-nodelay")
    control:close()
    server:close()
  end)

  it("can be waited for in select", function()
    local ready
    scripted.run({ function(peer)
      peer:send "220 hello\r\n"
      scripted.until_closed(peer)
    end }, function(port)
      local control = assert(tp.connect("127.0.0.1", port))
      ready = socket.select({ control }, nil, 5)[1] == control
      control:close()
    end)
    assert.is_true(ready)
  end)

  it("finds its methods where libraries look for them", function()
    local control = connected "220 x\r\n"
    assert.equal(220, (getmetatable(control).__index.check(control, 220)))
  end)

  describe("against a hostile server", function()
    local limits = {}

    before_each(function()
      limits.length, limits.lines = tp.MAX_LINE_LENGTH, tp.MAX_REPLY_LINES
    end)

    after_each(function()
      tp.MAX_LINE_LENGTH, tp.MAX_REPLY_LINES = limits.length, limits.lines
    end)

    --- Sends until the client closes the connection.
    local function send_for_ever(text)
      return function(peer)
        local sent
        repeat
          sent = peer:send(text)
        until not sent
      end
    end

    --- What `check` says of what a server sends.
    local function verdict(serve)
      local code, err
      scripted.run({ serve }, function(port)
        local control = assert(tp.connect("127.0.0.1", port))
        code, err = control:check "2.."
        control:close()
      end)
      assert.is_nil(code)
      return err
    end

    it("gives up on a line without an end", function()
      assert.equal("line too long", verdict(send_for_ever(("x"):rep(10000))))
      assert.equal("line too long", verdict(function(peer)
        peer:send "220-hello\r\n"
        send_for_ever(("x"):rep(10000))(peer)
      end))
    end)

    it("gives up on a reply without an end", function()
      assert.equal("too many lines in server reply", verdict(send_for_ever "220-hello\r\n"))
      assert.equal("too many lines in server reply", verdict(send_for_ever "220-\r\n\r\n\r\n\r\n\r\n"))
    end)

    it("takes as much as it is told", function()
      tp.MAX_LINE_LENGTH, tp.MAX_REPLY_LINES = 10, 3
      local function reply_to(text)
        local code, reply
        scripted.run({ scripted.replies { text } }, function(port)
          local control = assert(tp.connect("127.0.0.1", port))
          code, reply = control:check "2.."
          control:close()
        end)
        return code or reply
      end
      assert.equal(220, reply_to "220 56789")
      assert.equal("line too long", reply_to "220 567890")
      assert.equal(220, reply_to "220-1\r\n220-2\r\n220 3")
      assert.equal("too many lines in server reply", reply_to "220-1\r\n220-2\r\n220-3\r\n220 4")
    end)

    it("takes no longer lines from sockets that know no limit", function()
      assert.same({ n = 2, nil, "line too long" }, checked("220 " .. ("x"):rep(9000) .. "\r\n", "2.."))
    end)

    it("gives up when a line does not come in time", function()
      local code, err
      scripted.run({ function(peer)
        peer:send "220-hello\r\n220 wor"
        scripted.until_closed(peer)
      end }, function(port)
        local control = assert(tp.connect("127.0.0.1", port, 0.05))
        code, err = control:check "2.."
        control:close()
      end)
      assert.is_nil(code)
      assert.equal("timeout", err)
    end)

    it("gives up when the reply is not complete in time, though each line is", function()
      local code, err
      local line = 0
      scripted.run({ function(peer)
        local sent
        repeat
          line = line + 1
          sent = peer:send "220-hello\r\n"
          socket.sleep(0.01)
        until not sent
      end }, function(port)
        local control = assert(tp.connect("127.0.0.1", port, 0.1))
        code, err = control:check "2.."
        control:close()
      end)
      assert.is_nil(code)
      assert.equal("timeout", err)
      assert.is_true(line > 2)
    end)
  end)

  it("lets other tasks run while it waits", function()
    local order = {}
    run.tasks(function()
      local server, port = peers.server(socket)
      local control = assert(tp.connect("127.0.0.1", port))
      local peer = assert(server:accept())
      cosock.spawn(function()
        order[#order + 1] = "other"
        peer:send "220 hello\r\n"
      end)
      control:check "2.."
      order[#order + 1] = "checked"
      control:close()
      peer:close()
    end)
    assert.same({ "other", "checked" }, order)
  end)
end)
