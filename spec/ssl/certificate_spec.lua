-- Certificates as objects. (Compared with LuaSec, method by method: differential_spec.lua.)

local peers = require "spec.support.peers"
local ssl = require "cosock.ssl"
local tls = require "spec.support.tls"

local function load_certificate(name)
  return assert(ssl.loadcertificate(tls.contents(name .. ".pem")))
end

-- What `openssl x509` prints of a certificate.
local function openssl(name, options)
  local pipe = assert(io.popen(("openssl x509 -in %s -noout %s"):format(tls.file(name .. ".pem"), options)))
  local output = pipe:read("*a"):gsub("\n$", "")
  pipe:close()
  return output
end

describe("a certificate", function()
  it("is the first in a text", function()
    local certificate = load_certificate "server"
    assert.is_truthy(tostring(certificate):find("^X509 certificate: "))
    assert.equal(tls.contents("server.pem"):match("^.-END CERTIFICATE%-%-%-%-%-\n"), certificate:pem())
  end)

  it("is nil where there is none", function()
    assert.is_nil(ssl.loadcertificate("no certificate"))
    assert.is_nil(ssl.loadcertificate(""))
    assert.is_nil(ssl.loadcertificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
  end)

  it("says what openssl says", function()
    for _, name in ipairs { "server", "server-rsa", "root", "wild" } do
      local certificate = load_certificate(name)
      assert.equal("serial=" .. certificate:serial(), openssl(name, "-serial"))
      assert.equal("notBefore=" .. certificate:notbefore(), openssl(name, "-startdate"))
      assert.equal("notAfter=" .. certificate:notafter(), openssl(name, "-enddate"))
      assert.equal(certificate:pubkey(), openssl(name, "-pubkey") .. "\n")
      for _, algorithm in ipairs { "sha1", "sha256", "sha512" } do
        assert.equal(certificate:digest(algorithm),
          (openssl(name, "-fingerprint -" .. algorithm):match("=(.*)$"):gsub(":", ""):lower()))
      end
    end
  end)

  it("names whom it is about, and who vouches for it", function()
    local certificate = load_certificate "client"
    assert.same({
      { oid = "2.5.4.6", name = "countryName", value = "XX" },
      { oid = "2.5.4.10", name = "organizationName", value = "Spëcs" },
      { oid = "2.5.4.3", name = "commonName", value = "a client" },
    }, certificate:subject())
    assert.equal("Specs' root", certificate:issuer()[3].value)
  end)

  it("tells its alternative names", function()
    assert.same({
      ["2.5.29.17"] = {
        name = "X509v3 Subject Alternative Name",
        dNSName = { "*.wild.test", "wild.test" },
        rfc822Name = { "someone@wild.test" },
        uniformResourceIdentifier = { "https://wild.test/" },
        iPAddress = { "192.0.2.1", "2001:db8::1" },
        ["1.2.3.4.5"] = { name = "1.2.3.4.5", "other" },
        ["1.2.3.4.6"] = { name = "1.2.3.4.6", "\5" },
        ["1.2.3.4.7"] = { name = "1.2.3.4.7", "octets" },
      },
    }, load_certificate("wild"):extensions())
    assert.same({}, load_certificate("root"):extensions())
    assert.same({
      ["2.5.29.17"] = {
        name = "X509v3 Subject Alternative Name",
        ["1.2.3.4.1"] = { name = "1.2.3.4.1" },
        ["1.2.3.4.2"] = { name = "1.2.3.4.2" },
        ["1.2.3.4.3"] = { name = "1.2.3.4.3" },
        ["1.2.3.4.4"] = { name = "1.2.3.4.4", "260101000000Z" },
      },
    }, load_certificate("values"):extensions())
  end)

  it("is valid from its first to its last second", function()
    local certificate = load_certificate "expired"
    local first, last = 1577836800, 1580515200 -- 2020-01-01 and 2020-02-01
    for time, is_valid in pairs { [first - 1] = false, [first] = true, [last] = true, [last + 1] = false } do
      assert.equal(is_valid, certificate:validat(time), time)
    end
  end)

  it("knows its key and its signature", function()
    local _, kind, bits = load_certificate("server"):pubkey()
    assert.same({ "EC", 256 }, { kind, bits })
    _, kind, bits = load_certificate("server-rsa"):pubkey()
    assert.same({ "RSA", 2048 }, { kind, bits })
    assert.equal("ecdsa-with-SHA256", load_certificate("server"):getsignaturename())
  end)

  it("refuses wrong arguments", function()
    local certificate = load_certificate "root"
    local function raises(expected, fn)
      assert.equal(expected, peers.raised(fn))
    end
    raises("bad argument #1 to 'validat' (number expected, got string)", function() certificate:validat("x") end)
    if math.type then
      raises("bad argument #1 to 'validat' (number has no integer representation)", function()
        certificate:validat(1.5)
      end)
    else
      assert.is_false(certificate:validat(1.5)) -- cut to 1: long before it became valid
    end
    raises("bad argument #1 to 'digest' (string expected, got table)", function() certificate:digest({}) end)
    raises("bad argument #1 to 'issued' (SSL:Certificate expected, got number)", function()
      certificate:issued(5)
    end)
    raises("bad argument #2 to 'issued' (SSL:Certificate expected, got table)", function()
      certificate:issued(certificate, {})
    end)
    raises("bad argument #1 to 'subject' (SSL:Certificate expected, got table)", function()
      certificate.subject({})
    end)
    assert.same({ n = 2, nil, "digest algorithm not supported (md5)" }, peers.pack(certificate:digest("md5")))
    assert.is_false(certificate:setencode("latin1"))
  end)

  it("outlives its connection", function()
    local one = tls.pair()
    local certificate = one:getpeercertificate()
    local chain = one:getpeerchain()
    one:close()
    one = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.equal(certificate:pem(), chain[1]:pem())
    assert.equal("Specs' intermediate", chain[2]:subject()[3].value)
  end)
end)
