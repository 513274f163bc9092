-- Ends of connections: which of them end a body, and which break it off.

local http = require "cosock.socket.http"
local https = require "cosock.ssl.https"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local servers = require "spec.support.http"
local tls = require "spec.support.tls"

describe("an end of an https connection", function()
  local server

  setup(function()
    server = servers.secure_server(tls.folder(), "server")
    https.cfg.cafile = tls.file "root.pem"
  end)

  teardown(function()
    https.cfg.cafile = nil
    http.POOL:close()
    server:stop()
  end)

  local function url(...)
    return server:secure_url("server", ...)
  end

  --- The body of the reply to a request that takes an end as it comes.
  local function careless(address)
    local parts = {}
    local given = { url = address, sink = ltn12.sink.table(parts), options = { "all", "ignore_unexpected_eof" } }
    assert.equal(1, (https.request(given)))
    return table.concat(parts)
  end

  local whole = servers.reply "12345"
  local open = "HTTP/1.1 200 OK\r\n\r\n12345"

  it("that TLS tells ends a body without a length; another one breaks it off", function()
    assert.equal("12345", (https.request(url("raw", open))))
    assert.same({ n = 4, nil, "unexpected eof while reading", "12345", nil },
      peers.pack(https.request(url("cut", open))))
    local parts = {}
    assert.same({ nil, "unexpected eof while reading" },
      { https.request { url = url("cut", open), sink = ltn12.sink.table(parts) } })
    assert.equal("12345", table.concat(parts))
    -- Who does not care about it says so.
    assert.equal("12345", careless(url("cut", open)))
  end)

  it("that is a reset breaks a body off, too", function()
    assert.same({ n = 4, nil, "closed", "12345", nil }, peers.pack(https.request(url("reset", open))))
    assert.same({ n = 4, nil, "closed", "12345", nil }, peers.pack(https.request(url("reset", "12345"))))
    local parts = {}
    assert.same({ nil, "closed" }, { https.request { url = url("reset", open), sink = ltn12.sink.table(parts) } })
    assert.equal("12345", table.concat(parts))
    assert.equal("12345", (https.request(url("reset", whole))))
    assert.equal("12345", careless(url("reset", open)))
  end)

  it("that is a reset breaks it off whatever objects the socket is in", function()
    local create = https.tcp { cafile = tls.file "root.pem" }
    local methods = {
      __index = function(_, name)
        return function(self, ...)
          return self.c[name](self.c, ...)
        end
      end,
    }
    for _, made in ipairs {
      function()
        return create()
      end,
      function()
        return setmetatable({ c = create() }, methods)
      end,
    } do
      local given = { url = url("reset", open), create = made, sink = ltn12.sink.null() }
      assert.same({ nil, "closed" }, { http.request(given) })
      given.url = url("raw", open)
      assert.equal(1, (http.request(given)))
    end
  end)

  it("of any kind is none of a body's whose length is known", function()
    assert.equal("12345", (https.request(url("raw", whole))))
    assert.equal("12345", (https.request(url("cut", whole))))
    local chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"
    assert.equal("12345", (https.request(url("cut", chunked))))
  end)

  it("that comes too early is an error", function()
    local short = whole:sub(1, -3)
    assert.same({ nil, "closed", "123" }, { https.request(url("raw", short)) })
    assert.same({ nil, "unexpected eof while reading", "123" }, { https.request(url("cut", short)) })
    assert.same({ nil, "closed" }, { https.request(url("raw", "HTTP/1.1 200 OK\r\nA: b\r\n")) })
    assert.same({ nil, "unexpected eof while reading" }, { https.request(url("cut", "HTTP/1.1 200 OK\r\nA: b\r\n")) })
    assert.same({ nil, "closed" }, { https.request(url("raw", "")) })
  end)
end)
