-- The module itself, and `wrap`.

local peers = require "spec.support.peers"
local socket = require "cosock.socket"
local ssl = require "cosock.ssl"
local tls = require "spec.support.tls"

local pack = peers.pack

describe("cosock.ssl", function()
  it("has LuaSec's functions", function()
    assert.equal("1.3.2", ssl._VERSION)
    assert.equal("string", type(ssl._COPYRIGHT))
    for _, name in ipairs { "newcontext", "wrap", "loadcertificate" } do
      assert.equal("function", type(ssl[name]), name)
    end
    assert.equal(require "cosock.ssl.config", ssl.config)
  end)

  it("tells what it knows", function()
    local config = ssl.config
    assert.same({ tlsv1 = true, tlsv1_1 = true, tlsv1_2 = true, tlsv1_3 = true }, config.protocols)
    assert.same({ ec = true }, config.algorithms)
    assert.same({ alpn = true, psk = true, curves_list = true, ecdh_auto = true, dane = { no_ee_namechecks = true } },
      config.capabilities)
    for _, name in ipairs { "prime256v1", "secp384r1", "P-256", "P-384", "P-521", "X25519", "X448" } do
      assert.is_true(config.curves[name], name)
    end
    for _, name in ipairs { "all", "no_tlsv1", "no_ticket", "ignore_unexpected_eof" } do
      assert.is_true(config.options[name], name)
    end
    assert.is_nil(config.options.NO_TICKET)
  end)
end)

describe("wrap", function()
  it("takes over the descriptor", function()
    local sock = tls.sockets()
    local descriptor = sock:getfd()
    local connection = assert(ssl.wrap(sock, tls.client()))
    assert.equal(descriptor, connection:getfd())
    assert.equal(-1, sock:getfd())
    assert.is_truthy(tostring(sock):find("^tcp{client}: "))
    assert.same({ n = 3, nil, "closed", "" }, pack(sock:receive()))
    assert.same({ n = 3, nil, "closed", 0 }, pack(sock:send("x")))
    assert.equal(1, sock:close())
    assert.equal(descriptor, connection:getfd())
  end)

  it("leaves timeouts and statistics behind", function()
    local sock, peer = tls.sockets()
    sock:settimeout(0)
    peer:send("12345\n")
    peer:send("rest")
    sock:settimeout(5)
    sock:receive()
    sock:receive(4)
    local connection = assert(ssl.wrap(sock, tls.client()))
    local received, sent = connection:getstats()
    assert.same({ 0, 0 }, { received, sent })
    connection:settimeout(0.01)
    assert.same({ false, "wantread" }, { connection:dohandshake() })
  end)

  it("wakes who waits for the socket", function()
    local run = require "spec.support.run"
    local sock, outcome = tls.sockets(), nil
    run.tasks(function()
      outcome = pack(sock:receive())
    end, function()
      socket.sleep(0.001)
      assert(ssl.wrap(sock, tls.client()))
    end)
    assert.same({ n = 3, nil, "closed", "" }, outcome)
  end)

  it("takes whatever has getfd and setfd", function()
    local one, other = tls.sockets()
    local function stand_in(sock)
      return {
        getfd = function()
          return sock:getfd()
        end,
        setfd = function(_, descriptor)
          sock:setfd(descriptor)
        end,
      }
    end
    local first = assert(ssl.wrap(stand_in(one), tls.client()))
    local second = assert(ssl.wrap(stand_in(other), tls.server()))
    assert.equal(-1, one:getfd())
    assert.is_true(tls.shake_hands(first, second).ok)
    first:send("line\n")
    assert.equal("line", second:receive())
  end)

  it("takes LuaSocket's sockets", function()
    local found, luasocket = pcall(require, "socket")
    if not found or not luasocket.tcp then
      pending "LuaSocket is not installed"
    end
    local listener = assert(luasocket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local one = assert(ssl.wrap(assert(luasocket.connect("127.0.0.1", tonumber(port))), tls.client()))
    local other = assert(ssl.wrap(assert(listener:accept()), tls.server()))
    listener:close()
    assert.is_true(tls.shake_hands(one, other).ok)
  end)

  it("takes any object as LuaSec does, and then there is nothing to talk to", function()
    local sock = tls.sockets()
    assert(ssl.wrap(sock, tls.client()))
    for _, object in ipairs { sock, socket.tcp(), socket.udp() } do
      local connection = assert(ssl.wrap(object, tls.client()))
      assert.equal(-1, connection:getfd())
      assert.same({ false, "Bad file descriptor" }, { connection:dohandshake() })
    end
  end)

  it("refuses what is no socket", function()
    for _, value in ipairs { 5, "x", {} } do
      assert.equal(("bad argument #1 to 'wrap' (socket expected, got %s)"):format(type(value)),
        peers.raised(function()
          ssl.wrap(value, tls.client())
        end))
    end
    assert.equal("bad argument #1 to 'wrap' (socket expected, got nil)", peers.raised(function()
      ssl.wrap(nil, tls.client())
    end))
  end)

  it("refuses what is no context, and leaves the socket as it is", function()
    local sock = tls.sockets()
    for _, value in ipairs { 5, "x", sock } do
      assert.equal("bad argument #1 to 'create' (invalid context)", peers.raised(function()
        ssl.wrap(sock, value)
      end))
    end
    assert.same({ n = 2, nil, "invalid mode" }, pack(ssl.wrap(sock, tls.client { mode = "x" })))
    assert.same({ n = 2, nil, "invalid protocol (x)" }, pack(ssl.wrap(sock, tls.client { protocol = "x" })))
    assert.is_true(sock:getfd() >= 0)
  end)

  it("works on a listener's and a datagram's descriptor only so far", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local connection = assert(ssl.wrap(listener, tls.client()))
    local ok, err = connection:dohandshake()
    assert.is_false(ok)
    assert.equal("string", type(err))
    connection:close()
  end)
end)
