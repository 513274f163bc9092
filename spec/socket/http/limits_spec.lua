-- What a server may make a request cost.

local http = require "cosock.socket.http"
local peers = require "spec.support.peers"
local servers = require "spec.support.http"

local pack = peers.pack

local OK = "HTTP/1.1 200 OK\r\n"

describe("a limit", function()
  local server
  local defaults = {}

  setup(function()
    server = servers.server()
    for name, value in pairs(http.LIMITS) do
      defaults[name] = value
    end
  end)

  teardown(function()
    server:stop()
    http.POOL:close()
  end)

  after_each(function()
    for name, value in pairs(defaults) do
      http.LIMITS[name] = value
    end
  end)

  local function fails(message, ...)
    local results = pack(http.request(server:url(...)))
    assert.same({ nil, message }, { results[1], results[2] })
    return results[3]
  end

  for place, it in peers.inside_and_outside(it) do
    describe(place, function()
      it("ends a status line that never ends", function()
        fails("status line too long", "endless", "HTTP/1.1 200 ", "x")
      end)

      it("ends a header that never ends", function()
        fails("response headers too long", "endless", OK .. "x: ", "y")
      end)

      it("ends a header line without a colon that never ends", function()
        fails("response headers too long", "endless", OK, "y")
      end)

      it("ends headers that never end", function()
        fails("too many response headers", "endless", OK, "x: y\r\n")
      end)

      it("ends a header that goes on for ever on new lines", function()
        fails("too many response headers", "endless", OK .. "x: y\r\n", " z\r\n")
      end)

      it("ends interim replies that never end", function()
        fails("too many interim replies", "endless", "", "HTTP/1.1 100 Continue\r\n\r\n")
      end)

      it("ends the line with a chunk's size that never ends", function()
        fails("chunk size line too long", "endless", OK .. "Transfer-Encoding: chunked\r\n\r\n", "1")
        fails("chunk size line too long", "endless", OK .. "Transfer-Encoding: chunked\r\n\r\n1;x=", "y")
      end)

      it("ends headers behind a chunked body that never end", function()
        local head = OK .. "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n"
        assert.equal("ab", fails("too many response headers", "endless", head, "x: y\r\n"))
        assert.equal("ab", fails("response headers too long", "endless", head .. "x: ", "y"))
      end)

      it("ends what follows a chunk and is no line end", function()
        assert.equal("ab", fails("chunk too long", "endless", OK .. "Transfer-Encoding: chunked\r\n\r\n2\r\nab", "y"))
      end)

      it("ends redirects that never end", function()
        server:log()
        local body, code = http.request(server:url "loop")
        assert.same({ "elsewhere", 302 }, { body, code })
        assert.equal(http.LIMITS.redirects + 1, #server:log())
      end)
    end)
  end

  it("may be set for the status line", function()
    local line = "HTTP/1.1 200 " .. ("x"):rep(100)
    http.LIMITS.status_line = #line + 1 -- with the carriage return
    assert.equal("", (http.request(server:url("raw", line .. "\r\n\r\n"))))
    http.LIMITS.status_line = #line - 1
    fails("status line too long", "raw", line .. "\r\n\r\n")
  end)

  it("may be set for the number of headers", function()
    local bytes = OK .. ("a: b\r\n"):rep(10) .. "\r\n"
    http.LIMITS.header_count = 11
    assert.equal("", (http.request(server:url("raw", bytes))))
    http.LIMITS.header_count = 9
    fails("too many response headers", "raw", bytes)
  end)

  it("may be set for the bytes of headers", function()
    local bytes = OK .. ("a: b\r\n"):rep(10) .. "\r\n"
    http.LIMITS.header_bytes = 62
    assert.equal("", (http.request(server:url("raw", bytes))))
    http.LIMITS.header_bytes = 50
    fails("response headers too long", "raw", bytes)
  end)

  it("may be set for the size line of chunks", function()
    local bytes = OK .. "Transfer-Encoding: chunked\r\n\r\n2;" .. ("x"):rep(100) .. "\r\nab\r\n0\r\n\r\n"
    http.LIMITS.chunk_line = 103
    assert.equal("ab", (http.request(server:url("raw", bytes))))
    http.LIMITS.chunk_line = 101
    fails("chunk size line too long", "raw", bytes)
  end)

  it("may be set for a body that is returned as a string", function()
    http.LIMITS.body_bytes = 5
    assert.equal("12345", (http.request(server:url("keep", servers.reply "12345"))))
    fails("body too long", "keep", servers.reply "123456")
    fails("body too long", "endless", OK .. "\r\n", "x")
  end)

  it("may be set for redirects", function()
    http.LIMITS.redirects = 0
    local body, code = http.request(server:url("redirect", 302, "/echo"))
    assert.same({ "elsewhere", 302 }, { body, code })
  end)

  for title, size in pairs {
    ["no digits"] = "zz",
    ["nothing"] = "",
    ["a sign"] = "-3",
    ["a prefix"] = "0x3",
    ["something behind it"] = "3 4",
    ["more digits than a number has"] = ("f"):rep(16),
  } do
    it("of what is understood ends a body whose chunk has a size with " .. title, function()
      local bytes = OK .. "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n" .. size .. "\r\nabc\r\n0\r\n\r\n"
      assert.equal("ab", fails("invalid chunk size", "raw", bytes))
    end)
  end

  it("of nothing is needed for a chunk that claims to be huge: it comes in pieces", function()
    local received, most = 0, 0
    local ok, err = http.request {
      url = server:url("endless", OK .. "Transfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n", "x"),
      sink = function(data)
        received = received + #data
        most = math.max(most, #data)
        if received > 10000000 then
          return nil, "enough"
        end
        return 1
      end,
    }
    assert.same({ nil, "enough" }, { ok, err })
    assert.is_true(most <= 65536)
  end)

  it("is not needed against text that is slow to look through", function()
    local space = (" "):rep(60000)
    local started = os.clock()
    http.request(server:url("raw", OK .. "Content-Length: 5," .. space .. "x\r\n\r\n"))
    http.request(server:url("raw", OK .. "Connection: ," .. space .. "close" .. space .. "x\r\n\r\n"))
    http.request(server:url("redirect", 302, "/x" .. space .. "y"))
    http.request(server:url("redirect", 302, ("/.."):rep(20000)))
    assert.is_true(os.clock() - started < 2)
  end)
end)
