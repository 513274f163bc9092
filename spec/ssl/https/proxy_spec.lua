-- Requests through a proxy, which is asked by CONNECT for a tunnel.

local descriptors = require "spec.support.descriptors"
local http = require "cosock.socket.http"
local https = require "cosock.ssl.https"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local servers = require "spec.support.http"
local socket = require "cosock.socket"
local tls = require "spec.support.tls"

describe("https through a proxy", function()
  local server, proxies

  setup(function()
    server = servers.secure_server(tls.folder(), "server", "elsewhere")
    proxies = servers.tunnels()
    https.cfg.cafile = tls.file "root.pem"
  end)

  teardown(function()
    https.cfg.cafile = nil
    http.POOL:close()
    server:stop()
    proxies:stop()
  end)

  before_each(function()
    http.POOL:close()
    proxies.asked()
    server:log()
  end)

  after_each(function()
    http.PROXY, https.TIMEOUT = nil, 60
  end)

  local function url(...)
    return server:secure_url("server", ...)
  end

  local function with_user(proxy, userinfo)
    return (proxy:gsub("//", "//" .. userinfo:gsub("%%", "%%%%") .. "@"))
  end

  --- Makes a request: returns the body and the code, or nil and the error.
  local function request(given, module)
    local parts = {}
    given.sink = ltn12.sink.table(parts)
    local ok, code, headers = (module or https).request(given)
    return ok and table.concat(parts), code, headers
  end

  for place, it in peers.inside_and_outside(it) do
    describe(place, function()
      it("asks for a tunnel, and for the rest the server", function()
        for _, module in ipairs { http, https } do
          local body, code, headers = request({ url = url "echo", proxy = proxies.open }, module)
          assert.equal(200, code)
          assert.matches("^GET /echo HTTP/1.1\n", body)
          assert.equal("localhost:" .. server.ports.server, servers.header(body, "Host"))
          assert.is_nil(servers.header(body, "Proxy-Authorization"))
          assert.matches("name=localhost ", headers["x-tls"], 1, true)
        end
        local asked = proxies.asked()
        assert.matches("^CONNECT localhost:" .. server.ports.server .. " HTTP/1.1\n", asked)
        assert.equal("localhost:" .. server.ports.server, servers.header(asked, "Host"))
        assert.matches("LuaSocket", servers.header(asked, "User-Agent"), 1, true)
        -- Both went through the same.
        assert.is_nil(asked:find("---", 1, true))
      end)

      it("fails as the proxy does", function()
        for name, expected in pairs {
          refusing = "proxy: refused with HTTP/1.1 403 Forbidden",
          private = "proxy: refused with HTTP/1.1 407 Proxy Authentication Required",
          garbage = "proxy: its reply is not one of HTTP",
          garbled = "proxy: its reply is not one of HTTP",
          closing = "proxy: closed",
          cutting = "proxy: closed",
          dripping = "proxy: too many response headers",
          early = "wrong version number",
        } do
          local former = http.LIMITS.header_count
          http.LIMITS.header_count = 5
          assert.same({ n = 4, nil, expected, nil, nil },
            peers.pack(https.request { url = url "echo", proxy = proxies[name] }))
          http.LIMITS.header_count = former
        end
        assert.same({}, server:log())
      end)

      it("has no longer than it has", function()
        https.TIMEOUT = 0.05
        assert.same({ nil, "timeout" }, { request { url = url "echo", proxy = proxies.silent } })
        https.TIMEOUT = 60
        for _, name in ipairs { "silent", "dripping" } do
          local started = socket.gettime()
          assert.same({ nil, "timeout" }, { request { url = url "echo", proxy = proxies[name], deadline = 0.1 } })
          assert.is_true(socket.gettime() - started < 5)
        end
      end)
    end)
  end

  it("tells the proxy who asks, and nobody else", function()
    for _, user in ipairs { "ann:open%20sesame", "%61nn:open%20sesame" } do
      local body, code = request { url = url "echo", proxy = with_user(proxies.private, user) }
      assert.equal(200, code)
      assert.is_nil(body:find("Authorization", 1, true))
      http.POOL:close()
    end
    assert.same({ nil, "proxy: refused with HTTP/1.1 407 Proxy Authentication Required" },
      { request { url = url "echo", proxy = with_user(proxies.private, "ann:wrong") } })
    -- A header of the request's own is for the proxy, too.
    local body, code = request {
      url = url "echo", proxy = proxies.private,
      headers = { ["Proxy-Authorization"] = "Basic YW5uOm9wZW4gc2VzYW1l", Authorization = "for the server" },
    }
    assert.equal(200, code)
    assert.equal("for the server", servers.header(body, "Authorization"))
    assert.is_nil(servers.header(body, "Proxy-Authorization"))
    assert.is_nil(proxies.asked():find("for the server", 1, true))
  end)

  it("waits while the proxy goes on", function()
    assert.equal(200, (select(2, request { url = url "echo", proxy = proxies.hesitant })))
    local former = http.LIMITS.interim_replies
    http.LIMITS.interim_replies = 1
    http.POOL:close()
    assert.same({ nil, "proxy: too many interim replies" },
      { request { url = url "echo", proxy = proxies.hesitant } })
    http.LIMITS.interim_replies = former
  end)

  it("verifies the server and not the proxy", function()
    local _, err = request { url = server:secure_url("elsewhere", "echo"), proxy = proxies.open }
    assert.matches("certificate verify failed: hostname mismatch, expected 'localhost'", err, 1, true)
    assert.equal(200, (select(2, request {
      url = server:secure_url("elsewhere", "echo"), proxy = proxies.open, hostname = "elsewhere.test",
    })))
  end)

  it("goes where it always goes, if that is set, unless a request says otherwise", function()
    http.PROXY = proxies.open
    assert.equal(200, (select(2, https.request(url "echo"))))
    assert.matches("^CONNECT ", proxies.asked())
    assert.equal(200, (select(2, request { url = url "echo", proxy = false })))
    assert.equal("", proxies.asked())
  end)

  it("may lead to an address", function()
    local address = "https://127.0.0.1:" .. server.ports.server
    assert.equal(200, (select(2, request { url = address .. "/echo", proxy = proxies.open })))
    assert.matches("^CONNECT 127.0.0.1:", proxies.asked())
    assert.same({ nil, "proxy: refused with HTTP/1.1 502 Bad Gateway" },
      { request { url = "https://[::1]:1/echo", proxy = proxies.open } })
    assert.matches("^CONNECT %[::1%]:1 HTTP/1.1\n", proxies.asked())
  end)

  it("is used for redirects, too", function()
    assert.equal(200, (select(2, request { url = url("redirect", 302, "/echo"), proxy = proxies.open })))
    http.POOL:close()
    proxies.asked()
    local first = server:secure_url("elsewhere", "redirect", 302, url "echo")
    assert.equal(200, (select(2, request { url = first, proxy = proxies.open, hostname = "elsewhere.test" })))
    local _, count = proxies.asked():gsub("CONNECT ", "")
    assert.equal(2, count)
  end)

  it("shares connections only with requests that take the same way", function()
    local function connection(given)
      given.url = url "echo"
      local _, code, headers = request(given)
      assert.equal(200, code)
      return headers["x-connection"]
    end
    local direct = connection {}
    local first = connection { proxy = proxies.open }
    assert.not_equal(direct, first)
    assert.equal(first, connection { proxy = proxies.open })
    assert.equal(direct, connection {})
    local other = connection { proxy = proxies.hesitant }
    assert.not_equal(first, other)
    local named = connection { proxy = with_user(proxies.open, "ann:x") }
    assert.not_equal(first, named)
    assert.not_equal(named, connection { proxy = with_user(proxies.open, "bob:x") })
    assert.not_equal(first, connection { proxy = proxies.open, verify = "none" })
    assert.equal(first, connection { proxy = proxies.open })
  end)

  it("is no way for what does TLS by itself, nor by a proxy that is reached with TLS", function()
    assert.same({ nil, "proxy not supported for https" },
      { http.request { url = url "echo", proxy = proxies.open, create = socket.tcp } })
    assert.same({ nil, "proxy with https not supported for https" },
      { request { url = url "echo", proxy = "https://localhost:1" } })
    local ok, err = pcall(https.request, { url = url "echo", proxy = "localhost" })
    assert.is_false(ok)
    assert.matches("the proxy's URL 'localhost' has no scheme", err, 1, true)
    assert.equal(200, (select(2, request({ url = url "echo", proxy = proxies.open, create = https.tcp() }, http))))
  end)

  it("may be reached with TLS by requests for http, and has to prove who it is", function()
    local proxy = "https://localhost:" .. server.ports.server
    local body = request({ url = "http://no.such.host.invalid/echo", proxy = proxy }, http)
    assert.matches("^GET http://no.such.host.invalid:80/echo HTTP", body)
    local _, err = request({
      url = "http://no.such.host.invalid/echo", proxy = "https://localhost:" .. server.ports.elsewhere,
    }, http)
    assert.matches("hostname mismatch, expected 'localhost'", err, 1, true)
  end)

  it("is not asked for more than one host", function()
    assert.same({ nil, "invalid host: CR, LF and NUL are not allowed" },
      { request { host = "a\r\nX-A: b", path = "/", proxy = proxies.open } })
    local _, err = request {
      url = url "echo", proxy = proxies.open, headers = { ["proxy-authorization"] = "a\r\nX-A: b" },
    }
    assert.matches("CR, LF and NUL are not allowed", err, 1, true)
    assert.equal("", proxies.asked())
  end)

  it("may not be there", function()
    assert.same({ nil, "connection refused" },
      { request { url = url "echo", proxy = "http://127.0.0.1:" .. peers.refused_port(socket) } })
    local refused = peers.refused_port(socket)
    assert.same({ nil, "proxy: refused with HTTP/1.1 502 Bad Gateway" },
      { request { url = ("https://127.0.0.1:%d/"):format(refused), proxy = proxies.open } })
  end)

  it("leaves no descriptor behind", function()
    local before = descriptors.settled()
    for _, name in ipairs { "refusing", "garbage", "closing", "cutting", "early", "open" } do
      https.request { url = url "echo", proxy = proxies[name] }
    end
    https.request { url = url "echo", proxy = proxies.silent, deadline = 0.02 }
    http.POOL:close()
    collectgarbage()
    collectgarbage()
    assert.equal(before, descriptors.count())
  end)
end)
