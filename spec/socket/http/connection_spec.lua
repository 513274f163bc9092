-- http.open: the steps of a request, each by itself.

local http = require "cosock.socket.http"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local servers = require "spec.support.http"
local socket = require "cosock.socket"

local pack = peers.pack

describe("http.open", function()
  local server

  setup(function()
    server = servers.server()
  end)

  teardown(function()
    server:stop()
  end)

  for place, it in peers.inside_and_outside(it) do
    describe(place, function()
      it("gives an object that makes a request step by step", function()
        local parts = {}
        local steps = socket.protect(function()
          local connection = http.open("127.0.0.1", server.port)
          connection:sendrequestline("PUT", "/echo")
          assert.equal(1, connection:sendheaders { host = "me", ["content-length"] = 3 })
          assert.equal(1, connection:sendbody({ ["content-length"] = 3 }, ltn12.source.string "abc"))
          local code, status = connection:receivestatusline()
          assert.same({ 200, "HTTP/1.1 200 OK" }, { code, status })
          local headers = connection:receiveheaders()
          assert.is_string(headers["x-connection"])
          assert.equal(1, connection:receivebody(headers, (ltn12.sink.table(parts))))
          return connection:close()
        end)
        assert.same({ n = 1, 1 }, pack(steps()))
        assert.equal("PUT /echo HTTP/1.1\nHost: me\nContent-Length: 3\n\nabc",
          (table.concat(parts):gsub("(\nContent.-)(\nHost.-)\n", "%2%1\n")))
      end)

      it("sends a body in chunks if the headers tell no length", function()
        local steps = socket.protect(function()
          local connection = http.open("127.0.0.1", server.port)
          connection:sendrequestline("PUT", "/echo")
          connection:sendheaders { ["transfer-encoding"] = "chunked" }
          connection:sendbody({}, ltn12.source.table { "abc", "def" })
          connection:receivestatusline()
          local parts = {}
          connection:receivebody(connection:receiveheaders(), (ltn12.sink.table(parts)))
          connection:close()
          return table.concat(parts)
        end)
        assert.matches("\n\nabcdef$", steps())
      end)

      it("gives an object that takes a reply without a head", function()
        local steps = socket.protect(function()
          local connection = http.open("127.0.0.1", server.port)
          connection:sendrequestline(nil, "/raw/hello%20world")
          connection:sendheaders {}
          local code, status = connection:receivestatusline()
          assert.same({ nil, "hello" }, { code, status })
          local parts = {}
          connection:receive09body(status, (ltn12.sink.table(parts)))
          return table.concat(parts)
        end)
        assert.equal("hello world", steps())
      end)
    end)
  end

  it("gives an object with the socket and a try that closes it", function()
    local connection = http.open("127.0.0.1", server.port)
    assert.matches("^tcp{client}", tostring(connection.c))
    assert.same({ 1, 2 }, { connection.try(1, 2) })
    local steps = socket.protect(function()
      connection.try(nil, "failed")
    end)
    assert.same({ n = 2, nil, "failed" }, pack(steps()))
    assert.equal(-1, connection.c:getfd())
  end)

  it("raises, for protect, what goes wrong", function()
    local open = socket.protect(http.open)
    assert.same({ n = 2, nil, "connection refused" }, pack(open("127.0.0.1", peers.refused_port(socket))))
    assert.same({ n = 2, nil, "none left" }, pack(open("127.0.0.1", server.port, function()
      return nil, "none left"
    end)))
    local steps = socket.protect(function()
      http.open("127.0.0.1", server.port):sendheaders { ["a\n"] = "b" }
    end)
    assert.matches("^invalid name of a header", (select(2, steps())))
    steps = socket.protect(function()
      http.open("127.0.0.1", server.port):sendrequestline("GET", "/ \r\n")
    end)
    assert.matches("^invalid path", (select(2, steps())))
  end)

  it("closes the socket when connecting fails", function()
    local made
    socket.protect(http.open)("127.0.0.1", peers.refused_port(socket), function()
      made = socket.tcp()
      return made
    end)
    assert.equal(-1, made:getfd())
  end)

  it("has http.TIMEOUT", function()
    http.TIMEOUT = 7
    local connection = http.open("127.0.0.1", server.port)
    http.TIMEOUT = 60
    assert.same({ 7, -1 }, { connection.c:gettimeout() })
    connection:close()
  end)
end)
