-- How handshakes end: outcomes, limits, and what is no handshake at all. (Certificates: verification_spec.lua.)

local cosock = require "cosock"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local socket = require "cosock.socket"
local ssl = require "cosock.ssl"
local tls = require "spec.support.tls"

local client, server = tls.client, tls.server
local luasec = tls.luasec()

-- A connection whose other end is a plain socket.
local function with_plain_peer(configuration)
  local mine, theirs = tls.sockets()
  return assert(ssl.wrap(mine, configuration)), theirs
end

describe("a handshake", function()
  for _, version in ipairs { "tlsv1_2", "tlsv1_3", "any" } do
    it("succeeds with " .. version, function()
      assert.same({ "ok", "ok" }, { tls.outcome(client { protocol = version }, server()) })
      assert.same({ "ok", "ok" }, { tls.outcome(client(), server { protocol = version }) })
    end)
  end

  for place, it_there in peers.inside_and_outside(it) do
    it_there("gives true once more when it is repeated, " .. place, function()
      local one, other = tls.pair()
      assert.is_true(one:dohandshake())
      assert.is_true(other:dohandshake())
    end)

    it_there("fails again for the same reason, " .. place, function()
      local one, other = tls.ends(client { cafile = tls.file "other-root.pem" }, server())
      local outcome = tls.shake_hands(one, other)
      assert.same({ ok = false, error = "certificate verify failed" }, outcome)
      assert.same({ false, "certificate verify failed" }, { one:dohandshake() })
    end)

    it_there("without a descriptor fails, " .. place, function()
      local connection = assert(ssl.wrap(socket.tcp(), client()))
      assert.same({ false, "Bad file descriptor" }, { connection:dohandshake() })
    end)

    it_there("of a closed connection gives nil, " .. place, function()
      local connection = tls.ends(client(), server())
      connection:close()
      assert.same({ n = 2, nil, "closed" }, peers.pack(connection:dohandshake()))
    end)

    it_there("ends when the peer closes, " .. place, function()
      for _, configuration in ipairs { client(), server() } do
        local connection, peer = with_plain_peer(configuration)
        peer:close()
        assert.same({ false, "unexpected eof while reading" }, { connection:dohandshake() })
      end
    end)

    it_there("ends when the server says that it is the end, " .. place, function()
      local connection, peer = with_plain_peer(client())
      peer:send "\21\3\3\0\2\1\0" -- the alert close_notify
      for _ = 1, 2 do
        assert.same({ n = 2, false, "closed" }, peers.pack(connection:dohandshake()))
      end
    end)

    for _, mode in ipairs { "b", "t" } do
      it_there(("ends at its limit, in mode %s, %s"):format(mode, place), function()
        for _, configuration in ipairs { client(), server() } do
          local connection = with_plain_peer(configuration)
          connection:settimeout(0.05, mode)
          local ok, err
          local seconds = peers.seconds(function()
            ok, err = connection:dohandshake()
          end)
          assert.same({ false, "wantread" }, { ok, err })
          assert.is_true(seconds >= 0.04 and seconds < 2, seconds)
          assert.equal("read", connection:want())
        end
      end)
    end
  end

  it("goes on after its limit", function()
    local one, other = tls.ends(client(), server())
    one:settimeout(0)
    assert.same({ false, "wantread" }, { one:dohandshake() })
    local outcome = tls.shake_hands(one, other)
    assert.is_true(outcome.ok)
  end)

  it("lets other tasks run", function()
    local connection = with_plain_peer(client())
    connection:settimeout(0.2)
    local turns, done = 0, false
    run.tasks(function()
      connection:dohandshake()
      done = true
    end, function()
      while not done do
        turns = turns + 1
        socket.sleep(0.01)
      end
    end)
    assert.is_true(turns > 5, turns)
  end)

  for what, and_then in pairs {
    ["waits for another task"] = function(receiver)
      receiver:receive()
    end,
    ["waits inside a coroutine"] = function(receiver)
      local routine = cosock.coroutine.wrap(function()
        receiver:receive()
      end)
      routine()
    end,
    ["ends"] = function() end,
  } do
    it("gives the client tickets for later connections although the server's task " .. what, function()
      local one, other = tls.ends(client { protocol = "tlsv1_3" }, server())
      local sender, receiver = cosock.channel.new()
      local readable
      run.tasks(function()
        assert(other:dohandshake())
        and_then(receiver)
      end, function()
        assert(one:dohandshake())
        -- Nothing else is on its way.
        readable = socket.select({ one }, nil, 10)
        sender:send(true)
      end)
      assert.equal(one, readable[1])
    end)
  end

  it("can begin with bytes that the socket has in its buffer", function()
    local mine, theirs = tls.sockets()
    local one = assert(ssl.wrap(theirs, client()))
    one:settimeout(0)
    one:dohandshake()
    assert(mine:receive(0)) -- leaves the client's greeting in the buffer
    assert.is_true(mine:dirty())
    local other = assert(ssl.wrap(mine, server()))
    local client_outcome, server_outcome = tls.shake_hands(one, other)
    assert.is_true(client_outcome.ok)
    assert.is_true(server_outcome.ok)
  end)

  it("with LuaSec succeeds on either side", function()
    if not luasec then
      pending "LuaSec is not installed"
    end
    for _, version in ipairs { "tlsv1_2", "tlsv1_3" } do
      assert.same({ "ok", "ok" }, { tls.outcome(client { protocol = version }, server(), ssl, luasec) })
      assert.same({ "ok", "ok" }, { tls.outcome(client { protocol = version }, server(), luasec, ssl) })
    end
  end)

  it("of two hundred connections at once succeeds", function()
    local COUNT = 200
    local listener = assert(socket.bind("127.0.0.1", 0, COUNT))
    local address, port = listener:getsockname()
    local client_context = assert(ssl.newcontext(client()))
    local server_context = assert(ssl.newcontext(server()))
    local answers = 0
    local tasks = { function()
      for _ = 1, COUNT do
        local accepted = assert(listener:accept())
        cosock.spawn(function()
          local connection = assert(ssl.wrap(accepted, server_context))
          assert(connection:dohandshake())
          assert(connection:send(connection:receive() .. " to you\n"))
          connection:close()
        end)
      end
      listener:close()
    end }
    for index = 1, COUNT do
      tasks[#tasks + 1] = function()
        local connection = assert(ssl.wrap(assert(socket.connect(address, port)), client_context))
        assert(connection:dohandshake())
        assert(connection:send(("hello %d\n"):format(index)))
        assert.equal(("hello %d to you"):format(index), connection:receive())
        connection:close()
        answers = answers + 1
      end
    end
    run.tasks((table.unpack or unpack)(tasks)) -- luacheck: ignore 143
    assert.equal(COUNT, answers)
  end)
end)

describe("what is no handshake", function()
  local GARBAGE = ("\255\1\0garbage"):rep(20)

  for place, it_there in peers.inside_and_outside(it) do
    it_there("is refused by a server: garbage, " .. place, function()
      local connection, peer = with_plain_peer(server())
      peer:send(GARBAGE)
      assert.same({ false, "wrong version number" }, { connection:dohandshake() })
    end)

    it_there("is refused by a client: garbage, " .. place, function()
      local connection, peer = with_plain_peer(client())
      peer:send(GARBAGE)
      assert.same({ false, "wrong version number" }, { connection:dohandshake() })
    end)

    it_there("is refused by a server: a request in plain text, " .. place, function()
      local connection, peer = with_plain_peer(server())
      peer:send("GET / HTTP/1.0\r\n\r\n")
      assert.same({ false, "http request" }, { connection:dohandshake() })
    end)

    it_there("is refused by a client: an answer in plain text, " .. place, function()
      local connection, peer = with_plain_peer(client())
      peer:send("220 mail.test ready\r\n")
      assert.same({ false, "wrong version number" }, { connection:dohandshake() })
    end)

    it_there("is refused: a greeting that is cut off, " .. place, function()
      for _, configuration in ipairs { client(), server() } do
        local connection, peer = with_plain_peer(configuration)
        peer:send("\22\3\1\2\0\1\0\1\252")
        peer:close()
        assert.same({ false, "unexpected eof while reading" }, { connection:dohandshake() })
      end
    end)

    it_there("is refused: a record that is too long, " .. place, function()
      for _, configuration in ipairs { client(), server() } do
        local connection, peer = with_plain_peer(configuration)
        peer:send("\22\3\3\255\255" .. ("x"):rep(100))
        local ok, err = connection:dohandshake()
        assert.is_false(ok)
        assert.is_truthy(err:find("length") or err:find("too large") or err:find("too long"), err)
      end
    end)

    it_there("is refused: an alert, " .. place, function()
      local connection, peer = with_plain_peer(client())
      peer:send("\21\3\3\0\2\2\40")
      assert.same({ false, "sslv3 alert handshake failure" }, { connection:dohandshake() })
    end)
  end

  it("leaves nothing behind for the next connection", function()
    local bad, peer = with_plain_peer(server())
    peer:send(GARBAGE)
    assert.is_false((bad:dohandshake()))
    assert.is_nil(ssl.loadcertificate("no certificate"))
    local one, other = tls.pair()
    one:settimeout(0)
    assert.same({ n = 3, nil, "wantread", "" }, peers.pack(one:receive()))
    other:close()
    one:settimeout(nil)
    assert.same({ n = 3, nil, "closed", "" }, peers.pack(one:receive()))
    bad:close()
  end)
end)

describe("the two sides", function()
  it("must have a version in common", function()
    assert.same({ "tlsv1 alert protocol version", "unsupported protocol" },
      { tls.outcome(client { protocol = "tlsv1_2" }, server { protocol = "tlsv1_3" }) })
    assert.same({ "tlsv1 alert protocol version", "unsupported protocol" },
      { tls.outcome(client { protocol = "tlsv1_3" }, server { options = { "no_tlsv1_3" } }) })
  end)

  it("must have a cipher in common", function()
    assert.same({ "sslv3 alert handshake failure", "no shared cipher" }, { tls.outcome(
      client { protocol = "tlsv1_2", ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256" },
      server { ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384" }) })
    assert.same({ "sslv3 alert handshake failure", "no shared cipher" }, { tls.outcome(
      client { protocol = "tlsv1_3", ciphersuites = "TLS_AES_128_GCM_SHA256" },
      server { ciphersuites = "TLS_CHACHA20_POLY1305_SHA256" }) })
  end)

  it("use the ciphers that they are told to", function()
    local one = tls.pair(client { protocol = "tlsv1_3", ciphersuites = "TLS_CHACHA20_POLY1305_SHA256" })
    assert.equal("TLS_CHACHA20_POLY1305_SHA256", one:info("cipher"))
    one = tls.pair(client { protocol = "tlsv1_2", ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256" })
    assert.equal("ECDHE-ECDSA-AES128-GCM-SHA256", one:info("cipher"))
  end)

  it("must have a curve in common", function()
    assert.same({ "ok", "ok" }, { tls.outcome(client { curve = "secp384r1" }, server { curveslist = "P-256:P-384" }) })
    local _, err = tls.outcome(client { protocol = "tlsv1_3", curveslist = "P-521" }, server { curveslist = "X25519" })
    assert.equal("no suitable key share", err)
  end)

  it("need a server with a certificate", function()
    assert.same({ "sslv3 alert handshake failure", "no shared cipher" },
      { tls.outcome(client(), server { key = false, certificate = false }) })
  end)

  it("choose among several certificates", function()
    local both = server {
      certificates = {
        { key = tls.file "server.key", certificate = tls.file "server.pem" },
        { key = tls.file "server-rsa.key", certificate = tls.file "server-rsa.pem" },
      },
    }
    for cipher, kind in pairs {
      ["ECDHE-ECDSA-AES256-GCM-SHA384"] = "EC", ["ECDHE-RSA-AES256-GCM-SHA384"] = "RSA",
    } do
      local one = tls.pair(client { protocol = "tlsv1_2", ciphers = cipher }, both)
      local _, found = one:getpeercertificate():pubkey()
      assert.equal(kind, found)
    end
  end)

  it("tell which version they speak", function()
    local one, other = tls.ends(client { protocol = "tlsv1_2" }, server())
    assert.same({ n = 2, nil, "closed" }, peers.pack(one:getversion()))
    tls.shake_hands(one, other)
    assert.equal("TLSv1.2", one:getversion())
    assert.equal("TLSv1.2", other:getversion())
    one = tls.pair(client { protocol = "tlsv1_3" })
    assert.equal("TLSv1.3", one:getversion())
    one:close()
    assert.same({ n = 2, nil, "closed" }, peers.pack(one:getversion()))
  end)
end)
