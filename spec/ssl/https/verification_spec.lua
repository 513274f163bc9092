-- Whom a request trusts, and what it says of those whom it does not.

local http = require "cosock.socket.http"
local https = require "cosock.ssl.https"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local servers = require "spec.support.http"
local tls = require "spec.support.tls"

describe("https", function()
  local server

  setup(function()
    server = servers.secure_server(tls.folder(),
      "server?", "expired?", "early?", "self-signed?", "stranger?", "elsewhere?", "wild?", "client?", "revoked?")
  end)

  teardown(function()
    http.POOL:close()
    server:stop()
    process.stop_all()
  end)

  local function url(name, host)
    return (server:secure_url(name, "echo"):gsub("localhost", host or "localhost"))
  end

  --- Makes a request that trusts the specs' root. Returns the code, or the error.
  local function request(name, given, host)
    given = given or {}
    given.url = url(name, host)
    given.cafile = given.cafile or tls.file "root.pem"
    local _, code = https.request(given)
    return code
  end

  local function failed(check)
    return ("certificate verify failed: %s (the field 'verify' asks for this check)"):format(check)
  end

  for name, check in pairs {
    expired = "certificate has expired",
    early = "certificate is not yet valid",
    ["self-signed"] = "self-signed certificate",
    stranger = "unable to get local issuer certificate",
    elsewhere = "hostname mismatch, expected 'localhost'",
    client = "unsuitable certificate purpose",
  } do
    it("refuses a server whose certificate is of the kind: " .. name, function()
      assert.equal(failed(check), request(name))
      assert.equal(failed(check), (select(2, http.request { url = url(name), cafile = tls.file "root.pem" })))
      -- Only "none" switches it off: nothing else that might be meant so.
      for _, verify in ipairs { {}, "peer", "client_once", "fail_if_no_peer_cert", { "peer" }, { "none", "peer" } } do
        assert.equal(failed(check), request(name, { verify = verify }))
      end
      assert.equal(failed(check), request(name, { verify = false }))
    end)

    it("does not, if it is not to verify: " .. name, function()
      assert.equal(200, request(name, { verify = "none" }))
      assert.equal(200, request(name, { verify = { "none" } }))
      assert.equal(200, (select(2, http.request { url = url(name), verify = "none" })))
      -- It was for this request only.
      assert.equal(failed(check), request(name))
    end)

    it("may be told to go on in spite of it, as LuaSec may: " .. name, function()
      assert.equal(200, request(name, { verifyext = "lsec_continue" }))
    end)
  end

  it("accepts the right one, by its name and by its address", function()
    assert.equal(200, request "server")
    assert.equal(200, request("server", nil, "127.0.0.1"))
    assert.equal(200, request("server", nil, "LocalHost"))
  end)

  it("refuses an address that the certificate does not name", function()
    assert.equal(failed "IP address mismatch, expected '127.0.0.1'", request("elsewhere", nil, "127.0.0.1"))
    assert.equal(failed "IP address mismatch, expected '::2'", request("server", { hostname = "::2" }))
  end)

  it("expects the host that the request names in place of the URL's", function()
    assert.equal(200, request("elsewhere", { hostname = "elsewhere.test" }))
    assert.equal(200, request("wild", { hostname = "any.wild.test" }))
    assert.equal(failed "hostname mismatch, expected 'a.b.wild.test'", request("wild", { hostname = "a.b.wild.test" }))
    assert.equal(failed "IP address mismatch, expected '192.0.2.2'", request("wild", { hostname = "192.0.2.2" }))
    assert.equal(200, request("wild", { hostname = "192.0.2.1" }))
  end)

  it("asks for a server by name, not by address", function()
    for host, name in pairs { localhost = "localhost", ["127.0.0.1"] = "none" } do
      local _, _, headers = https.request { url = url("server", host), cafile = tls.file "root.pem" }
      assert.matches("name=" .. name .. " ", headers["x-tls"], 1, true)
    end
  end)

  it("finds what is revoked when it is told to look", function()
    assert.equal(200, request("revoked", { cafile = tls.file "trusted.pem" }))
    assert.equal(failed "certificate revoked",
      request("revoked", { cafile = tls.file "trusted.pem", verifyext = "crl_check" }))
  end)

  it("trusts those in a folder", function()
    local function with_folder()
      return (select(2, https.request { url = url "server", capath = tls.folder() .. "/ca" }))
    end
    assert.equal(200, with_folder())
    local _, err = https.request { url = url "server", capath = "/no/such/folder" }
    assert.equal(failed "unable to get local issuer certificate", err)
  end)

  it("trusts those whom the system trusts, and nobody else", function()
    assert.same({ n = 4, nil, failed "unable to get local issuer certificate", nil, nil },
      peers.pack(https.request(url "server")))
  end)

  for _, place in ipairs { "SSL_CERT_FILE", "SSL_CERT_DIR" } do
    it("trusts those whom " .. place .. " names", function()
      local function outcomes(path)
        local child = process.script_with(place .. "=" .. path, [[
          local http, https = require "cosock.socket.http", require "cosock.ssl.https"
          for index, name in ipairs(arg) do
            print((select(2, (index % 2 == 0 and http or https).request(name))))
          end]], url "server", url "server", url "stranger")
        return (child:finish():gsub("\n$", ""))
      end
      local root, other = tls.file "root.pem", tls.file "other-root.pem"
      local unknown = failed "unable to get local issuer certificate"
      if place == "SSL_CERT_DIR" then
        assert.equal("200\n200\n200", outcomes(tls.folder() .. "/ca"))
      else
        assert.equal("200\n200\n" .. unknown, outcomes(root))
        assert.equal(unknown .. "\n" .. unknown .. "\n200", outcomes(other))
      end
      assert.equal(unknown, outcomes("/no/such/place"):match "^[^\n]*")
    end)
  end

  describe("has defaults", function()
    local former = {}

    before_each(function()
      for field, value in pairs(https.cfg) do
        former[field] = value
      end
    end)

    after_each(function()
      for field in pairs(https.cfg) do
        https.cfg[field] = nil
      end
      for field, value in pairs(former) do
        https.cfg[field] = value
      end
    end)

    local function code_of(name, given)
      given = given or {}
      given.url = url(name)
      return (select(2, https.request(given)))
    end

    it("that a program may change", function()
      https.cfg.cafile = tls.file "root.pem"
      assert.equal(200, code_of "server")
      assert.equal(failed "hostname mismatch, expected 'localhost'", code_of "elsewhere")
      https.cfg.verify = "none"
      assert.equal(200, code_of "elsewhere")
      assert.equal(failed "hostname mismatch, expected 'localhost'", code_of("elsewhere", { verify = "peer" }))
      https.cfg.verify = "peer"
      assert.equal(failed "hostname mismatch, expected 'localhost'", code_of "elsewhere")
      https.cfg.key, https.cfg.certificate = tls.file "encrypted.key", tls.file "server.pem"
      https.cfg.password = "secret"
      local _, _, headers = https.request(url "server")
      assert.matches("client=localhost$", headers["x-tls"])
    end)

    it("that are safe even if there are none", function()
      for field in pairs(https.cfg) do
        https.cfg[field] = nil
      end
      assert.equal(failed "unable to get local issuer certificate", code_of "server")
      assert.equal(200, code_of("server", { cafile = tls.file "root.pem" }))
    end)
  end)

  it("takes note when a file has changed", function()
    local path = tls.new_file "trusted.pem"
    local function code_with(name)
      local file = assert(io.open(path, "wb"))
      file:write(tls.contents(name))
      file:close()
      http.POOL:close()
      return (select(2, https.request { url = url "server", cafile = path }))
    end
    assert.equal(200, code_with "root.pem")
    assert.equal(failed "unable to get local issuer certificate", code_with "other-root.pem")
    assert.equal(200, code_with "root.pem")
    os.remove(path)
    http.POOL:close()
    assert.equal("error loading CA locations (No such file or directory)",
      (select(2, https.request { url = url "server", cafile = path })))
  end)

  it("does not take a program's later changes of a table for what was asked", function()
    local verify = { "none" }
    local given = { url = url "expired", verify = verify, cafile = tls.file "root.pem" }
    assert.equal(200, (select(2, https.request(given))))
    verify[1] = "peer"
    assert.equal(failed "certificate has expired", (select(2, https.request(given))))
    verify[1] = "none"
    assert.equal(200, (select(2, https.request(given))))
  end)
end)
