-- Sessions to whose client the server connects.

local fake_ftp = require "spec.support.fake_ftp"
local ftp = require "cosock.socket.ftp"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local scripted = require "spec.support.scripted_server"
local socket = require "cosock.socket"

local pack = peers.pack

local unpack = table.unpack or unpack -- luacheck: ignore 143

--- Calls `fn` with a session whose server replies with `input`. Returns the server and what `fn` returned.
local function with_session(options, fn)
  return fake_ftp.serve(socket, options, function(create)
    return fn(ftp.open("host", nil, create))
  end)
end

--- What `fn` returns through `socket.protect`, and whether the session is closed then.
local function outcome(input, fn)
  local server, results = with_session({ input = input }, function(session)
    return pack(socket.protect(fn)(session))
  end)
  return results, not server.control.is_open
end

describe("a session of ftp in active mode", function()
  it("tells the server where to connect to", function()
    local server = with_session({ input = ("200 ok\r\n"):rep(5) }, function(session)
      assert.equal(1, session:port("1.2.3.4", 258))
      assert.equal(1, session:eprt(1, "1.2.3.4", 258))
      assert.equal(1, session:eprt(nil, "1.2.3.4", 258))
      assert.equal(1, session:eprt(nil, "::1", 258))
      assert.equal(1, session:eprt(2, "::1", 258))
    end)
    assert.same({
      [[control send "PORT 1,2,3,4,1,2\r\n"]], [[control send "EPRT |1|1.2.3.4|258|\r\n"]],
      [[control send "EPRT |1|1.2.3.4|258|\r\n"]], [[control send "EPRT |2|::1|258|\r\n"]],
      [[control send "EPRT |2|::1|258|\r\n"]],
    }, { unpack(server.log, 3) })
  end)

  it("has no PORT for IPv6", function()
    assert.same({ n = 2, nil, "PORT needs an IPv4 address: use eprt" }, (outcome("", function(session)
      return session:port("::1", 258)
    end)))
  end)

  --- Runs a session with a server that is a task: `serve` gets its connection and the port to which it is to connect,
  --- and `client` the session.
  local function run(mode, serve, client)
    scripted.run({ function(peer)
      assert(peer:send "220 hi\r\n")
      local line = assert(peer:receive())
      local high, low = line:match "^PORT 127,0,0,1,(%d+),(%d+)$"
      local port = high and tonumber(high) * 256 + tonumber(low) or tonumber(line:match "^EPRT |1|127%.0%.0%.1|(%d+)|$")
      assert(peer:send "200 ok\r\n")
      assert(peer:receive())
      serve(peer, port)
      scripted.until_closed(peer)
    end }, function(port)
      local session = ftp.open("127.0.0.1", port)
      session:greet()
      session[mode](session)
      client(session)
      session:close()
    end)
  end

  for _, mode in ipairs { "port", "eprt" } do
    it("receives by " .. mode, function()
      local sink, chunks = ltn12.sink.table()
      run(mode, function(peer, port)
        assert(peer:send "150 go\r\n")
        local data = assert(socket.connect("127.0.0.1", port))
        data:send "content"
        data:close()
        peer:send "226 done\r\n"
      end, function(session)
        assert.equal(1, session:receive { argument = "x", sink = sink })
        assert.is_nil(session.server)
      end)
      assert.equal("content", table.concat(chunks))
    end)

    it("sends by " .. mode, function()
      local got
      run(mode, function(peer, port)
        assert(peer:send "150 go\r\n")
        local data = assert(socket.connect("127.0.0.1", port))
        got = data:receive "*a"
        data:close()
        peer:send "226 done\r\n"
      end, function(session)
        assert.equal(7, session:send { argument = "x", source = ltn12.source.string "content" })
      end)
      assert.equal("content", got)
    end)
  end

  it("does not wait for a connection when the server refuses, or has answered already", function()
    local sink, chunks = ltn12.sink.table()
    run("port", function(peer)
      peer:send "226 that is all\r\n"
    end, function(session)
      assert.equal(1, session:receive { argument = "x", sink = sink })
    end)
    assert.equal("226 that is all", table.concat(chunks))
    run("port", function(peer)
      peer:send "550 no\r\n"
    end, function(session)
      local server = session.server
      assert.same({ n = 2, nil, "550 no" }, pack(socket.protect(session.receive)(session, { sink = sink })))
      assert.equal(-1, server:getfd())
    end)
  end)

  it("takes no connection from another host", function()
    local sink, chunks = ltn12.sink.table()
    run("port", function(peer, port)
      local stranger = socket.tcp4()
      assert(stranger:bind("127.0.0.2", 0))
      assert(stranger:connect("127.0.0.1", port))
      stranger:send "not this"
      assert(peer:send "150 go\r\n")
      assert.equal("closed", select(2, stranger:receive()))
      local data = assert(socket.connect("127.0.0.1", port))
      data:send "but this"
      data:close()
      stranger:close()
      peer:send "226 done\r\n"
    end, function(session)
      assert.equal(1, session:receive { argument = "x", sink = sink })
    end)
    assert.equal("but this", table.concat(chunks))
  end)

  it("gives up when the server does not connect in time", function()
    local timeout = ftp.TIMEOUT
    run("eprt", function(peer)
      peer:send "150 go\r\n"
    end, function(session)
      ftp.TIMEOUT = 0.05
      local server = session.server
      assert.same({ n = 2, nil, "timeout" }, pack(socket.protect(session.receive)(session, {
        argument = "x",
        sink = ltn12.sink.null(),
      })))
      ftp.TIMEOUT = timeout
      assert.equal(-1, server:getfd())
      assert.equal(-1, session.tp:getfd())
    end)
  end)
end)
