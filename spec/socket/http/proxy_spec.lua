-- Requests through a proxy.

local http = require "cosock.socket.http"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local servers = require "spec.support.http"
local socket = require "cosock.socket"

describe("a proxy", function()
  local server, proxy, address

  setup(function()
    server, proxy = servers.server(), servers.proxy()
    address = "http://127.0.0.1:" .. proxy.port
  end)

  teardown(function()
    server:stop()
    proxy:stop()
    http.POOL:close()
  end)

  after_each(function()
    http.PROXY = nil
  end)

  local function request(given)
    local parts = {}
    given.sink = ltn12.sink.table(parts)
    local ok, code, headers = http.request(given)
    assert.equal(1, ok, code)
    return code, table.concat(parts), headers
  end

  for place, it in peers.inside_and_outside(it) do
    it("is asked for the whole URL " .. place, function()
      local code, text, headers = request { url = server:url "echo" .. "?a=b", proxy = address }
      assert.equal(200, code)
      assert.matches("^GET /echo%?a=b HTTP", text)
      assert.equal(server:url "echo" .. "?a=b by none", headers["x-proxy"])
      assert.equal("127.0.0.1:" .. server.port, servers.header(text, "Host"))
    end)
  end

  it("may be set for all requests, but for those that name another or none", function()
    http.PROXY = address
    local _, _, headers = request { url = server:url "echo" }
    assert.is_string(headers["x-proxy"])
    local text = http.request(server:url "echo")
    assert.matches("^GET /echo HTTP", text)
    _, _, headers = request { url = server:url "echo", proxy = false }
    assert.is_nil(headers["x-proxy"])
    http.PROXY = "http://127.0.0.1:" .. peers.refused_port(socket)
    _, _, headers = request { url = server:url "echo", proxy = address }
    assert.is_string(headers["x-proxy"])
    assert.same({ nil, "connection refused" }, { http.request(server:url "echo") })
  end)

  it("is told user and password", function()
    local _, text, headers = request { url = server:url "echo", proxy = (address:gsub("//", "//ann:x@")) }
    assert.equal(server:url "echo" .. " by Basic YW5uOng=", headers["x-proxy"])
    assert.is_nil(servers.header(text, "Authorization"))
  end)

  it("is used for redirects too", function()
    local code, _, headers = request { url = server:url("redirect", 302, "/echo"), proxy = address }
    assert.equal(200, code)
    assert.equal(server:url "echo" .. " by none", headers["x-proxy"])
  end)

  it("has the port 3128 if its URL names none", function()
    local asked
    http.request {
      url = "http://host/", proxy = "http://proxy",
      create = function()
        return {
          settimeout = function() return 1 end,
          connect = function(_, host, port)
            asked = { host, port }
            return nil, "enough"
          end,
          close = function() end,
        }
      end,
    }
    assert.same({ "proxy", 3128 }, asked)
  end)

  it("may be one that is not there", function()
    local results = { http.request {
      url = server:url "echo", proxy = "http://127.0.0.1:" .. peers.refused_port(socket),
    } }
    assert.same({ nil, "connection refused" }, results)
  end)
end)
