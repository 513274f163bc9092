-- Coming back to a peer: less of a handshake for a client whose context remembers it. And the file of keys.

local cosock = require "cosock"
local openssl = require "spec.support.openssl"
local process = require "spec.support.process"
local run = require "spec.support.run"
local socket = require "cosock.socket"
local ssl = require "cosock.ssl"
local tls = require "spec.support.tls"

local client, server = tls.client, tls.server

after_each(openssl.stop_all)
after_each(process.stop_all)

-- A server that answers one line each, and tells whether its client came back.
local function with_server(server_configuration, fn)
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  local context = assert(ssl.newcontext(server_configuration))
  local is_over = false
  run.tasks(function()
    while not is_over do
      local connection = assert(ssl.wrap(assert(listener:accept()), context))
      if connection:dohandshake() then
        connection:send("line\n")
        connection:receive()
      end
      connection:close()
    end
  end, function()
    -- How a client fares: whether it came back, and which connection it was.
    local function connect(client_context, name)
      local connection = assert(ssl.wrap(assert(socket.connect("127.0.0.1", port)), client_context))
      if name then
        connection:sni(name)
      end
      local ok, err = connection:dohandshake()
      if not ok then
        connection:close()
        return nil, err
      end
      assert.equal("line", connection:receive())
      local resumed, certificate = connection:isresumed(), connection:getpeercertificate()
      local verified, reason = connection:getpeerverification()
      connection:close()
      return resumed, certificate, verified, reason
    end
    fn(connect)
    is_over = true
    socket.connect("127.0.0.1", port):close()
  end)
  listener:close()
end

