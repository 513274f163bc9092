-- Redirects between http and https, and from host to host.

local http = require "cosock.socket.http"
local https = require "cosock.ssl.https"
local ltn12 = require "cosock.ltn12"
local servers = require "spec.support.http"
local tls = require "spec.support.tls"
local url = require "cosock.socket.url"

local header = servers.header

describe("a redirect", function()
  local server

  setup(function()
    server = servers.secure_server(tls.folder(), "server?", "server-rsa?", "elsewhere?", "expired?")
  end)

  before_each(function()
    http.POOL:close()
    server:log()
  end)

  teardown(function()
    http.POOL:close()
    server:stop()
  end)

  --- Makes a request: returns its code or the error, the body, the headers, and the requests that the server has got.
  local function request(given, module)
    local parts = {}
    given.sink = ltn12.sink.table(parts)
    given.cafile = given.cafile or tls.file "root.pem"
    local _, code, headers = (module or https).request(given)
    return code, table.concat(parts), headers, server:log()
  end

  local function redirect(name, target)
    return server:secure_url(name, "redirect", 302, target)
  end

  local function secure(name, ...)
    return server:secure_url(name, ...)
  end

  it("from https to https is followed, to the same host and to another", function()
    for _, target in ipairs { "/echo", secure("server", "echo"), secure("server-rsa", "echo") } do
      local code, body, headers, log = request { url = redirect("server", target) }
      assert.same({ 200, target, 2 }, { code, headers.location, #log })
      assert.matches("^GET /echo", body)
    end
  end)

  it("from http to https is followed, by http and to a server that is verified", function()
    local first = server:url("redirect", 302, secure("server", "echo"))
    assert.equal(200, (request({ url = first }, http)))
    first = server:url("redirect", 302, secure("elsewhere", "echo"))
    local code = request({ url = first }, http)
    assert.matches("certificate verify failed: hostname mismatch", code, 1, true)
    assert.equal(200, (request({ url = first, verify = "none" }, http)))
  end)

  it("from https to http is not followed: the program gets the reply, and may do what it likes", function()
    for _, module in ipairs { http, https } do
      local code, body, headers, log = request({ url = redirect("server", server:url "echo") }, module)
      assert.same({ 302, "elsewhere", server:url "echo", 1 }, { code, body, headers.location, #log })
    end
    -- Nor by a detour.
    local code, _, headers = request { url = redirect("server", redirect("server-rsa", server:url "echo")) }
    assert.same({ 302, server:url "echo" }, { code, headers.location })
    -- Nor where the scheme was not said.
    local first = redirect("server", server:url "echo"):gsub("^https", "http")
    code = request { url = first }
    assert.equal(302, code)
  end)

  it("of a request that says http to https stays there", function()
    local first = redirect("server", "/echo"):gsub("^https", "http")
    local code, body, headers = request { url = first }
    assert.same({ 200, "GET /echo HTTP/1.1" }, { code, body:match "^[^\n]*" })
    assert.matches("name=localhost", headers["x-tls"], 1, true)
  end)

  it("may be switched off, and may be asked for, which LuaSec does not know", function()
    assert.equal(302, (request { url = redirect("server", "/echo"), redirect = false }))
    assert.equal(200, (request { url = redirect("server", "/echo"), redirect = true }))
    assert.equal(302, (request { url = redirect("server", "/echo"), maxredirects = 0 }))
  end)

  it("is verified no less than the first request", function()
    for name, check in pairs { elsewhere = "hostname mismatch", expired = "certificate has expired" } do
      local code, _, _, log = request { url = redirect("server", secure(name, "echo")) }
      assert.matches("certificate verify failed: " .. check, code, 1, true)
      assert.equal(1, #log)
    end
    -- Not even by what the second request would trust without the first one's fields.
    local code = request { url = redirect("server", secure("server-rsa", "echo")), verifyext = "crl_check" }
    assert.matches("certificate verify failed: unable to get certificate CRL", code, 1, true)
    code = request { url = redirect("server-rsa", secure("server", "echo")), depth = 0 }
    assert.matches("certificate verify failed", code, 1, true)
    -- And no more.
    code = request { url = redirect("elsewhere", secure("expired", "echo")), verify = "none" }
    assert.equal(200, code)
  end)

  it("to another host is not for the name that was expected of the first", function()
    local first = redirect("elsewhere", "/echo")
    assert.equal(200, (request { url = first, hostname = "elsewhere.test" }))
    first = redirect("elsewhere", secure("server", "echo"))
    assert.equal(200, (request { url = first, hostname = "elsewhere.test" }))
    first = redirect("elsewhere", secure("expired", "echo"))
    assert.matches("certificate has expired", (request { url = first, hostname = "elsewhere.test" }), 1, true)
  end)

  it("takes sockets that know the client's key along to the same host only", function()
    for target, is_told in pairs {
      ["/echo"] = true,
      [secure("server", "echo")] = true,
      [secure("server-rsa", "echo")] = false,
      [secure("server", "echo"):gsub("localhost", "127.0.0.1")] = false,
    } do
      local create = https.tcp {
        key = tls.file "client.key", certificate = tls.file "client.pem", cafile = tls.file "root.pem",
      }
      local parts = url.parse(redirect("server", target))
      for _, given in ipairs {
        { scheme = "https", host = parts.host, port = parts.port, uri = parts.path, create = create },
        { url = redirect("server", target), create = create },
      } do
        http.POOL:close()
        local code, _, headers = request(given, http)
        assert.equal(200, code)
        assert.equal(is_told and "a client" or "none", headers["x-tls"]:match "client=(.*)")
      end
    end
  end)

  it("takes the client's key along to the same host only", function()
    local function client_at(target, fields)
      fields.url = redirect("server", target)
      local code, _, headers = request(fields)
      assert.equal(200, code)
      return headers["x-tls"]:match "client=(.*)"
    end
    local encrypted = { key = tls.file "encrypted.key", certificate = tls.file "server.pem", password = "secret" }
    for target, is_told in pairs {
      ["/echo"] = true,
      [secure("server", "echo")] = true,
      [secure("server-rsa", "echo")] = false,
      [secure("server", "echo"):gsub("localhost", "127.0.0.1")] = false,
    } do
      local pair = { key = tls.file "client.key", certificate = tls.file "client.pem" }
      local told = is_told and "a client" or "none"
      assert.equal(told, client_at(target, { key = pair.key, certificate = pair.certificate }))
      assert.equal(told, client_at(target, { certificates = { pair } }))
      http.POOL:close()
      assert.equal(is_told and "localhost" or "none", client_at(target, {
        key = encrypted.key, certificate = encrypted.certificate, password = encrypted.password,
      }))
    end
  end)

  it("asks no less than what a request has asked by its create", function()
    local root, trusted = tls.file "root.pem", tls.file "trusted.pem"
    local function code_of(first, params)
      local parts = {}
      local given = { url = first, create = https.tcp(params), sink = ltn12.sink.table(parts) }
      return (select(2, http.request(given)))
    end
    assert.equal(200, code_of(redirect("server-rsa", "/echo"), { cafile = root }))
    assert.equal(200, code_of(redirect("server-rsa", "/echo"), { cafile = trusted, verifyext = "crl_check" }))
    assert.matches("unable to get certificate CRL",
      code_of(redirect("server-rsa", secure("server", "echo")), { cafile = trusted, verifyext = "crl_check" }))
    assert.matches("hostname mismatch", code_of(redirect("server", secure("elsewhere", "echo")), { cafile = root }))
    assert.equal(302, code_of(redirect("server", server:url "echo"), { cafile = root }))
    -- Nor is it less where the URL says nothing of TLS.
    local plain = redirect("server", server:url "echo"):gsub("^https", "http")
    assert.equal(302, code_of(plain, { cafile = root }))
  end)

  it("takes headers that are secret along to the same host only", function()
    for target, is_told in pairs { ["/echo"] = true, [secure("server-rsa", "echo")] = false } do
      local _, body = request {
        url = redirect("server", target), headers = { Authorization = "secret", cookie = "secret", ["x-a"] = "b" },
      }
      assert.equal(is_told and "secret" or nil, header(body, "Authorization"))
      assert.equal(is_told and "secret" or nil, header(body, "Cookie"))
      assert.equal("b", header(body, "x-a"))
    end
  end)

  it("does not tell the password of a key to the server", function()
    local _, body = request {
      url = redirect("server", "/echo"):gsub("//", "//ann:x@"),
      key = tls.file "encrypted.key", certificate = tls.file "server.pem", password = "secret",
    }
    assert.equal("Basic YW5uOng=", header(body, "Authorization"))
  end)
end)
