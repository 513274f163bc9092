-- The same requests made with LuaSec's ssl.https and with ours, where that is installed: the same must come of it.
--
-- What we do otherwise on purpose is left out: docs/differences.md says what that is. Where it matters, the request
-- says itself what LuaSec has for its defaults.

local http = require "cosock.socket.http"
local https = require "cosock.ssl.https"
local oracle = require "spec.support.oracle"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local servers = require "spec.support.http"
local socket = require "cosock.socket"
local tls = require "spec.support.tls"

local pcall = require("cosock.coroutine").pcall -- functions may wait in it, on Lua 5.1 too

if not tls.luasec() then
  return
end
local theirs = require "ssl.https"

local pack, show = peers.pack, oracle.show
local unpack = table.unpack or unpack -- luacheck: ignore 143

describe("LuaSec's https and ours", function()
  local server

  setup(function()
    server = servers.secure_server(tls.folder(), "server", "stranger", "elsewhere")
  end)

  teardown(function()
    http.POOL:close()
    server:stop()
  end)

  after_each(function()
    https.cfg.verify = "peer"
    for _, module in ipairs { theirs, https } do
      module.TIMEOUT, module.PORT = 60, 443
    end
  end)

  local function url(...)
    return server:secure_url("server", ...)
  end

  --- What tells one connection, or one client, from another; and how long the text of a request is.
  local OWN = { ["x-connection"] = true, ["x-request"] = true, ["x-tls"] = true, ["content-length"] = true }

  --- What came of a request, in words.
  local function outcome(module, address, given)
    local calls = {}
    local results
    if type(given) == "table" then
      local request = {}
      for name, value in pairs(given) do
        request[name] = value
      end
      request.url = address
      request.sink = function(data, err)
        calls[#calls + 1] = data or ("<end %s>"):format(tostring(err))
        return 1
      end
      if given.body then
        local rest = { given.body, nil }
        request.body = nil
        request.source = function()
          return table.remove(rest, 1)
        end
      end
      results = pack(pcall(module.request, request))
    else
      results = pack(pcall(module.request, address, given))
    end
    if not results[1] then
      return "raises"
    end
    local parts = {}
    for index = 2, results.n do
      local value = results[index]
      if type(value) == "table" then
        local headers = {}
        for name, text in pairs(value) do
          headers[name] = not OWN[name] and text or nil
        end
        value = headers
      elseif type(value) == "string" then
        -- The lines of a request are in any order, and some tell who makes it; reasons of ours say more.
        value = value:gsub("^(%u+ [^\n]*\n).*", "%1"):gsub("^(certificate verify failed): .*", "%1")
      end
      parts[index - 1] = show(value)
    end
    local body = table.concat(calls):gsub("^(%u+ [^\n]*\n).*", "%1")
    return table.concat(parts, ", ") .. " -> " .. body
  end

  local function agree(...)
    local expected = outcome(theirs, ...)
    assert.equal(expected, outcome(https, ...))
    assert.equal(expected, run.task(outcome, https, ...))
    return expected
  end

  it("have the same fields, but for the defaults that can be set", function()
    for name, value in pairs(theirs) do
      assert.equal(type(value), type(https[name]), name)
    end
    assert.same({ theirs.PORT, theirs.TIMEOUT }, { https.PORT, https.TIMEOUT })
  end)

  it("give the same for a URL", function()
    for _, path in ipairs { { "echo" }, { "raw", servers.reply "12345" }, { "nothing", "a b" } } do
      local expected = agree(url(unpack(path)), { verify = "none" })
      assert.matches("^1, 200, ", expected)
    end
  end)

  it("give the same for a form, and for a body", function()
    https.cfg.verify = "none"
    agree(url "echo", "a=b")
    agree(url "echo")
    agree(url "echo", { verify = "none", method = "PUT", body = "text" })
    agree(url "echo", { verify = "none", method = "POST", body = "text", headers = { ["content-length"] = 4 } })
    agree(url "echo", { verify = "none", method = "HEAD" })
  end)

  it("follow the same redirects within https, and none out of it", function()
    for _, code in ipairs { 300, 301, 304, 307 } do
      agree(url("redirect", code, url "echo"), { verify = "none" })
    end
    agree(url("redirect", 302, url "echo"), { verify = "none", method = "POST" })
    agree(url("redirect", 302, url "echo"), { verify = "none", redirect = false })
    agree(url("redirect", 302, url "echo"), { verify = "none", maxredirects = 0 })
    assert.matches("^1, 302", agree(url("redirect", 302, server:url "echo"), { verify = "none" }))
    agree(url("redirect", 302, server:secure_url("elsewhere", "echo")), { verify = "none" })
  end)

  it("verify the same where they are asked to", function()
    local root, other = tls.file "root.pem", tls.file "other-root.pem"
    for _, name in ipairs { "server", "stranger" } do
      for _, cafile in ipairs { root, other } do
        agree(server:secure_url(name, "echo"), { verify = "peer", cafile = cafile })
        agree(server:secure_url(name, "echo"), { verify = "none", cafile = cafile })
        agree(server:secure_url(name, "echo"), { verify = "peer", cafile = cafile, verifyext = "lsec_continue" })
      end
    end
  end)

  it("take the same fields for TLS, and refuse the same", function()
    local key, certificate = tls.file "client.key", tls.file "client.pem"
    for _, fields in ipairs {
      { protocol = "sslv23" }, { protocol = "ssl" }, { protocol = false }, { options = {} }, { options = "no_such" },
      { ciphers = "NONE" }, { curve = "none" }, { curveslist = "P-256:P-384" }, { curveslist = "none" },
      { alpn = { "http/1.1" } }, { alpn = 5 }, { verify = "nobody" }, { mode = "server" },
      { key = key, certificate = certificate }, { key = key, certificate = tls.file "server.pem" },
      { key = tls.file "encrypted.key", certificate = tls.file "server.pem", password = "secret" },
      { key = tls.file "encrypted.key", certificate = tls.file "server.pem", password = "wrong" },
    } do
      fields.verify = fields.verify or "none"
      agree(url "echo", fields)
    end
  end)

  it("fail in the same way", function()
    local none = { verify = "none" }
    local open, whole = "HTTP/1.1 200 OK\r\n\r\n12345", servers.reply "12345"
    local refused = peers.refused_port(socket)
    agree(url("raw", open), none)
    agree(url("cut", whole), none)
    assert.matches('^nil, "unexpected eof while reading", nil, nil', agree(url("cut", "HTTP/1.1 200 OK\r\n"), none))
    agree(url("raw", "HTTP/1.1 200 OK\r\n"), none)
    agree(url("raw", "no reply"), none)
    assert.matches('^nil, "wrong version number", nil, nil', agree("https://127.0.0.1:" .. server.port .. "/", none))
    agree(("https://127.0.0.1:%d/"):format(refused), none)
    agree "nothing"
    agree ""
    agree "ftp://127.0.0.1/"
    agree(nil)
    agree(url "echo", { create = socket.tcp })
    theirs.TIMEOUT, https.TIMEOUT = 0.1, 0.1
    assert.matches('^nil, "wantread", nil, nil', agree(url "silent", none))
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    assert.matches('^nil, "wantread", nil, nil', agree(("https://127.0.0.1:%d/"):format(port), none))
    listener:close()
  end)

  it("go to the same place", function()
    theirs.PORT, https.PORT = server.ports.server, server.ports.server
    for _, path in ipairs { "s://localhost/echo", "://localhost/echo?a=b", "s://localhost/a%20b;c?d#e" } do
      local address = "http" .. path
      assert.matches("^1, 200", agree(address, { verify = "none" }))
    end
  end)

  it("make the same sockets", function()
    local function scenario(module)
      local sock = module.tcp { verify = "none" }()
      local lines = { tostring(sock.sock):match "^[^:]*", type(sock.settimeout), type(sock.connect) }
      local function note(...)
        lines[#lines + 1] = show { ... }
      end
      note(sock:settimeout(5))
      note(sock:connect("localhost", server.ports.server))
      note(sock:getsniname(), (sock:getpeerverification()))
      note(sock:settimeout(5), sock:dirty(), sock:want())
      note(sock:send "GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n")
      note(sock:receive())
      note((sock:receive "*a"):match "^[%w-]*: %d+\r\n")
      sock:close()
      note(sock:getfd())
      return lines
    end
    local expected = scenario(theirs)
    assert.same(expected, scenario(https))
    assert.same(expected, run.task(scenario, https))
  end)
end)