describe("a client's context", function()
  for _, version in ipairs { "tlsv1_2", "tlsv1_3" } do
    it("comes back to a server, with " .. version, function()
      with_server(server { protocol = version }, function(connect)
        local context = assert(ssl.newcontext(client()))
        local resumed, first = connect(context)
        assert.is_false(resumed)
        for _ = 1, 6 do
          local again, certificate, verified = connect(context)
          assert.is_true(again)
          assert.is_true(verified)
          assert.equal(first:pem(), certificate:pem())
        end
      end)
    end)

    it("comes back in many tasks at once, with " .. version, function()
      with_server(server { protocol = version }, function(connect)
        local context = assert(ssl.newcontext(client()))
        -- How many of ten connections, begun at once, come back.
        local function ten()
          local resumed, ended = 0, 0
          for _ = 1, 10 do
            cosock.spawn(function()
              local came_back = connect(context)
              resumed, ended = resumed + (came_back and 1 or 0), ended + 1
            end)
          end
          repeat
            socket.sleep(0.001)
          until ended == 10
          return resumed
        end
        ten() -- each is given what one or two others can come back by
        assert.equal(10, ten())
      end)
    end)

    it("knows one name from another, with " .. version, function()
      with_server(server { protocol = version }, function(connect)
        local context = assert(ssl.newcontext(client()))
        assert.is_false(connect(context, "one"))
        assert.is_true(connect(context, "one"))
        assert.is_false(connect(context, "other"))
        assert.is_true(connect(context, "one"))
        assert.is_false(connect(context))
      end)
    end)

    it("knows nothing of another context's, with " .. version, function()
      with_server(server { protocol = version }, function(connect)
        assert.is_false(connect(assert(ssl.newcontext(client()))))
        assert.is_false(connect(assert(ssl.newcontext(client()))))
      end)
    end)

    it("remembers what was wrong with the server, with " .. version, function()
      with_server(server {
        protocol = version, key = tls.file "stranger.key", certificate = tls.file "stranger.pem",
      }, function(connect)
        local context = assert(ssl.newcontext(client { verify = "none" }))
        for round = 1, 2 do
          local resumed, _, verified, reason = connect(context)
          assert.equal(round == 2, resumed)
          assert.is_false(verified)
          assert.equal("unable to get local issuer certificate", reason)
        end
      end)
    end)

    it("does not come back where errors were passed over, with " .. version, function()
      with_server(server {
        protocol = version, key = tls.file "stranger.key", certificate = tls.file "stranger.pem",
      }, function(connect)
        local context = assert(ssl.newcontext(client { verifyext = "lsec_continue" }))
        for _ = 1, 2 do
          local resumed, _, verified, errors = connect(context)
          assert.is_false(resumed)
          assert.is_false(verified)
          assert.equal("table", type(errors))
        end
      end)
    end)

    it("does not come back by what it has seen before it verified otherwise, with " .. version, function()
      with_server(server { protocol = version }, function(connect)
        local context = assert(ssl.newcontext(client { cafile = tls.file "trusted.pem" }))
        assert.is_false(connect(context))
        assert.is_true(connect(context))
        context:setverifyext("crl_check")
        local resumed, err = connect(context)
        assert.is_nil(resumed) -- the intermediate authority has no list
        assert.equal("certificate verify failed", err)
      end)
    end)

    it("does not come back to a server that asks who it is, with " .. version, function()
      for _, server_ssl in ipairs { ssl, tls.luasec() } do
        local context = assert(ssl.newcontext(client {
          protocol = version, key = tls.file "client.key", certificate = tls.file "client.pem",
        }))
        local asking = assert(server_ssl.newcontext(server { cafile = tls.file "root.pem", verify = "peer" }))
        for _ = 1, 3 do
          local one, other = tls.pair(context, asking, ssl, server_ssl)
          other:send "line\n"
          assert.equal("line", one:receive())
          assert.is_false(one:isresumed())
          assert.equal(ssl.loadcertificate(tls.contents "client.pem"):pem(), other:getpeercertificate():pem())
          one:close()
          other:close()
        end
      end
    end)

    it("does not come back by what came late, once it verifies otherwise, with " .. version, function()
      local context, other_context = assert(ssl.newcontext(client { protocol = version })),
        assert(ssl.newcontext(server()))
      local one, other = tls.ends(context, other_context)
      assert.is_true(context:setverifyext "crl_check")
      assert.is_true(tls.shake_hands(one, other).ok)
      other:send "line\n"
      assert.equal("line", one:receive())
      assert.equal("certificate verify failed", (tls.outcome(context, other_context)))
    end)
  end

  it("does not come back once it was asked what binds others to its channel, with TLS 1.2", function()
    for _, method in ipairs { "getfinished", "getpeerfinished" } do
      local context, other_context = assert(ssl.newcontext(client { protocol = "tlsv1_2" })),
        assert(ssl.newcontext(server()))
      for round = 1, 4 do
        local one, other = tls.pair(context, other_context)
        assert.equal(round == 2, one:isresumed())
        if round >= 2 then
          assert.is_string(one[method](one))
        end
        one:close()
        other:close()
      end
    end
  end)

  it("does not come back to one that broke off when it did", function()
    local context = assert(ssl.newcontext(client { protocol = "tlsv1_2" }))
    local listener = assert(socket.bind("127.0.0.1", 0))
    local offered = {}
    run.tasks(function()
      local first = assert(ssl.wrap(assert(listener:accept()), server()))
      assert(first:dohandshake())
      first:send "line\n"
      first:receive()
      first:close()
      for _ = 1, 3 do
        local peer = assert(listener:accept())
        local high, low = peer:receive(5):byte(4, 5)
        -- The length of the session's name: behind the message's header, the version, and random bytes.
        offered[#offered + 1] = peer:receive(high * 256 + low):byte(4 + 2 + 32 + 1) > 0
        peer:close()
      end
    end, function()
      local address, port = listener:getsockname()
      for round = 1, 4 do
        local connection = assert(ssl.wrap(assert(socket.connect(address, port)), context))
        assert.equal(round == 1, (connection:dohandshake()))
        if round == 1 then
          assert.equal("line", connection:receive())
        end
        connection:close()
      end
    end)
    listener:close()
    assert.same({ true, false, false }, offered)
  end)

  it("comes back to openssl", function()
    for _, version in ipairs { "tls1_2", "tls1_3" } do
      local program, port = openssl.server("-" .. version .. " -naccept 3")
      local context = assert(ssl.newcontext(client()))
      for round = 1, 3 do
        local connection = assert(ssl.wrap(assert(socket.connect("127.0.0.1", port)), context))
        assert.is_true(connection:dohandshake())
        program:write("line " .. round)
        assert.equal("line " .. round, connection:receive())
        assert.equal(round > 1, connection:isresumed())
        connection:close()
        program:expect "^DONE"
      end
      program:finish()
    end
  end)
end)

describe("a server's context", function()
  for _, version in ipairs { "tls1_2", "tls1_3" } do
    it("verifies a client anew that comes back, with " .. version, function()
      local context = assert(ssl.newcontext(server {
        cafile = tls.file "root.pem", verify = { "peer", "fail_if_no_peer_cert" },
      }))
      local listener = assert(socket.bind("127.0.0.1", 0))
      local _, port = listener:getsockname()
      local path, option = tls.new_file "session", "sess_out"
      local seen = {}
      for round = 1, 2 do
        local program = openssl.client(port, ("-%s -%s %s -cert %s -key %s"):format(
          version, option, path, tls.file "client.pem", tls.file "client.key"))
        local connection = assert(ssl.wrap(assert(listener:accept()), context))
        assert(connection:dohandshake())
        seen[round] = { connection:isresumed(), #connection:getpeerchain(), connection:getpeerverification() }
        connection:send "line\n"
        program:expect "^line$"
        program:write "Q"
        assert.equal("closed", (select(2, connection:receive())))
        connection:close()
        program:finish()
        local kept = io.open(path)
        if kept then -- else there was nothing to keep
          kept:close()
          option = "sess_in"
        end
      end
      listener:close()
      assert.same({ { false, 2, true }, { false, 2, true } }, seen)
    end)
  end
end)

describe("SSLKEYLOGFILE", function()
  local PROGRAM = [[
    local tls = require "spec.support.tls"
    tls.use(arg[2])
    local one, other = tls.pair(tls.client { protocol = arg[1] })
    one:send "line\n"
    print((other:receive()))
  ]]

  -- What is in the file after two programs have run, one after the other.
  local function written(path, version, setting)
    for _ = 1, 2 do
      local child = process.script_with(setting, PROGRAM, version, tls.folder())
      child:expect "^line$"
      child:finish()
    end
    local file = io.open(path)
    local contents = file and file:read "*a"
    if file then
      file:close()
    end
    return contents
  end

  it("names a file that keys are added to", function()
    for version, label in pairs { tlsv1_2 = "CLIENT_RANDOM", tlsv1_3 = "CLIENT_TRAFFIC_SECRET_0" } do
      local path = tls.new_file "keys"
      local contents = written(path, version, "SSLKEYLOGFILE=" .. path)
      local _, count = contents:gsub("%f[%u]" .. label .. " %x+ %x+\n", "")
      assert.equal(4, count) -- of both ends, twice
      local pipe = io.popen("stat -c %a " .. path)
      assert.equal("600", pipe:read "*l")
      pipe:close()
    end
  end)

  it("does nothing when it is empty, or names what cannot be written", function()
    local path = tls.new_file "keys"
    assert.is_nil(written(path, "tlsv1_3", "SSLKEYLOGFILE="))
    assert.is_nil(written(path, "tlsv1_3", "SSLKEYLOGFILE=/no/such/folder/file"))
  end)
end)
