-- Connections that are kept for later requests.

local cosock = require "cosock"
local http = require "cosock.socket.http"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local servers = require "spec.support.http"
local socket = require "cosock.socket"

local reply = servers.reply

describe("the pool", function()
  local server
  local pool = http.POOL
  local defaults = { per_host = pool.per_host, total = pool.total, idle = pool.idle }

  setup(function()
    server = servers.server()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    pool:close()
  end)

  after_each(function()
    http.POOL = pool
    for name, value in pairs(defaults) do
      pool[name] = value
    end
    pool:close()
  end)

  --- Makes a request: returns which connection it came on, and how many requests that had.
  local function get(url, request)
    request = request or {}
    request.url = url or server:url "echo"
    local ok, code, headers = http.request(request)
    assert.equal(1, ok, code)
    return tonumber(headers["x-connection"]), tonumber(headers["x-request"])
  end

  --- How many connections `fn` opens.
  local function opened(fn)
    local before = server:connections()
    fn()
    return server:connections() - before
  end

  for place, it in peers.inside_and_outside(it) do
    describe(place, function()
      it("gives a connection to one request after the other", function()
        local first = get()
        for number = 2, 5 do
          assert.same({ first, number }, { get() })
        end
        assert.equal(1, pool.count)
      end)

      it("gives a new one when the server has closed the one that waited", function()
        local url = server:url("raw", reply "x")
        assert.equal(3, opened(function()
          for _ = 1, 3 do
            assert.equal("x", (http.request(url)))
          end
        end))
      end)

      it("gives a new one when the server closes instead of answering", function()
        local url = server:url("drop", reply "x")
        assert.equal(2, opened(function()
          assert.equal("x", (http.request(url)))
          assert.equal("x", (http.request(url))) -- which meets the end of the first connection
        end))
        assert.equal(1, pool.count)
      end)

      it("gives a new one when the server has said more than it was asked", function()
        local url = server:url("keep", reply "x" .. "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        assert.equal("x", (http.request(url)))
        assert.equal("x", (http.request(url)))
      end)
    end)
  end

  it("gives nothing after the time that a connection may wait", function()
    local first = get()
    pool.idle = 0
    assert.is_true(get() > first)
    assert.equal(1, pool.count)
  end)

  it("closes those that have waited too long when another comes", function()
    local one, other = servers.server(), servers.server()
    http.request(one:url "echo")
    local waiting = pool.oldest.c
    pool.idle = 0
    http.request(other:url "echo")
    assert.equal(-1, waiting:getfd())
    assert.equal(1, pool.count)
    one:stop()
    other:stop()
  end)

  it("keeps as many for one host as it may", function()
    pool.per_host = 3
    for _ = 1, 2 do
      for _ = 1, 5 do
        cosock.spawn(get)
      end
      cosock.run()
      assert.equal(3, pool.count)
    end
  end)

  it("keeps as many in all as it may, the latest", function()
    pool.total = 2
    local others = { servers.server(), servers.server(), servers.server() }
    local sockets = {}
    for index, other in ipairs(others) do
      http.request(other:url "echo")
      sockets[index] = pool.newest.c
    end
    assert.equal(2, pool.count)
    assert.equal(-1, sockets[1]:getfd())
    assert.is_true(sockets[2]:getfd() >= 0)
    assert.is_true(sockets[3]:getfd() >= 0)
    for _, other in ipairs(others) do
      other:stop()
    end
  end)

  for _, field in ipairs { "per_host", "total" } do
    it("keeps none if it may keep none: " .. field, function()
      pool[field] = 0
      local first = get()
      assert.equal(first + 1, (get()))
      assert.equal(0, pool.count)
    end)
  end

  it("may be switched off: the server is told", function()
    http.POOL = false
    local text = http.request(server:url "echo")
    assert.equal("close, TE", servers.header(text, "Connection"))
    assert.equal(0, pool.count)
  end)

  it("closes all that wait", function()
    get()
    local waiting = pool.oldest.c
    pool:close()
    assert.equal(0, pool.count)
    assert.equal(-1, waiting:getfd())
    get()
    assert.equal(1, pool.count)
  end)

  it("never gives one connection to two requests at a time", function()
    get()
    local connections = {}
    for index = 1, 20 do
      cosock.spawn(function()
        connections[index] = get()
      end)
    end
    cosock.run()
    table.sort(connections)
    for index = 2, #connections do
      assert.is_true(connections[index] > connections[index - 1])
    end
    assert.equal(20, pool.count)
  end)

  describe("is not used", function()
    local function is_not_kept(url, request)
      pool:close()
      get(url, request)
      assert.equal(0, pool.count)
    end

    it("for a reply that says close, or is of HTTP/1.0", function()
      is_not_kept(server:url("keep", reply("x", "Connection: close")))
      is_not_kept(server:url("keep", reply("x", "Connection: foo, CLOSE")))
      is_not_kept(server:url("keep", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx"))
      get(server:url("keep", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx"))
      assert.equal(1, pool.count)
    end)

    it("for a reply whose end may be taken for another place", function()
      is_not_kept(server:url("raw", "HTTP/1.1 200 OK\r\n\r\nx"))
      is_not_kept(server:url("keep", "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\nx"))
      is_not_kept(server:url("keep", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx"))
      is_not_kept(server:url("keep", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n"))
      is_not_kept(server:url("keep", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n"))
      is_not_kept(server:url("keep",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
      is_not_kept(server:url("keep", "HTTP/1.1 101 Switching\r\n\r\n"))
    end)

    it("for a request that says close", function()
      is_not_kept(nil, { headers = { Connection = "close" } })
    end)

    it("for a request whose body is not as long as it says", function()
      for _, length in ipairs { 2, 4 } do
        is_not_kept(server:url("drop", reply "x"), {
          method = "POST",
          headers = { ["content-length"] = length },
          source = ltn12.source.string "abc",
        })
      end
    end)

    it("for a request that fails", function()
      pool:close()
      http.request(server:url("raw", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx"))
      http.request { url = server:url("keep", reply "x"), sink = ltn12.sink.error "full" }
      assert.equal(0, pool.count)
    end)

    it("to send what cannot be repeated", function()
      local first = get()
      for _, request in ipairs {
        { method = "POST" },
        { method = "PATCH" },
        { method = "PUT", source = ltn12.source.string "x" },
      } do
        local connection, number = get(nil, request)
        assert.is_true(connection > first)
        assert.equal(1, number)
        first = math.max(first, connection)
      end
      for _, method in ipairs { "HEAD", "PUT", "DELETE", "OPTIONS" } do
        local _, number = get(nil, { method = method })
        assert.is_true(number > 1)
      end
    end)

    it("for connections of different makes", function()
      get()
      local original = socket.tcp
      socket.tcp = function()
        return original()
      end
      local _, number = get()
      socket.tcp = original
      assert.equal(1, number)
    end)
  end)

  it("is used after replies without a body, and after chunks", function()
    pool:close()
    local first = get(nil, { method = "HEAD" })
    assert.same({ first, 2 }, { get() })
    http.request(server:url("keep", "HTTP/1.1 204 No Content\r\n\r\n"))
    assert.same({ first, 4 }, { get() })
    http.request(server:url("keep", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"))
    assert.same({ first, 6 }, { get() })
  end)

  it("is used by a redirect whose own body is short", function()
    assert.equal(1, opened(function()
      local _, code, headers = http.request(server:url("redirect", 302, "/echo"))
      assert.same({ 200, "2" }, { code, headers["x-request"] })
    end))
  end)

  it("takes what was sent with a body of the right length", function()
    http.request(server:url "echo", "a=b")
    local _, number = get()
    assert.equal(2, number)
  end)

  it("does not take what was left of an earlier reply for a reply", function()
    get()
    assert.equal(1, opened(function()
      assert.same({ "garbage", 200 }, { http.request(server:url("raw", "garbage")) }) -- on the second connection
    end))
  end)

  it("does not repeat a request of which a part of the reply has come", function()
    local url = server:url("raw", "HT")
    get()
    assert.equal(0, opened(function()
      assert.same({ nil, "closed" }, { http.request(url) })
    end))
  end)

  it("does not repeat a request that is not answered in time", function()
    get()
    http.TIMEOUT = 0.05
    local opening = opened(function()
      assert.same({ nil, "timeout" }, { http.request(server:url "silent") })
    end)
    http.TIMEOUT = 60
    assert.equal(0, opening)
  end)

  it("repeats a request once", function()
    get()
    assert.equal(1, opened(function()
      assert.same({ nil, "closed" }, { http.request(server:url("raw", "")) })
    end))
  end)

  it("holds no connection that a task took with it when it was cancelled", function()
    get()
    server:log()
    local task = cosock.spawn(function()
      http.request(server:url "silent")
    end)
    cosock.spawn(function()
      server:await_request()
      task:cancel()
    end)
    cosock.run()
    assert.equal(0, pool.count)
    local _, number = get()
    assert.equal(1, number)
  end)
end)
