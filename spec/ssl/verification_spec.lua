-- What a peer's certificate is worth, and who is expected. (Every certificate under every option, compared with LuaSec:
-- differential_spec.lua.)

local openssl = require "spec.support.openssl"
local peers = require "spec.support.peers"
local socket = require "cosock.socket"
local ssl = require "cosock.ssl"
local tls = require "spec.support.tls"

local client, server = tls.client, tls.server

after_each(openssl.stop_all)

local function server_as(name)
  return server { key = tls.file(name .. ".key"), certificate = tls.file(name .. ".pem") }
end

local function client_as(name, changes)
  changes = changes or {}
  changes.key, changes.certificate = tls.file(name .. ".key"), tls.file(name .. ".pem")
  return client(changes)
end

describe("a client that verifies", function()
  for name, refusal in pairs {
    stranger = { "tlsv1 alert unknown ca", "unable to get local issuer certificate" },
    ["self-signed"] = { "tlsv1 alert unknown ca", "self-signed certificate" },
    expired = { "sslv3 alert certificate expired", "certificate has expired" },
    early = { "sslv3 alert bad certificate", "certificate is not yet valid" },
    client = { "sslv3 alert unsupported certificate", "unsuitable certificate purpose" },
  } do
    it("refuses a server whose certificate is of the kind: " .. name, function()
      assert.same({ "certificate verify failed", refusal[1] }, { tls.outcome(client(), server_as(name)) })
    end)

    it("that does not insist tells what is wrong with: " .. name, function()
      local one = tls.pair(client { verify = "none" }, server_as(name))
      assert.same({ false, refusal[2] }, { one:getpeerverification() })
      one = tls.pair(client { verifyext = "lsec_continue" }, server_as(name))
      local ok, errors = one:getpeerverification()
      assert.is_false(ok)
      assert.equal(refusal[2], errors[1][1])
    end)
  end

  it("trusts nobody by itself", function()
    assert.equal("certificate verify failed", (tls.outcome(client { cafile = false }, server())))
  end)

  it("looks for revoked certificates when it is told to", function()
    assert.equal("ok", (tls.outcome(client { cafile = tls.file "trusted.pem" }, server_as "revoked")))
    local checking = client { cafile = tls.file "trusted.pem", verifyext = "crl_check" }
    assert.equal("certificate verify failed", (tls.outcome(checking, server_as "revoked")))
    assert.equal("ok", (tls.outcome(checking, server_as "server-rsa")))
    -- Without a list there is no telling.
    assert.equal("certificate verify failed", (tls.outcome(client { verifyext = "crl_check" }, server_as "server-rsa")))
  end)

  it("looks for revoked authorities only when it is told to", function()
    local function checking(...)
      return client { cafile = tls.file "half-trusted.pem", verifyext = { ... } }
    end
    assert.equal("ok", (tls.outcome(checking "crl_check", server())))
    assert.equal("certificate verify failed", (tls.outcome(checking("crl_check", "crl_check_chain"), server())))
  end)

  it("gives a fresh table of errors each time", function()
    local one = tls.pair(client { verifyext = "lsec_continue" }, server_as "stranger")
    local _, errors = one:getpeerverification()
    local _, again = one:getpeerverification()
    assert.same(errors, again)
    assert.is_false(rawequal(errors, again))
  end)
end)

