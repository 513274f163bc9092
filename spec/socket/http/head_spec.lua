-- Heads of messages: the headers of replies, and what may not stand in a request.

local http = require "cosock.socket.http"
local peers = require "spec.support.peers"
local servers = require "spec.support.http"

local pack = peers.pack

describe("the head of", function()
  local server

  setup(function()
    server = servers.server()
  end)

  teardown(function()
    server:stop()
    http.POOL:close()
  end)

  local function headers_of(lines)
    local _, code, headers = http.request(server:url("raw", "HTTP/1.1 200 OK\r\n" .. lines .. "\r\n\r\n"))
    assert.equal(200, code)
    return headers
  end

  describe("a reply", function()
    it("has its names in lower case", function()
      assert.same({ ["x-name"] = "Value" }, headers_of "X-NAME: Value")
    end)

    it("joins what comes twice", function()
      assert.same({ a = "1, 2, 3", b = "x" }, headers_of "a: 1\r\nb: x\r\nA: 2\r\na: 3")
    end)

    it("goes on where a line begins with white space", function()
      assert.same({ a = "1\t2  3", b = "" }, headers_of "a: 1\r\n\t2\r\n  3\r\nb:")
    end)

    it("takes what LuaSocket takes: a name of any kind, a line end without CR", function()
      assert.same({ [""] = "x", ["a b "] = "y", [" c"] = "z" }, headers_of " c: z\n: x\na b : y")
    end)

    it("is an error without a colon", function()
      assert.same({ n = 2, nil, "malformed response headers" },
        pack(http.request(server:url("raw", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"))))
    end)

    for title, bytes in pairs {
      ["the status line"] = "HTTP/1.1 200 OK",
      ["a header"] = "HTTP/1.1 200 OK\r\na: b",
      ["the headers"] = "HTTP/1.1 200 OK\r\na: b\r\n",
    } do
      it("is an error when it breaks off in " .. title, function()
        assert.same({ n = 2, nil, "closed" }, pack(http.request(server:url("raw", bytes))))
      end)
    end
  end)

  describe("a request is refused, and nothing is sent,", function()
    local REFUSED = {
      { "in the host", "host", { host = "a\r\nb" } },
      { "in the port", "host", { port = "80\nx" } },
      { "in the path", "path", { path = "/\r\nx: y" } },
      { "in the query", "path", { path = "/", query = "\n" } },
      { "in the field uri", "path", { uri = "*\0" } },
      { "in the URL", "path", { url = "http://127.0.0.1/a b\r" } },
      { "in the method", "method", { method = "GET\r\n" } },
      { "in the name of a header", "name of a header", { headers = { ["a\nb"] = "c" } } },
      { "in a header", "header 'x-a'", { headers = { ["X-A"] = "b\r\nx-c: d" } } },
      { "in a header, alone", "header 'x-a'", { headers = { ["x-a"] = "b\rc" } } },
      { "in a header, as NUL", "header 'x-a'", { headers = { ["x-a"] = "b\0c" } } },
      { "in the host of the proxy", "proxy", { proxy = "http://a\nb:1" } },
    }
    for _, case in ipairs(REFUSED) do
      it("that has a line end " .. case[1], function()
        local request = { url = server:url "echo" }
        for name, value in pairs(case[3]) do
          request[name] = value
        end
        server:log()
        local message = ("invalid %s: CR, LF and NUL are not allowed"):format(case[2])
        assert.same({ n = 2, nil, message }, pack(http.request(request)))
        assert.same({}, server:log())
      end)
    end

    it("that has a line end in the user agent", function()
      local agent = http.USERAGENT
      http.USERAGENT = "me\r\nx: y"
      local _, err = http.request(server:url "echo")
      http.USERAGENT = agent
      assert.matches("^invalid header 'user%-agent': ", err)
    end)

    it("that a redirect makes of a location with a NUL", function()
      local _, err = http.request(server:url("redirect", 302, "/a\0b"))
      assert.matches("^invalid path: ", err)
    end)
  end)
end)
