-- Redirects: which are followed, and what the next request takes along.

local http = require "cosock.socket.http"
local ltn12 = require "cosock.ltn12"
local servers = require "spec.support.http"
local socket = require "cosock.socket"

local header = servers.header

describe("a redirect", function()
  local server

  setup(function()
    server = servers.server()
  end)

  before_each(function()
    server:log()
  end)

  teardown(function()
    server:stop()
    http.POOL:close()
  end)

  --- Makes a request: returns its code, the body, the headers, and the requests that the server has got.
  local function request(given)
    local parts = {}
    given.sink = given.sink or ltn12.sink.table(parts)
    local ok, code, headers = http.request(given)
    assert.equal(1, ok, code)
    return code, table.concat(parts), headers, server:log()
  end

  for _, code in ipairs { 301, 302, 303, 307, 308 } do
    it("with " .. code .. " is followed", function()
      local final, body, headers, log = request { url = server:url("redirect", code, "/echo") }
      assert.equal(200, final)
      assert.matches("^GET /echo HTTP", body)
      assert.equal("/echo", headers.location)
      assert.equal(2, #log)
    end)
  end

  local function is_not_followed(given, code)
    local final, body, _, log = request(given)
    assert.same({ code or 302, "elsewhere", 1 }, { final, body, #log })
  end

  it("with another code is not followed", function()
    for _, code in ipairs { 300, 305, 306 } do
      is_not_followed({ url = server:url("redirect", code, "/echo") }, code)
    end
    request { url = server:url("redirect", 201, "/echo") }
  end)

  it("to nowhere is not followed", function()
    is_not_followed { url = server:url("redirect", 302, "") }
    is_not_followed { url = server:url("redirect", 302, "  \t ") }
    is_not_followed { url = server:url("redirect", 302, "ftp://127.0.0.1/") }
    is_not_followed { url = server:url("redirect", 302, "HTTP://127.0.0.1/") }
  end)

  it("is not followed when the request says so", function()
    is_not_followed { url = server:url("redirect", 302, "/echo"), redirect = false }
    is_not_followed { url = server:url("redirect", 302, "/echo"), maxredirects = 0 }
  end)

  it("of a request that changes something is not followed", function()
    for _, code in ipairs { 302, 307, 308 } do
      is_not_followed({ url = server:url("redirect", code, "/echo"), method = "POST" }, code)
      is_not_followed({
        url = server:url("redirect", code, "/echo"), method = "PUT", headers = { ["content-length"] = 0 },
        source = ltn12.source.empty(),
      }, code)
    end
  end)

  it("of a HEAD becomes a GET, as with LuaSocket", function()
    local _, body = request { url = server:url("redirect", 302, "/echo"), method = "HEAD" }
    assert.matches("^GET /echo", body)
  end)

  it("is followed as often as the request allows", function()
    local _, _, _, log = request { url = server:url "loop", maxredirects = 2 }
    assert.equal(3, #log)
    _, _, _, log = request { url = server:url "loop" }
    assert.equal(6, #log)
    local location, count = "/echo", 8
    for _ = 1, count do
      location = "/redirect/302/" .. require("cosock.socket.url").escape(location)
    end
    local code
    code, _, _, log = request { url = ("http://127.0.0.1:%d%s"):format(server.port, location), maxredirects = false }
    assert.same({ 200, count + 1 }, { code, #log })
  end)

  it("may be relative", function()
    local _, body = request { url = server:url("redirect", 302, "../../echo?q=1") }
    assert.matches("^GET /echo%?q=1 HTTP", body)
    _, body = request { url = server:url("redirect", 302, "../../echo") }
    assert.matches("^GET /echo HTTP", body)
    _, body = request { url = server:url("redirect", 302, ("//127.0.0.1:%d/echo"):format(server.port)) }
    assert.matches("^GET /echo HTTP", body)
    _, body = request { url = server:url("redirect", 302, "  /echo  ") }
    assert.matches("^GET /echo HTTP", body)
  end)

  it("may be relative to what fields of the request say", function()
    local _, body = request { scheme = "http", host = "127.0.0.1", port = server.port, path = "/redirect/302/%2fecho" }
    assert.matches("^GET /echo HTTP", body)
    _, body = request { url = "http://127.0.0.1/redirect/302/%2fecho", port = server.port }
    assert.matches("^GET /echo HTTP", body)
  end)

  it("keeps headers, sink and proxy; step, method, user and password it does not", function()
    local steps = 0
    local _, body, _, log = request {
      url = server:url("redirect", 302, "/echo"),
      headers = { ["x-name"] = "value", authorization = "secret", host = "own" },
      user = "ann",
      password = "x",
      step = function(...)
        steps = steps + 1
        return ltn12.pump.step(...)
      end,
    }
    assert.equal("value", header(body, "x-name"))
    assert.equal("own", header(body, "Host"))
    assert.equal("secret", header(body, "Authorization"))
    assert.equal(2, #log)
    assert.equal(0, steps)
    _, body = request { url = server:url("redirect", 302, "/echo"), user = "ann", password = "x" }
    assert.is_nil(header(body, "Authorization"))
  end)

  it("keeps user and password that stand in the URL, for the same host", function()
    local url = server:url("redirect", 302, "/echo"):gsub("//", "//ann:x@", 1)
    local _, body = request { url = url }
    assert.equal("Basic YW5uOng=", header(body, "Authorization"))
    url = server:url("redirect", 302, server:url "echo"):gsub("//", "//ann:x@", 1)
    _, body = request { url = url }
    assert.is_nil(header(body, "Authorization"))
  end)

  it("takes nothing along to another host that was meant for the first only", function()
    local other = servers.server()
    for _, target in ipairs { other:url "echo", ("http://localhost:%d/echo"):format(server.port) } do
      local _, body = request {
        url = server:url("redirect", 302, target),
        headers = { ["x-name"] = "value", Authorization = "secret", COOKIE = "secret", Host = "own" },
      }
      assert.matches("^GET /echo", body)
      assert.equal("value", header(body, "x-name"))
      assert.is_nil(body:find("secret", 1, true))
      assert.equal(target:match "//(.-)/", header(body, "Host"))
    end
    other:stop()
  end)

  it("uses the request's own create only if the request names the scheme, as with LuaSocket", function()
    local made
    local function create()
      made = made + 1
      return socket.tcp()
    end
    made = 0
    request { url = server:url("redirect", 302, "/echo"), create = create }
    assert.equal(1, made)
    made = 0
    request { url = server:url("redirect", 302, "/echo"), create = create, scheme = "http" }
    assert.equal(2, made)
  end)

  it("tells where it led, unless the last reply says something of its own", function()
    local location = "/raw/" .. require("cosock.socket.url").escape(servers.reply("x", "Location: /own"))
    local _, _, headers = request { url = server:url("redirect", 302, location) }
    assert.equal("/own", headers.location)
    local _, _, old = request { url = server:url("redirect", 302, "/raw/without%20a%20head") }
    assert.same({ location = "/raw/without%20a%20head" }, old)
  end)

  it("may fail", function()
    local refused = require("spec.support.peers").refused_port(socket)
    assert.same({ nil, "connection refused" },
      { http.request(server:url("redirect", 302, ("http://127.0.0.1:%d/"):format(refused))) })
  end)

  describe("with TLS", function()
    local original = http.schemes.https
    local seen

    --- Stands in for TLS: plain connections, and what the requests said about it.
    before_each(function()
      seen = {}
      http.schemes.https = {
        port = 443,
        create = function(asked)
          seen[#seen + 1] = { verify = asked.verify, cafile = asked.cafile }
          return socket.tcp
        end,
      }
      http.POOL:close()
    end)

    after_each(function()
      http.schemes.https = original
      http.POOL:close()
    end)

    local function secure(...)
      return (server:url(...):gsub("^http:", "https:"))
    end

    it("keeps what the request says about it", function()
      local code = request { url = secure("redirect", 302, "/echo"), verify = "peer", cafile = "x" }
      assert.equal(200, code)
      http.POOL:close()
      code = request { url = server:url("redirect", 302, secure "echo"), verify = "peer", cafile = "x" }
      assert.equal(200, code)
      local parameters = { verify = "peer", cafile = "x" }
      assert.same({ parameters, parameters, parameters }, seen)
    end)

    it("does not lead to a connection without", function()
      is_not_followed { url = secure("redirect", 302, server:url "echo") }
    end)

    it("shares connections between requests only that say the same about it", function()
      local function connection(parameters)
        parameters.url = secure "echo"
        local _, _, headers = request(parameters)
        return headers["x-connection"]
      end
      local first = connection { verify = { "peer", "fail" } }
      assert.equal(first, connection { verify = { "peer", "fail" } })
      assert.not_equal(first, connection { verify = { "peer" } })
      assert.not_equal(first, connection { verify = "none" })
      assert.not_equal(first, connection {})
      assert.equal(first, connection { verify = { "peer", "fail" } })
    end)

    it("goes through no proxy", function()
      local results = { http.request { url = secure "echo", proxy = "http://127.0.0.1:1" } }
      assert.same({ nil, "proxy not supported for https" }, results)
    end)
  end)
end)