describe("a server that verifies", function()
  local function verifying(changes)
    changes = changes or {}
    changes.verify = changes.verify or { "peer", "fail_if_no_peer_cert" }
    changes.cafile = tls.file "root.pem"
    return server(changes)
  end

  it("accepts a client of its authority's, and tells who it is", function()
    for _, version in ipairs { "tlsv1_2", "tlsv1_3" } do
      local _, other = tls.pair(client_as("client", { protocol = version }), verifying())
      assert.is_true(other:getpeerverification())
      local subject = other:getpeercertificate():subject()
      assert.equal("a client", subject[#subject].value)
      assert.equal(other:getpeercertificate():pem(), other:getpeerchain()[1]:pem())
    end
  end)

  it("refuses others", function()
    local _, err = tls.outcome(client_as "stranger", verifying())
    assert.equal("certificate verify failed", err)
    local client_error
    client_error, err = tls.outcome(client { protocol = "tlsv1_2" }, verifying())
    assert.equal("peer did not return a certificate", err)
    assert.equal("sslv3 alert handshake failure", client_error)
  end)

  it("refuses a client of TLS 1.3 after the client's handshake", function()
    local one, other = tls.ends(client { protocol = "tlsv1_3" }, verifying())
    local client_outcome, server_outcome = tls.shake_hands(one, other)
    assert.is_true(client_outcome.ok)
    assert.equal("peer did not return a certificate", server_outcome.error)
    assert.same({ n = 3, nil, "tlsv13 alert certificate required", "" }, peers.pack(one:receive()))
  end)

  it("that does not insist accepts a client without a certificate", function()
    local _, other = tls.pair(client(), verifying { verify = "peer" })
    assert.is_true(other:getpeerverification())
    assert.is_nil(other:getpeercertificate())
    assert.same({}, other:getpeerchain())
  end)

  it("checks a client's purpose, unless it is told to ignore it", function()
    local _, err = tls.outcome(client_as "client", verifying { verifyext = "lsec_ignore_purpose" })
    assert.equal("certificate verify failed", err) -- it is checked for a server's, and is a client's only
    assert.equal("ok", (tls.outcome(client_as "server", verifying { verifyext = "lsec_ignore_purpose" })))
  end)
end)

describe("a client that names its server", function()
  for _, case in ipairs {
    { "localhost", "server", true }, { "LOCALHOST", "server", true }, { "localhost.", "server", true },
    { "127.0.0.1", "server", true }, { "::1", "server", true },
    { "elsewhere.test", "elsewhere", true }, { "a.wild.test", "wild", true }, { "wild.test", "wild", true },
    { "192.0.2.1", "wild", true }, { "2001:db8::1", "wild", true },
    { "elsewhere.test", "server", false }, { "127.0.0.2", "server", false }, { "::2", "server", false },
    { "a.b.wild.test", "wild", false }, { "awild.test", "wild", false }, { "localhost.test", "server", false },
    { "127.0.0.1", "elsewhere", false }, { "partly.elsewhere.test", "elsewhere", false },
  } do
    local name, certificate, is_right = case[1], case[2], case[3]
    it(("and asked for %s %s %s"):format(name, is_right and "accepts" or "refuses", certificate), function()
      local outcome = tls.outcome(client { hostname = name }, server_as(certificate))
      assert.equal(is_right and "ok" or "certificate verify failed", outcome)
    end)
  end

  it("asks for it, but not by its address", function()
    local _, other = tls.pair(client { hostname = "localhost" })
    assert.equal("localhost", other:getsniname())
    _, other = tls.pair(client { hostname = "127.0.0.1" })
    assert.is_nil(other:getsniname())
  end)

  it("is no matter of a server's", function()
    local verifying = server { hostname = "elsewhere.test", verify = "peer", cafile = tls.file "root.pem" }
    local known = client { key = tls.file "client.key", certificate = tls.file "client.pem" }
    assert.same({ "ok", "ok" }, { tls.outcome(known, verifying) })
  end)

  it("tells a wrong name where it does not insist", function()
    local one = tls.pair(client { hostname = "elsewhere.test", verify = "none" })
    assert.same({ false, "hostname mismatch" }, { one:getpeerverification() })
    one = tls.pair(client { hostname = "127.0.0.2", verifyext = "lsec_continue" })
    assert.same({ false, { { "IP address mismatch" } } }, { one:getpeerverification() })
  end)

  it("finds it at openssl", function()
    local _, port = openssl.server("")
    local connection = assert(ssl.wrap(assert(socket.connect("127.0.0.1", port)), client { hostname = "localhost" }))
    assert.is_true(connection:dohandshake())
    connection:close()
  end)

  it("is no concern of a server's", function()
    assert.same({ "ok", "ok" }, { tls.outcome(client(), server { hostname = "elsewhere.test" }) })
  end)
end)

describe("our own certificates", function()
  it("are told: a server's own and what is behind it", function()
    local _, other = tls.pair()
    local names = {}
    for position, certificate in ipairs(other:getlocalchain()) do
      names[position] = certificate:pem()
    end
    assert.same({ tls.contents "server.pem" }, { table.concat(names) })
    assert.equal(names[1], other:getlocalcertificate():pem())
    assert.equal(names[1], other:getlocalcertificate(1):pem())
    assert.equal(names[2], other:getlocalcertificate(2):pem())
    assert.is_nil(other:getlocalcertificate(3))
    assert.same({ n = 2, nil, "invalid certificate index" }, peers.pack(other:getlocalcertificate(0)))
  end)

  it("are told: on a client, only what is behind its own", function()
    local one = tls.pair(client_as "server")
    assert.equal(tls.contents "server.pem", one:getlocalcertificate():pem() .. one:getlocalchain()[1]:pem())
    assert.equal(1, #one:getlocalchain())
    assert.is_nil(one:getlocalcertificate(2))
  end)

  it("may be none", function()
    local one = tls.pair()
    assert.is_nil(one:getlocalcertificate())
    assert.same({}, one:getlocalchain())
  end)
end)
