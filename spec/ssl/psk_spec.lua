-- Keys that both sides have shared before, and DANE.

local openssl = require "spec.support.openssl"
local peers = require "spec.support.peers"
local socket = require "cosock.socket"
local ssl = require "cosock.ssl"
local tls = require "spec.support.tls"

local KEY = ("\1\2\3\4"):rep(8)

after_each(openssl.stop_all)

local function psk_client(psk, version)
  return { mode = "client", protocol = version or "any", psk = psk, ciphers = "PSK" }
end

local function psk_server(psk, version)
  return { mode = "server", protocol = version or "any", psk = psk, ciphers = "PSK" }
end

local function credentials()
  return "somebody", KEY
end

local function key_of(identity)
  return identity == "somebody" and KEY or nil
end

describe("a shared key", function()
  for _, version in ipairs { "tlsv1_2", "tlsv1_3" } do
    it("is enough, with " .. version, function()
      local asked, told
      local one, other = tls.pair(psk_client(function(...)
        asked = peers.pack(...)
        return credentials()
      end, version), psk_server(function(...)
        told = peers.pack(...)
        return key_of(...)
      end, version))
      assert.equal(version == "tlsv1_2" and "TLSv1.2" or "TLSv1.3", one:getversion())
      assert.equal(3, asked.n)
      assert.is_nil(asked[1])
      assert.is_true(asked[2] >= 128 and asked[3] >= 32)
      assert.equal("somebody", told[1])
      assert.is_true(told[2] >= 32)
      one:send("line\n")
      assert.equal("line", other:receive())
    end)

    it("must be known to the server, with " .. version, function()
      for _, function_ in ipairs {
        function() return "nobody", KEY end, function() return "somebody", "another key" end,
        function() return "somebody" end, function() return nil end, function() return 5, {} end,
        function() return ("x"):rep(1000), KEY end, function() return "somebody", ("x"):rep(1000) end,
        function() return "some\0body", KEY end,
      } do
        local client_outcome = tls.outcome(psk_client(function_, version), psk_server(key_of, version))
        assert.not_equal("ok", client_outcome)
      end
      for _, function_ in ipairs {
        function() return nil end, function() return {} end, function() return ("x"):rep(1000) end,
      } do
        local client_outcome = tls.outcome(psk_client(credentials, version), psk_server(function_, version))
        assert.not_equal("ok", client_outcome)
      end
    end)
  end

  it("is asked for by nobody's ticket", function()
    for _, suite in ipairs { "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384" } do
      local asked = 0
      local own = assert(ssl.newcontext(tls.server { ciphersuites = suite, psk = function()
        asked = asked + 1
        return KEY
      end }))
      local context = assert(ssl.newcontext(tls.client()))
      for _ = 1, 3 do
        local one, other = tls.pair(context, own)
        other:send("line\n")
        assert.equal("line", one:receive())
        assert.is_false(one:isresumed())
        one:close()
        other:close()
      end
      assert.equal(0, asked)
    end
  end)

  it("can be hinted at", function()
    local hint
    tls.pair(psk_client(function(text)
      hint = text
      return credentials()
    end, "tlsv1_2"), psk_server({ hint = "a hint", callback = key_of }, "tlsv1_2"))
    assert.equal("a hint", hint)
  end)

  it("is refused where it is none", function()
    for _, psk in ipairs { "x", 5, { hint = "x" }, { hint = 5, callback = key_of }, { callback = 5 } } do
      assert.same({ n = 2, nil, "invalid PSK configuration" }, peers.pack(ssl.newcontext(psk_server(psk))))
    end
    for _, psk in ipairs { "x", 5, { callback = credentials } } do
      assert.same({ n = 2, nil, "invalid PSK configuration" }, peers.pack(ssl.newcontext(psk_client(psk))))
    end
  end)

  it("passes on what its functions raise", function()
    local problem = {}
    local one, other = tls.ends(psk_client(function()
      error(problem)
    end), psk_server(key_of))
    local ok, raised = pcall(tls.shake_hands, one, other)
    assert.is_false(ok)
    assert.equal(problem, raised)
    one, other = tls.ends(psk_client(credentials), psk_server(function()
      error(problem)
    end))
    ok, raised = pcall(tls.shake_hands, one, other)
    assert.is_false(ok)
    assert.equal(problem, raised)
  end)

  it("is shared with openssl", function()
    local hexadecimal = KEY:gsub(".", function(byte)
      return ("%02x"):format(byte:byte())
    end)
    for _, version in ipairs { "tls1_2", "tls1_3" } do
      local program, port = openssl.server(("-%s -nocert -psk %s -psk_identity somebody"):format(version, hexadecimal))
      local connection = assert(ssl.wrap(assert(socket.connect("127.0.0.1", port)), psk_client(credentials)))
      assert.is_true(connection:dohandshake())
      connection:send("line\n")
      program:expect "^line$"
      connection:close()
      program:finish()
    end
  end)
end)

describe("DANE", function()
  -- The digest of a server's key, as its name servers would give it.
  local function key_digest(name)
    local pipe = assert(io.popen(("openssl x509 -in %s -noout -pubkey | openssl pkey -pubin -outform DER | "
      .. "openssl dgst -sha256 -binary"):format(tls.file(name .. ".pem"))))
    local digest = pipe:read "*a"
    pipe:close()
    return digest
  end

  local function outcome(name, record, changes)
    changes = changes or {}
    changes.cafile, changes.dane = false, changes.dane or true
    local one, other = tls.ends(tls.client(changes),
      tls.server { key = tls.file(name .. ".key"), certificate = tls.file(name .. ".pem") })
    assert.is_true(one:setdane("localhost"))
    assert.is_true(one:settlsa(3, 1, 1, record))
    local client_outcome = tls.shake_hands(one, other)
    return client_outcome.ok and "ok" or client_outcome.error
  end

  it("verifies by a record, without any authority", function()
    assert.equal("ok", outcome("self-signed", key_digest "self-signed"))
    assert.equal("certificate verify failed", outcome("self-signed", key_digest "server"))
    assert.equal("ok", outcome("elsewhere", key_digest "elsewhere", { dane = { "no_ee_namechecks" } }))
  end)

  it("must be wanted, and its records must be records", function()
    local one = tls.ends(tls.client(), tls.server())
    assert.is_false(one:setdane("localhost"))
    assert.is_false(one:settlsa(3, 1, 1, ("x"):rep(32)))
    one = tls.ends(tls.client { dane = true }, tls.server())
    assert.is_false(one:settlsa(3, 1, 1, ("x"):rep(32)))
    assert.is_true(one:setdane("localhost"))
    assert.is_false(one:setdane("localhost"))
    assert.is_false(one:settlsa(3, 1, 1, "too short"))
    for _, number in ipairs { 9, -1, 256, 2 ^ 40 } do
      assert.is_false(one:settlsa(number, 1, 1, ("x"):rep(32)))
    end
    assert.equal(not math.type, (pcall(one.settlsa, one, 3.9, 1, 1, ("x"):rep(32)))) -- cut where there are no integers
    assert.equal("bad argument #1 to 'settlsa' (number expected, got string)", peers.raised(function()
      one:settlsa("x")
    end))
  end)
end)
