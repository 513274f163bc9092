-- Bodies of replies: where they end, and what becomes of those that break off.

local http = require "cosock.socket.http"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local servers = require "spec.support.http"

local pack = peers.pack

local HEAD = "HTTP/1.1 200 OK\r\n"

describe("the body of a reply", function()
  local server

  setup(function()
    server = servers.server()
  end)

  teardown(function()
    server:stop()
    http.POOL:close()
  end)

  --- Asks for `bytes`: returns what `request` returned, and what the sink was called with.
  local function fetch(bytes, request)
    request = request or {}
    local calls = {}
    request.url = request.url or server:url("raw", bytes)
    request.sink = function(data, err)
      calls[#calls + 1] = data or { err or "end" }
      return 1
    end
    return pack(http.request(request)), calls
  end

  --- The body, if the sink was told of its end by nil and no error.
  local function body_of(bytes, request)
    local results, calls = fetch(bytes, request)
    assert.equal(1, results[1], results[2])
    assert.same({ "end" }, table.remove(calls))
    return table.concat(calls)
  end

  for place, it in peers.inside_and_outside(it) do
    describe(place, function()
      it("has the length that is told", function()
        assert.equal("abc", body_of(HEAD .. "Content-Length: 3\r\n\r\nabcd"))
      end)

      it("ends with the connection if nothing is told", function()
        assert.equal("abcd", body_of(HEAD .. "\r\nabcd"))
        assert.equal("", body_of(HEAD .. "\r\n"))
      end)

      it("ends with a reset as well, as with LuaSocket", function()
        assert.equal("abcd", body_of(nil, { url = server:url("reset", HEAD .. "\r\nabcd") }))
      end)

      it("comes in chunks", function()
        local chunks = "3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n"
        local results, calls = fetch(HEAD .. "Transfer-Encoding: chunked\r\n\r\n" .. chunks)
        assert.same({ "abc", "0123456789", { "end" } }, calls)
        assert.same({ ["transfer-encoding"] = "chunked" }, results[3])
      end)

      it("comes in chunks of any size", function()
        local body = ("0123456789abcdef"):rep(16384)
        local chunk = ("%x\r\n%s\r\n"):format(#body, body)
        assert.equal(body, body_of(HEAD .. "Transfer-Encoding: chunked\r\n\r\n" .. chunk .. "0\r\n\r\n"))
      end)

      it("may be all there is: a reply without a status line", function()
        local results, calls = fetch "hello world"
        assert.same({ n = 2, 1, 200 }, results)
        assert.same({ "hello", " world", { "end" } }, calls)
      end)

      it("is handed over as far as it came if it breaks off", function()
        local results, calls = fetch(HEAD .. "Content-Length: 10\r\n\r\nabc")
        assert.same({ n = 2, nil, "closed" }, results)
        assert.same({ "abc", { "closed" } }, calls)

        results, calls = fetch(HEAD .. "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\nde")
        assert.same({ n = 2, nil, "closed" }, results)
        assert.same({ "abc", "de", { "closed" } }, calls)
      end)

      it("is a third result of the form that returns it if it breaks off", function()
        assert.same({ n = 3, nil, "closed", "abc" },
          pack(http.request(server:url("raw", HEAD .. "Content-Length: 10\r\n\r\nabc"))))
        assert.same({ n = 2, nil, "closed" },
          pack(http.request(server:url("raw", HEAD .. "Content-Length: 10\r\n\r\n"))))
      end)
    end)
  end

  it("has the length that is told twice", function()
    assert.equal("abc", body_of(HEAD .. "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabcd"))
  end)

  it("ends with the connection if two lengths are told, or none that is a whole number", function()
    assert.equal("abcd", body_of(HEAD .. "Content-Length: 3\r\nContent-Length: 2\r\n\r\nabcd"))
    assert.equal("abcd", body_of(HEAD .. "Content-Length: three\r\n\r\nabcd"))
    assert.equal("abcd", body_of(HEAD .. "Content-Length: ,\r\n\r\nabcd"))
    assert.equal("abcd", body_of(HEAD .. "Content-Length: 2.5\r\n\r\nabcd"))
    assert.equal("abcd", body_of(HEAD .. "Content-Length: nan\r\n\r\nabcd"))
  end)

  it("is empty if its length is 0 or less", function()
    assert.equal("", body_of(HEAD .. "Content-Length: 0\r\n\r\nabcd"))
    assert.equal("", body_of(HEAD .. "Content-Length: -5\r\n\r\nabcd"))
  end)

  it("comes in chunks whatever the coding is called, but for identity", function()
    assert.equal("x", body_of(HEAD .. "Transfer-Encoding: gzip\r\n\r\n1\r\nx\r\n0\r\n\r\n"))
    assert.equal("xy", body_of(HEAD .. "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nxyz"))
  end)

  it("is none for HEAD, 204, 304 and what is no final reply: the sink is not called", function()
    local length = "Content-Length: 3\r\n\r\nabc"
    for _, case in ipairs {
      { HEAD .. length, "HEAD", 200 },
      { "HTTP/1.1 204 No Content\r\n" .. length, "GET", 204 },
      { "HTTP/1.1 304 Not Modified\r\n" .. length, "GET", 304 },
      { "HTTP/1.1 101 Switching\r\n" .. length, "GET", 101 },
    } do
      local results, calls = fetch(case[1], { method = case[2] })
      assert.same({ 1, case[3] }, { results[1], results[2] })
      assert.same({}, calls)
    end
  end)

  it("comes after any number of interim replies, up to the limit", function()
    local interim = "HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n"
    local final = HEAD .. "Content-Length: 2\r\n\r\nok"
    assert.equal("ok", body_of(interim:rep(http.LIMITS.interim_replies) .. final))
    local results = fetch(interim:rep(http.LIMITS.interim_replies + 1) .. final)
    assert.same({ n = 2, nil, "too many interim replies" }, results)
  end)

  for title, line in pairs {
    ["a version without a dot"] = "HTTP/2 200 OK",
    ["a code of two digits"] = "HTTP/1.1 20 OK",
    ["no code"] = "HTTP/1.1",
  } do
    it("does not come behind a status line with " .. title, function()
      local results, calls = fetch(line .. "\r\n\r\nbody")
      assert.same({ n = 2, nil, line }, results)
      assert.same({}, calls)
    end)
  end

  it("does not come if the reply is shorter than five bytes", function()
    assert.same({ n = 2, nil, "closed" }, (fetch "HTTP"))
    assert.same({ n = 2, nil, "closed" }, (fetch ""))
  end)

  it("is pumped by the step that is given", function()
    local steps = 0
    local body = body_of(HEAD .. "Content-Length: 3\r\n\r\nabc", {
      step = function(source, sink)
        steps = steps + 1
        return ltn12.pump.step(source, sink)
      end,
    })
    assert.equal("abc", body)
    assert.equal(2, steps)
  end)

  it("ends where the sink fails, with its error", function()
    local url = server:url("raw", HEAD .. "Content-Length: 3\r\n\r\nabc")
    assert.same({ n = 2, nil, "full" }, pack(http.request { url = url, sink = ltn12.sink.error "full" }))
  end)

  it("counts as received where the sink fails without an error", function()
    local url = server:url("keep", HEAD .. "Content-Length: 3\r\n\r\nabc")
    http.POOL:close()
    local ok, code = http.request { url = url, sink = function() end }
    assert.same({ 1, 200 }, { ok, code })
    assert.equal(0, http.POOL.count) -- the connection is of no use any more
  end)

  it("may be thrown away", function()
    local ok, code = http.request { url = server:url("zeros", 1000000) }
    assert.same({ 1, 200 }, { ok, code })
  end)

  it("is received without holding more of it than a block", function()
    local size, received, blocks, most = 64 * 2 ^ 20, 0, 0, 0
    collectgarbage()
    local before = collectgarbage "count"
    local ok = http.request {
      url = server:url("zeros", ("%d"):format(size)),
      sink = function(data)
        received, blocks = received + #(data or ""), blocks + 1
        if blocks % 100 == 0 then
          collectgarbage()
          most = math.max(most, collectgarbage "count" - before)
        end
        return 1
      end,
    }
    assert.equal(1, ok)
    assert.equal(size, received)
    assert.is_true(most < 256, ("%.0f KiB were held"):format(most))
  end)
end)
