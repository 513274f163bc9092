-- `ftp.open`: sessions, command by command.

local FakeSocket = require "spec.support.fake_socket"
local fake_ftp = require "spec.support.fake_ftp"
local ftp = require "cosock.socket.ftp"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local servers = require "spec.support.servers"
local socket = require "cosock.socket"

local pack, raised = peers.pack, peers.raised

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

describe("ftp.open", function()
  it("connects to port 21 if it is told no other", function()
    local server = with_session({}, function() end)
    assert.same({ "control create", 'control connect "host" 21' }, server.log)
    assert.equal(60, server.control.timeout)
  end)

  it("raises for socket.protect what kept it from connecting", function()
    local fake = FakeSocket.new { connect_error = "connection refused" }
    assert.same({ n = 2, nil, "connection refused" }, pack(socket.protect(ftp.open)("host", 21, fake.create)))
    assert.is_false(fake.is_open)
  end)

  it("raises for what is no host", function()
    assert.equal("bad argument #1 to 'connect' (string expected, got nil)", raised(ftp.open))
  end)
end)

describe("a session of ftp", function()
  it("logs in", function()
    local server = with_session({ input = "120 wait\r\n220 hi\r\n331 password\r\n230 in\r\n" }, function(session)
      assert.equal(1, session:greet())
      assert.equal(1, session:login())
    end)
    assert.same({ [[control send "USER ftp\r\n"]], [[control send "PASS anonymous@anonymous.org\r\n"]] },
      { server.log[3], server.log[4] })
  end)

  it("sends no password that is not asked for", function()
    local server = with_session({ input = "230 in\r\n" }, function(session)
      assert.equal(1, session:login("ann", "secret"))
    end)
    assert.same({ [[control send "USER ann\r\n"]] }, { server.log[3], server.log[4] })
  end)

  it("changes the directory and the type, takes leave and closes", function()
    local server = with_session({ input = "250 ok\r\n200 ok\r\n221 bye\r\n" }, function(session)
      assert.equal(1, session:cwd "dir")
      assert.equal(1, session:type "i")
      assert.equal(1, session:quit())
      assert.equal(1, session:close())
      assert.equal(1, session:close())
    end)
    assert.same({
      [[control send "CWD dir\r\n"]], [[control send "TYPE i\r\n"]], [[control send "QUIT\r\n"]], "control close",
    }, { server.log[3], server.log[4], server.log[5], server.log[6] })
  end)

  it("raises for socket.protect what the server refused, with the connection closed", function()
    for _, step in ipairs { "greet", "login", "pasv", "epsv", "passive", "cwd", "type", "quit" } do
      local results, is_closed = outcome("530-no\r\n530 never\r\n530-no\r\n530 never\r\n", function(session)
        return session[step](session, "x")
      end)
      assert.same({ n = 2, nil, "530-no\n530 never" }, results)
      assert.is_true(is_closed)
    end
  end)

  it("refuses what would be more than one command", function()
    for _, step in ipairs { "login", "cwd", "type" } do
      local results, is_closed = outcome("200 ok\r\n", function(session)
        return session[step](session, "x\r\nDELE y")
      end)
      assert.same({ n = 2, nil, "invalid command: CR, LF and NUL are not allowed" }, results)
      assert.is_true(is_closed)
    end
  end)

  describe("in passive mode", function()
    it("reads where the server listens", function()
      for reply, expected in pairs {
        ["227 Entering (127,0,0,1,4,5)."] = { "127.0.0.1", 1029, n = 2 },
        ["227 Entering 127,0,0,1,255,255"] = { "127.0.0.1", 65535, n = 2 },
        ["227-one\r\n227 (1,2,3,4,0,1)"] = { "1.2.3.4", 1, n = 2 },
      } do
        assert.same(expected, (outcome(reply .. "\r\n", function(session)
          return session:pasv()
        end)))
      end
    end)

    it("believes no impossible address", function()
      for _, reply in ipairs {
        "227 nowhere", "227 (1,2,3,4,5)", "227 (256,2,3,4,5,6)", "227 (1,2,3,4,5,256)", "227 (1,2,3,4,0,0)",
        "227 (1111,2,3,4,5,6)", "227 (1.2.3.4.5.6)", "227 (-1,2,3,4,5,a)",
      } do
        local results, is_closed = outcome(reply .. "\r\n", function(session)
          return session:pasv()
        end)
        assert.same({ n = 2, nil, reply }, results)
        assert.is_true(is_closed)
      end
    end)

    it("takes no long time to read a long reply", function()
      local reply = "227 " .. ("1"):rep(4000) .. (",1"):rep(2000)
      assert.is_true(peers.seconds(function()
        outcome((reply:gsub("^227 ", "227-") .. "\r\n"):rep(100) .. reply .. "\r\n", function(session)
          return session:pasv()
        end)
      end) < 1)
    end)
  end)

  describe("in extended passive mode", function()
    it("reads the port on which the server listens", function()
      for reply, port in pairs {
        ["229 Entering (|||5555|)"] = 5555, ["229 (!!!1!)"] = 1, ["229-a\r\n229 (|1|192.0.2.1|65535|)"] = 65535,
        ["229 (hello) (|||77|)"] = 77, ["229 (|2|::1|77|)"] = 77,
      } do
        assert.same({ "192.0.2.1", port, n = 2 }, (outcome(reply .. "\r\n", function(session)
          return session:epsv()
        end)))
      end
    end)

    it("believes no impossible port", function()
      for _, reply in ipairs {
        "229 nowhere", "229 (|||0|)", "229 (|||65536|)", "229 |||77|", "229 (||!77|)", "229 (11177 1)", "229 (||||)",
        "229 (|||99999999999999999999|)", "229 (|||7a|)",
      } do
        local results, is_closed = outcome(reply .. "\r\n", function(session)
          return session:epsv()
        end)
        assert.same({ n = 2, nil, "invalid epsv response" }, results)
        assert.is_true(is_closed)
      end
    end)

    it("falls back on the passive mode for servers that know no other", function()
      local server, host, port = with_session({ input = "500 what\r\n227 (1,2,3,4,5,6)\r\n" }, function(session)
        return session:passive()
      end)
      assert.same({ "1.2.3.4", 1286 }, { host, port })
      assert.same({ [[control send "EPSV\r\n"]], [[control send "PASV\r\n"]] }, { server.log[3], server.log[4] })
      assert.same({ n = 2, nil, "500 what" }, (outcome("500 what\r\n502 what else\r\n", function(session)
        return session:passive()
      end)))
      assert.same({ n = 2, nil, "421 bye" }, (outcome("421 bye\r\n227 (1,2,3,4,5,6)\r\n", function(session)
        return session:passive()
      end)))
    end)
  end)

  describe("connects for data", function()
    local function receive(options)
      options.input = options.input or "227 (1,2,3,4,5,6)\r\n150 go\r\n226 done\r\n"
      return with_session(options, function(session)
        return socket.protect(function()
          session:pasv()
          return session:receive { argument = "x", sink = ltn12.sink.null() }
        end)()
      end)
    end

    it("with the host of the control connection, whatever the server says", function()
      local server, result = receive { address = "192.0.2.9" }
      assert.equal(1, result)
      assert.equal('data connect "192.0.2.9" 1286', server.log[5])
      assert.equal(60, server.data[1].timeout)
      assert.is_false(server.data[1].is_open)
    end)

    it("with any host if it may", function()
      ftp.ANY_DATA_HOST = true
      local server = receive {}
      ftp.ANY_DATA_HOST = false
      assert.equal('data connect "1.2.3.4" 1286', server.log[5])
    end)

    it("and closes everything if it cannot", function()
      local server, result, err = receive { data = { connect_error = "connection refused" } }
      assert.is_nil(result)
      assert.equal("connection refused", err)
      assert.is_false(server.data[1].is_open)
      assert.is_false(server.control.is_open)
    end)

    it("and closes everything if the server refuses the transfer", function()
      local server, result, err = receive { input = "227 (1,2,3,4,5,6)\r\n550 no\r\n" }
      assert.is_nil(result)
      assert.equal("550 no", err)
      assert.is_false(server.data[1].is_open)
      assert.is_false(server.control.is_open)
    end)
  end)

  it("needs a mode before it transfers, and for each transfer", function()
    local needed = { n = 2, nil, "need port or pasv first" }
    assert.same(needed, (outcome("", function(session)
      return session:send { argument = "x", source = ltn12.source.empty() }
    end)))
    local results = with_session({ input = "227 (1,2,3,4,5,6)\r\n150 go\r\n226 done\r\n" }, function(session)
      session:pasv()
      session:receive { argument = "x", sink = ltn12.sink.null() }
      assert.same(needed, pack(socket.protect(session.receive)(session, { sink = ltn12.sink.null() })))
    end)
    assert.is_false(results.control.is_open)
  end)

  it("raises for transfers without a source or a sink, before it connects", function()
    local server = with_session({ input = "227 (1,2,3,4,5,6)\r\n" }, function(session)
      session:pasv()
      assert.equal("bad field 'source' (function expected, got nil)", raised(function()
        session:send {}
      end))
      assert.equal("bad field 'sink' (function expected, got string)", raised(function()
        session:receive { sink = "x" }
      end))
    end)
    assert.same({}, server.data)
  end)

  it("closes everything when a source or a sink raises", function()
    local oops = { "oops" }
    local function fail()
      error(oops)
    end
    for method, field in pairs { send = "source", receive = "sink" } do
      local options = { input = "227 (1,2,3,4,5,6)\r\n150 go\r\n226 done\r\n", data = { input = "x" } }
      local server, ok, err = with_session(options, function(session)
        session:pasv()
        return pcall(session[method], session, { argument = "x", [field] = fail })
      end)
      assert.is_false(ok)
      assert.equal(oops, err)
      assert.is_false(server.data[1].is_open)
      assert.is_false(server.control.is_open)
    end
  end)
end)

describe("a session of ftp with a real server", function()
  for _, family in ipairs(peers.families) do
    describe("over " .. family.name, function()
      local server

      setup(function()
        server = servers.ftp(family.address)
      end)

      teardown(function()
        server:stop()
      end)

      for place, here in peers.inside_and_outside(it) do
        here("transfers in every mode, " .. place, function()
          local session = ftp.open(family.address, server.port)
          session:greet()
          session:login("ann", "secret word")
          session:type "i"
          local modes = { "epsv", "passive", "eprt" }
          if family.family == "inet" then
            modes = { "pasv", "epsv", "passive", "port", "eprt" }
          end
          for _, mode in ipairs(modes) do
            local content = mode .. ("\0\r\n\255"):rep(50000)
            session[mode](session)
            assert.equal(#content, session:send { path = "/" .. mode, source = ltn12.source.string(content) })
            assert.equal(content, server:read(mode))
            local sink, chunks = ltn12.sink.table()
            session[mode](session)
            assert.equal(1, session:receive { path = mode, sink = sink })
            assert.equal(content, table.concat(chunks))
          end
          session:quit()
          session:close()
        end)
      end
    end)
  end
end)
