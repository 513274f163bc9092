-- require "cosock.socket.http": both forms of request, and what is sent.

local cosock = require "cosock"
local http = require "cosock.socket.http"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local servers = require "spec.support.http"
local socket = require "cosock.socket"

local header, pack, raised = servers.header, peers.pack, peers.raised

describe("cosock.socket.http", function()
  local server

  setup(function()
    server = servers.server()
  end)

  teardown(function()
    server:stop()
    http.POOL:close()
  end)

  --- What the server says that it was sent.
  local function sent(request)
    local parts = {}
    request.sink = ltn12.sink.table(parts)
    request.url = request.url or server:url("echo")
    local ok, code = http.request(request)
    assert.same({ 1, 200 }, { ok, code })
    return table.concat(parts)
  end

  it("is what socket.http holds, with LuaSocket's fields", function()
    assert.equal(http, socket.http)
    assert.equal(60, http.TIMEOUT)
    assert.equal(socket._VERSION, http.USERAGENT)
    assert.is_nil(http.PROXY)
    assert.equal(80, http.schemes.http.port)
    assert.equal(443, http.schemes.https.port)
    for _, name in ipairs { "request", "open", "genericform" } do
      assert.is_function(http[name])
    end
    assert.is_function(socket.sourcet["http-chunked"])
    assert.is_function(socket.sinkt["http-chunked"])
  end)

  for place, it in peers.inside_and_outside(it) do
    describe("request " .. place, function()
      it("returns body, code, headers and status line for a URL", function()
        local body, code, headers, status = http.request(server:url("keep", servers.reply("hello", "X-Name: value")))
        assert.equal("hello", body)
        assert.equal(200, code)
        assert.same({ ["content-length"] = "5", ["x-name"] = "value" }, headers)
        assert.equal("HTTP/1.1 200 OK", status)
      end)

      it("returns 1 for a table, whose sink gets the body", function()
        local parts = {}
        local results = pack(http.request {
          url = server:url("keep", servers.reply "hello"),
          sink = ltn12.sink.table(parts),
        })
        assert.same({ n = 4, 1, 200, { ["content-length"] = "5" }, "HTTP/1.1 200 OK" }, results)
        assert.equal("hello", table.concat(parts))
      end)

      it("posts a form", function()
        local text = http.request(server:url("echo"), "a=b&c=d")
        assert.matches("^POST /echo HTTP/1.1\n", text)
        assert.equal("application/x-www-form-urlencoded", header(text, "Content-Type"))
        assert.equal("7", header(text, "Content-Length"))
        assert.matches("\n\na=b&c=d$", text)
      end)

      it("says why it failed", function()
        local url = ("http://127.0.0.1:%d/"):format(peers.refused_port(socket))
        assert.same({ n = 2, nil, "connection refused" }, pack(http.request(url)))
        assert.same({ n = 2, nil, "connection refused" }, pack(http.request { url = url }))
      end)
    end)
  end

  describe("what is sent", function()
    it("is a GET with the usual headers by default", function()
      local text = sent {}
      assert.matches("^GET /echo HTTP/1.1\n", text)
      assert.equal("127.0.0.1:" .. server.port, header(text, "Host"))
      assert.equal(http.USERAGENT, header(text, "User-Agent"))
      assert.equal("keep-alive, TE", header(text, "Connection"))
      assert.equal("trailers", header(text, "TE"))
      local _, lines = text:gsub("\n", "")
      assert.equal(6, lines)
    end)

    it("is the method as it is given", function()
      assert.matches("^purge /echo ", sent { method = "purge" })
      assert.matches("^GET /echo ", sent { method = "" })
    end)

    it("is the whole of what follows the host", function()
      local url = server:url "echo"
      assert.matches("^GET /echo;p%?q=1#f HTTP", sent { url = url .. ";p?q=1#f" })
    end)

    it("is what the fields say that are parts of the URL", function()
      local text = sent { url = "http://nowhere:1/x?y", host = "127.0.0.1", port = server.port, path = "/echo/1" }
      assert.matches("^GET /echo/1%?y HTTP", text)
      text = sent { url = nil, scheme = "http", host = "127.0.0.1", port = tostring(server.port), path = "/echo" }
      assert.matches("^GET /echo HTTP", text)
    end)

    it("is the field uri in place of the URL's", function()
      assert.matches("^OPTIONS %* HTTP", sent { method = "OPTIONS", uri = "*" })
    end)

    it("holds the request's headers in place of the usual ones, whatever their capitals", function()
      local text = sent { headers = { HOST = "elsewhere", ["x-Number"] = 5, ["user-agent"] = "me", etag = "e" } }
      assert.equal("elsewhere", header(text, "Host"))
      assert.equal("5", header(text, "x-number"))
      assert.equal("me", header(text, "User-Agent"))
      assert.equal("e", header(text, "ETag"))
      assert.equal("trailers", header(text, "TE"))
    end)

    it("holds no user agent when there is none to name", function()
      local agent = http.USERAGENT
      http.USERAGENT = nil
      local ok, text = pcall(sent, {})
      http.USERAGENT = agent
      assert.is_true(ok, text)
      assert.is_nil(header(text, "User-Agent"))
      assert.equal(agent, header(sent {}, "User-Agent"))
    end)

    it("holds user and password, in the URL or as fields", function()
      local with_both = ("http://ann:a%%20b@127.0.0.1:%d/echo"):format(server.port)
      assert.equal("Basic YW5uOmEgYg==", header(sent { url = with_both }, "Authorization"))
      assert.equal("Basic YW5uOmEgYg==", header(sent { user = "ann", password = "a%20b" }, "Authorization"))
      assert.equal("Basic YW5uOg==", header(sent { user = "ann", password = "" }, "Authorization"))
      assert.is_nil(header(sent { user = "ann" }, "Authorization"))
    end)

    it("names an IPv6 host in brackets", function()
      local text
      http.request {
        url = "http://[::1]:81/x",
        create = function()
          return {
            settimeout = function() return 1 end,
            connect = function(_, host, port)
              assert.same({ "::1", "81" }, { host, port })
              return 1
            end,
            send = function(_, data)
              text = data
              return nil, "enough"
            end,
            close = function() end,
          }
        end,
      }
      assert.matches("\nHost: %[::1%]:81\r\n", text)
    end)
  end)

  describe("genericform", function()
    it("gives the table for a URL", function()
      local request = http.genericform("http://host/")
      assert.equal("http://host/", request.url)
      assert.is_nil(request.method)
      assert.equal(1, request.sink "piece")
      assert.same({ "piece" }, request.target)
    end)

    it("gives the table for a form", function()
      local request = http.genericform("http://host/", "body")
      assert.equal("POST", request.method)
      assert.same({ ["content-length"] = 4, ["content-type"] = "application/x-www-form-urlencoded" }, request.headers)
      assert.equal("body", request.source())
    end)

    it("gives what request takes", function()
      local request = http.genericform(server:url "echo", "body")
      local ok, code = http.request(request)
      assert.same({ 1, 200 }, { ok, code })
      assert.matches("\n\nbody$", table.concat(request.target))
    end)
  end)

  it("leaves the caller's tables alone", function()
    local headers = { ["X-Name"] = "value" }
    local given = { url = server:url("redirect", 302, "/echo"), headers = headers, proxy = false }
    local create = function()
      return socket.tcp()
    end
    given.create = create
    assert.equal(1, (http.request(given)))
    local expected = { url = server:url("redirect", 302, "/echo"), headers = headers, proxy = false, create = create }
    assert.same(expected, given)
    assert.same({ ["X-Name"] = "value" }, headers)
  end)

  describe("asks for what cannot be", function()
    it("and gets nil and the reason for a host or path that is none", function()
      assert.same({ n = 2, nil, "invalid host 'nil'" }, pack(http.request "http:///path"))
      assert.same({ n = 2, nil, "invalid host 'nil'" }, pack(http.request "name-without-scheme"))
      assert.same({ n = 2, nil, "invalid path 'nil'" }, pack(http.request { scheme = "http", host = "127.0.0.1" }))
      assert.same({ n = 2, nil, "invalid host ''" }, pack(http.request { url = "http://x/", host = "" }))
    end)

    it("and gets an error raised for what no server could answer", function()
      local wrong = {
        { "unknown scheme 'ftp'", "ftp://host/" },
        { "unknown scheme 'HTTP'", "HTTP://host/" },
        { "the request has neither a URL nor a scheme", "" },
        { "the request has neither a URL nor a scheme", {} },
        { "bad argument #1 to 'request' (string or table expected, got nil)", nil },
        { "bad argument #1 to 'request' (string or table expected, got number)", 5 },
        { "bad argument #2 to 'request' (string expected, got table)", "http://host/", {} },
        { "bad argument #1 to 'request' (field 'url': string expected, got number)", { url = 5 } },
        { "bad argument #1 to 'request' (field 'sink': function expected, got table)",
          { url = "http://h", sink = {} } },
        { "bad argument #1 to 'request' (field 'headers': table expected, got string)",
          { url = "http://h", headers = "x" } },
        { "bad argument #1 to 'request' (header 'x': string expected, got boolean)",
          { url = "http://h", headers = { x = true } } },
        { "bad argument #1 to 'request' (header '1': string expected, got number)",
          { url = "http://h", headers = { "x: y" } } },
        { "bad argument #1 to 'request' (field 'deadline': number expected, got string)",
          { url = "http://h", deadline = "soon" } },
        { "the proxy's URL 'host' has no scheme", { url = "http://h", proxy = "host" } },
      }
      for _, case in ipairs(wrong) do
        assert.equal(case[1], raised(function()
          http.request(case[2], case[3])
        end))
      end
    end)

    it("and is blamed for it at its own line", function()
      local _, message = pcall(http.request, { url = 5 })
      assert.matches("^bad argument", message)
      local line = debug.getinfo(1, "l").currentline + 1
      _, message = pcall(function() http.request { url = 5 } end)
      assert.matches("^[^:]*http_spec.lua:" .. line .. ": bad argument", message)
    end)

    it("and is told that https is not there, if it is not", function()
      if pcall(require, "cosock.ssl.https") then
        return
      end
      assert.matches("^https needs the module cosock.ssl.https", raised(function()
        http.request "https://127.0.0.1/"
      end))
    end)
  end)

  describe("create", function()
    it("makes the socket, which is used for one request and closed", function()
      local made = {}
      local function create(...)
        assert.equal(0, select("#", ...))
        made[#made + 1] = socket.tcp()
        return made[#made]
      end
      for _ = 1, 2 do
        local text = sent { create = create }
        assert.equal("close, TE", header(text, "Connection"))
      end
      assert.equal(2, #made)
      assert.equal(-1, made[1]:getfd())
      assert.equal(-1, made[2]:getfd())
    end)

    it("may fail", function()
      assert.same({ n = 2, nil, "no more sockets" }, pack(http.request {
        url = "http://127.0.0.1/",
        create = function()
          return nil, "no more sockets"
        end,
      }))
    end)

    it("is looked up in socket when there is none", function()
      local original, calls = socket.tcp, 0
      socket.tcp = function()
        calls = calls + 1
        return original()
      end
      local ok, text = pcall(sent, {})
      socket.tcp = original
      assert.is_true(ok, text)
      assert.equal(1, calls)
    end)
  end)

  it("closes the connection when a source or a sink raises", function()
    for _, field in ipairs { "sink", "source" } do
      local made
      local request = {
        url = server:url "echo",
        create = function()
          made = socket.tcp()
          return made
        end,
      }
      request[field] = function()
        error({ field }, 0)
      end
      local ok, err = pcall(http.request, request)
      assert.is_false(ok)
      assert.same({ field }, err)
      assert.equal(-1, made:getfd())
    end
  end)

  it("works in a coroutine of cosock.coroutine inside a task", function()
    local body
    cosock.reset()
    cosock.spawn(function()
      local inner = cosock.coroutine.wrap(function()
        local text, err = http.request(server:url("keep", servers.reply "inner"))
        coroutine.yield(text or err)
      end)
      body = inner()
    end)
    cosock.run()
    assert.equal("inner", body)
  end)
end)
