-- Requests over TLS. (Who is trusted: https/verification_spec.lua. Redirects, proxies, the pool and the ends of
-- connections have files of their own beside it; so has the comparison with LuaSec.)

local cosock = require "cosock"
local descriptors = require "spec.support.descriptors"
local http = require "cosock.socket.http"
local https = require "cosock.ssl.https"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local servers = require "spec.support.http"
local socket = require "cosock.socket"
local tls = require "spec.support.tls"

local unpack = table.unpack or unpack -- luacheck: ignore 143

describe("https", function()
  local server

  setup(function()
    server = servers.secure_server(tls.folder(), "server?")
    https.cfg.cafile = tls.file "root.pem"
  end)

  teardown(function()
    https.cfg.cafile = nil
    http.POOL:close()
    server:stop()
  end)

  after_each(function()
    https.TIMEOUT, https.PORT = 60, 443
  end)

  local function url(...)
    return server:secure_url("server", ...)
  end

  --- Makes a request of a table, and returns what came of it with the body in its place.
  local function request(given)
    local parts = {}
    given.sink = ltn12.sink.table(parts)
    local ok, code, headers, status = https.request(given)
    return ok and table.concat(parts), code, headers, status
  end

  it("has the fields of LuaSec's module, and the defaults of requests", function()
    assert.same({ 443, 60 }, { https.PORT, https.TIMEOUT })
    assert.equal("1.3.2", https._VERSION)
    assert.is_string(https._COPYRIGHT)
    assert.same({ "any", "peer" }, { https.cfg.protocol, https.cfg.verify })
    assert.equal(https, require "cosock.ssl.https")
  end)

  for place, it in peers.inside_and_outside(it) do
    describe(place, function()
      it("fetches what a URL names", function()
        local body, code, headers, status = https.request(url "echo")
        assert.matches("^GET /echo HTTP/1.1\n", body)
        assert.same({ 200, "HTTP/1.1 200 OK" }, { code, status })
        assert.equal("localhost:" .. server.ports.server, servers.header(body, "Host"))
        assert.matches("name=localhost ", headers["x-tls"], 1, true)
      end)

      it("sends a form", function()
        local body = https.request(url "echo", "a=b")
        assert.matches("^POST /echo HTTP/1.1\n", body)
        assert.matches("\n\na=b$", body)
        assert.equal("application/x-www-form-urlencoded", servers.header(body, "Content-Type"))
      end)

      it("does what a table asks", function()
        local body, code = request {
          url = url "echo", method = "PUT", headers = { ["x-name"] = "value" }, source = ltn12.source.string "text",
        }
        assert.equal(200, code)
        assert.matches("^PUT /echo", body)
        assert.matches("\n\ntext$", body)
        assert.equal("value", servers.header(body, "x-name"))
      end)

      it("returns 1 for a table, and discards a body for which there is no sink", function()
        local ok, code, headers, status = https.request { url = url "echo" }
        assert.same({ 1, 200, "HTTP/1.1 200 OK" }, { ok, code, status })
        assert.is_string(headers["content-length"])
      end)

      it("is what http asks for URLs of its kind", function()
        local body, code = http.request(url "echo")
        assert.same({ "GET", 200 }, { body:sub(1, 3), code })
        assert.equal(1, (http.request { url = url "echo" }))
      end)

      it("fetches a body of many records", function()
        local count = 0
        local ok, code = https.request {
          url = url("zeros", 2 ^ 21),
          sink = function(data)
            count = count + (data and #data or 0)
            return 1
          end,
        }
        assert.same({ 1, 200, 2 ^ 21 }, { ok, code, count })
      end)

      it("has a limit of time for the handshake", function()
        local listener = assert(socket.bind("127.0.0.1", 0))
        local _, port = listener:getsockname()
        https.TIMEOUT = 0.05
        local started = socket.gettime()
        assert.same({ n = 4, nil, "wantread", nil, nil }, peers.pack(https.request("https://127.0.0.1:" .. port)))
        assert.is_true(socket.gettime() - started < 5)
        https.TIMEOUT = 60
        assert.same({ nil, "timeout" }, { https.request { url = "https://127.0.0.1:" .. port, deadline = 0.05 } })
        listener:close()
      end)

      it("has a limit of time for the reply", function()
        https.TIMEOUT = 0.05
        assert.same({ nil, "wantread" }, { https.request(url "silent") })
        https.TIMEOUT = 60
        assert.same({ nil, "timeout" }, { https.request { url = url "silent", deadline = 0.1 } })
        local endless = url("slow", 0.03, ("x"):rep(1000))
        assert.same({ nil, "timeout" }, { https.request { url = endless, deadline = 0.15 } })
      end)
    end)
  end

  it("does not wait for a server that takes nothing any more, not even to say goodbye", function()
    local started = socket.gettime()
    assert.same({ nil, "timeout" }, { https.request {
      url = url "deaf", deadline = 0.2, method = "PUT", source = function() return ("x"):rep(100000) end,
    } })
    assert.is_true(socket.gettime() - started < 2)
  end)

  it("has no limit of time if there is none", function()
    https.TIMEOUT = nil
    local former = http.TIMEOUT
    http.TIMEOUT = 0.0001
    assert.equal(200, (select(2, https.request(url("pause", 0.05, "HTTP/1.1 200 OK\r\n", "\r\n")))))
    http.TIMEOUT = former
  end)

  it("goes to its own port, whatever the scheme", function()
    https.PORT = server.ports.server
    assert.equal(200, (select(2, https.request "https://localhost/echo")))
    local body, code = https.request "http://localhost/echo"
    assert.equal(200, code)
    assert.matches("^GET /echo", body)
    body, code = request { url = "http://localhost/echo?a=b" }
    assert.same({ 200, "GET /echo?a=b HTTP/1.1" }, { code, body:match "^[^\n]*" })
    https.PORT = 443
    body, code = request { url = ("http://localhost:%d/echo"):format(server.ports.server), scheme = "http" }
    assert.same({ 200, "GET /echo HTTP/1.1" }, { code, body:match "^[^\n]*" })
  end)

  it("may be told where to go by fields", function()
    local body, code = request { host = "localhost", port = server.ports.server, path = "/echo" }
    assert.same({ 200, "GET /echo HTTP/1.1" }, { code, body:match "^[^\n]*" })
  end)

  it("leaves the program's table as it is, so that it can be used again", function()
    local given = { url = url "echo", verify = "peer", options = { "all" }, headers = { ["x-a"] = "b" } }
    local copy = { url = given.url, verify = "peer", options = { "all" }, headers = { ["x-a"] = "b" } }
    for _ = 1, 2 do
      assert.equal(1, (https.request(given)))
      assert.same(copy, given)
    end
  end)

  it("passes on what a request asks of TLS", function()
    local _, _, headers = request { url = url "echo", alpn = { "h3", "http/1.1" } }
    assert.matches("alpn=http/1.1 ", headers["x-tls"], 1, true)
    _, _, headers = request { url = url "echo", key = tls.file "client.key", certificate = tls.file "client.pem" }
    assert.matches("client=a client$", headers["x-tls"])
    _, _, headers = request {
      url = url "echo", key = tls.file "encrypted.key", password = "secret", certificate = tls.file "server.pem",
    }
    assert.matches("client=localhost$", headers["x-tls"])
    local _, err = request { url = url "echo", protocol = "tlsv1_3", options = "no_tlsv1_3" }
    assert.matches("no protocols available", err)
    assert.equal(200, (select(2, request { url = url "echo", protocol = "tlsv1_2", ciphers = "ECDHE+AESGCM" })))
  end)

  it("says what is wrong with it", function()
    for field, case in pairs {
      protocol = { "ssl", "invalid protocol (ssl)" },
      options = { "no_such", "invalid option (no_such)" },
      verify = { "everything", "invalid verify option (everything)" },
      cafile = { "/no/such/file", "error loading CA locations (No such file or directory)" },
      key = { "/no/such/file", "error loading private key (No such file or directory)" },
      ciphers = { "NONE", "error setting cipher list (no cipher match)" },
      hostname = { ("x"):rep(300), ("invalid hostname (%s)"):format(("x"):rep(300)) },
    } do
      assert.same({ n = 4, nil, case[2], nil, nil }, peers.pack(https.request { url = url "echo", [field] = case[1] }))
    end
    for _, field in ipairs { "protocol", "cafile", "verify", "hostname" } do
      local ok, err = pcall(https.request, { url = url "echo", [field] = print })
      assert.is_false(ok)
      assert.matches(("field '%s': string expected, got function"):format(field), err, 1, true)
    end
  end)

  it("refuses what it cannot do", function()
    assert.same({ n = 2, nil, "create function not permitted" },
      peers.pack(https.request { url = url "echo", create = socket.tcp }))
    assert.same({ nil, "invalid host 'nil'" }, { https.request "no/scheme" })
    for _, case in ipairs {
      { "bad argument #1 to 'request' (string or table expected, got nil)" },
      { "bad argument #1 to 'request' (string or table expected, got number)", 5 },
      { "bad argument #2 to 'request' (string expected, got table)", "https://localhost", {} },
      { "bad argument #1 to 'request' (field 'sink': function expected, got number)", { sink = 5 } },
      { "unknown scheme 'ftp'", "ftp://localhost/" },
    } do
      local ok, err = pcall(https.request, case[2], case[3])
      assert.is_false(ok)
      assert.matches(case[1], err, 1, true)
    end
    local _, err = pcall(https.request)
    assert.matches("^spec/ssl/https_spec.lua:%d+: ", (select(2, pcall(function()
      https.request(5)
    end))), err)
  end)

  it("finds no TLS where there is none", function()
    assert.same({ nil, "wrong version number" }, { https.request("https://127.0.0.1:" .. server.port .. "/echo") })
    local refused = peers.refused_port(socket)
    assert.same({ nil, "connection refused" }, { https.request("https://127.0.0.1:" .. refused .. "/") })
    assert.is_nil((https.request "https://no.such.host.invalid/"))
  end)

  it("lets twenty tasks wait at once", function()
    local tasks = {}
    local started = socket.gettime()
    for index = 1, 20 do
      tasks[index] = function()
        local rest = ("Content-Length: 2\r\n\r\n%02d"):format(index)
        local body, code = https.request(url("pause", 0.3, "HTTP/1.1 200 OK\r\n", rest))
        assert.same({ ("%02d"):format(index), 200 }, { body, code })
      end
    end
    run.tasks(unpack(tasks))
    assert.is_true(socket.gettime() - started < 3)
  end)

  it("keeps others running while it shakes hands", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local turns = 0
    run.tasks(function()
      assert.same({ nil, "timeout" }, { https.request { url = "https://127.0.0.1:" .. port, deadline = 0.1 } })
      listener:close()
      listener = nil
    end, function()
      while listener do
        turns = turns + 1
        socket.sleep(0.005)
      end
    end)
    assert.is_true(turns > 3)
  end)

  it("leaves no descriptor behind, whatever happens", function()
    http.POOL:close()
    local before = descriptors.settled()
    local requests = {
      { url = url("cut", "HTTP/1.1 200 OK\r\n\r\n12345") },
      { url = url "echo", verify = "peer", cafile = tls.file "other-root.pem" },
      { url = url "echo", hostname = "elsewhere.test" },
      { url = url "echo", hostname = ("x"):rep(300) },
      { url = url "echo", cafile = "/no/such/file" },
      { url = "https://127.0.0.1:" .. server.port .. "/echo" },
      { url = url "silent", deadline = 0.02 },
      { url = url "echo", proxy = "http://127.0.0.1:" .. server.port },
      { url = url "echo", sink = function() error("stop", 0) end },
    }
    for _, given in ipairs(requests) do
      assert.is_not_equal(1, (pcall(https.request, given)))
    end
    server:log()
    local handle = cosock.spawn(function()
      https.request(url "silent")
    end)
    cosock.spawn(function()
      server:await_request()
      handle:cancel()
    end)
    cosock.run()
    http.POOL:close()
    collectgarbage()
    collectgarbage()
    assert.equal(before, descriptors.count())
  end)

  describe("tcp", function()
    it("makes functions that make sockets, which speak TLS once they are connected", function()
      local create = https.tcp { cafile = tls.file "root.pem" }
      assert.is_function(create)
      local sock = create()
      assert.equal("tcp{master}", sock.sock.class)
      assert.equal(1, sock:settimeout(5))
      assert.equal(1, sock:connect("localhost", server.ports.server))
      assert.equal("SSL:Connection", sock.sock.class)
      assert.equal("localhost", sock:getsniname())
      assert.is_true(sock:getpeerverification())
      assert.equal("TLSv1.3", sock:info "protocol")
      assert.equal(sock.sock:getfd(), sock:getfd())
      local address, peer_port, family = sock:getpeername()
      assert.same({ "127.0.0.1", server.ports.server, "inet" }, { address, tonumber(peer_port), family })
      assert.equal("127.0.0.1", (sock:getsockname()))
      assert.is_number(sock:send "GET /echo HTTP/1.1\r\n\r\n")
      assert.equal("HTTP/1.1 200 OK", sock:receive())
      assert.equal(1, sock:close())
      assert.equal(-1, sock:getfd())
      assert.equal(1, sock:close())
    end)

    it("makes sockets that raise, for protect, what connecting fails with, and are closed then", function()
      local function connect(params, port)
        local sock = https.tcp(params)()
        local results = { socket.protect(function()
          return sock:connect("localhost", port or server.ports.server)
        end)() }
        assert.equal(-1, sock:getfd())
        return unpack(results, 1, 2)
      end
      assert.same({ nil, "connection refused" }, { connect({}, peers.refused_port(socket)) })
      assert.same({ nil, "wrong version number" }, { connect({}, server.port) })
      assert.same({ nil, "error loading CA locations (No such file or directory)" }, { connect { cafile = "/none" } })
      local _, err = connect { hostname = "elsewhere.test" }
      assert.matches("^certificate verify failed: hostname mismatch", err)
      local ok = pcall(https.tcp, 5)
      assert.is_false(ok)
    end)

    it("makes sockets that keep the limit which they were given", function()
      local listener = assert(socket.bind("127.0.0.1", 0))
      local _, port = listener:getsockname()
      local sock = https.tcp()()
      sock:settimeout(0.05)
      assert.same({ nil, "wantread" }, { socket.protect(function()
        return sock:connect("127.0.0.1", port)
      end)() })
      sock = https.tcp()()
      sock:settimeout(5)
      sock:settimeout(0.4, "t")
      sock:connect("localhost", server.ports.server)
      sock:send "GET /silent HTTP/1.1\r\n\r\n"
      assert.same({ nil, "wantread", "" }, { sock:receive() })
      sock:close()
      listener:close()
    end)

    it("makes sockets that can be waited for", function()
      local sock = https.tcp()()
      run.task(function()
        sock:connect("localhost", server.ports.server)
        sock:send "GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n"
        local ready = socket.select({ sock }, nil, 5)
        assert.equal(sock, ready and ready[1])
        assert.matches("^HTTP/1.1 200 OK", sock:receive "*a")
        sock:close()
      end)
    end)

    it("is what a request of http may have for its create", function()
      local parts = {}
      local _, code = http.request { url = url "echo", create = https.tcp(), sink = ltn12.sink.table(parts) }
      assert.equal(200, code)
      local text = table.concat(parts)
      assert.matches("^GET /echo HTTP", text)
      _, code = http.request {
        url = ("http://localhost:%d/echo"):format(server.ports.server), create = https.tcp { protocol = "tlsv1_2" },
      }
      assert.equal(200, code)
      local connection = http.open("localhost", server.ports.server, https.tcp())
      assert.equal("SSL:Connection", connection.c.class)
      connection:sendrequestline("GET", "/echo")
      connection:sendheaders {}
      assert.equal(200, (connection:receivestatusline()))
      connection:close()
    end)
  end)
end)
