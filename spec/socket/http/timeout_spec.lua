-- Time: what bounds a step, and what bounds a request.

local http = require "cosock.socket.http"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local servers = require "spec.support.http"
local socket = require "cosock.socket"

local reply, seconds = servers.reply, peers.seconds

describe("the time", function()
  local server

  setup(function()
    server = servers.server()
  end)

  teardown(function()
    server:stop()
    http.POOL:close()
  end)

  after_each(function()
    http.TIMEOUT = 60
  end)

  --- Makes a request that must take as long as this, and be over well before the step that would come next.
  local function fails_after(least, given)
    local results
    local taken = seconds(function()
      results = { http.request(given) }
    end)
    assert.same({ nil, "timeout" }, { results[1], results[2] })
    assert.is_true(taken >= least - 0.01 and taken < least + 2, taken .. " seconds")
    return results[3]
  end

  for place, it in peers.inside_and_outside(it) do
    describe(place, function()
      it("of each step has a limit: connecting", function()
        http.TIMEOUT = 0.1
        fails_after(0.1, ("http://127.0.0.1:%d/"):format(peers.unanswering_port(socket)))
      end)

      it("of each step has a limit: a reply that does not come", function()
        http.TIMEOUT = 0.1
        fails_after(0.1, server:url "silent")
      end)

      it("of each step has a limit: headers that do not come", function()
        http.TIMEOUT = 0.2
        fails_after(0.2, server:url("pause", 3, "HTTP/1.1 200 OK\r\nx:", "y\r\n\r\n"))
      end)

      it("of each step has a limit: a body that does not go on", function()
        http.TIMEOUT = 0.2
        local head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
        assert.equal("ab", fails_after(0.2, server:url("pause", 3, head .. "ab", "cd")))
      end)

      it("of each step has a limit: a body that is not received", function()
        http.TIMEOUT = 0.2
        fails_after(0.2, {
          url = server:url "deaf", method = "PUT", headers = { ["content-length"] = #peers.too_much },
          source = function()
            return peers.too_much
          end,
        })
      end)

      it("of all steps together has none", function()
        http.TIMEOUT = 1
        local bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
        local body, err
        local taken = seconds(function()
          body, err = http.request(server:url("slow", 0.03, bytes))
        end)
        assert.equal("x", body, err)
        assert.is_true(taken > 1)
      end)

      it("of the whole request has a limit if it has a deadline", function()
        local bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" .. ("x"):rep(100)
        fails_after(0.2, { url = server:url("slow", 0.02, bytes), deadline = 0.2 })
        fails_after(0.2, { url = server:url "silent", deadline = 0.2 })
        fails_after(0.2, { url = server:url("endless", "HTTP/1.1 200 OK\r\n\r\n", "x"), deadline = 0.2 })
        fails_after(0.1, {
          url = ("http://127.0.0.1:%d/"):format(peers.unanswering_port(socket)), deadline = 0.1,
        })
      end)

      it("of the whole request includes redirects and what the sink takes", function()
        http.TIMEOUT = 10
        fails_after(0.2, { url = server:url("redirect", 302, "/silent"), deadline = 0.2 })
        local started = socket.gettime()
        fails_after(0.2, {
          url = server:url("zeros", 1000000), deadline = 0.2,
          sink = function()
            while socket.gettime() < started + 0.21 do -- luacheck: ignore 542
            end
            return 1
          end,
        })
      end)

      it("of a step is what is left of the whole if that is less, and the other way round", function()
        http.TIMEOUT = 0.1
        fails_after(0.1, { url = server:url "silent", deadline = 5 })
        http.TIMEOUT = nil
        fails_after(0.1, { url = server:url "silent", deadline = 0.1 })
        http.TIMEOUT = -1
        fails_after(0.1, { url = server:url "silent", deadline = 0.1 })
      end)

      it("that is over before the request begins leaves nothing to do", function()
        fails_after(0, { url = server:url "echo", deadline = 0 })
        fails_after(0, { url = server:url "echo", deadline = -1 })
      end)
    end)
  end

  it("that one request has is not that of the next on the same connection", function()
    http.POOL:close()
    local url = server:url("keep", reply "x")
    assert.equal(1, (http.request { url = url, deadline = 5 }))
    local waited = http.POOL.newest.c
    assert.equal(1, (http.request { url = url, sink = ltn12.sink.null() }))
    assert.same({ 60, -1 }, { waited:gettimeout() })
    assert.equal(waited, http.POOL.newest.c)
    http.TIMEOUT = 7
    assert.equal("x", (http.request(url)))
    assert.same({ 7, -1 }, { waited:gettimeout() })
  end)

  it("of a sender that waits for the server to take a body counts for the whole", function()
    fails_after(0.2, {
      url = server:url "deaf", method = "PUT", source = ltn12.source.string(peers.too_much), deadline = 0.2,
    })
  end)
end)
