-- socket.connect, connect4, connect6 and socket.bind: a connected or listening socket in one call.

local socket = require "cosock.socket"
local peers = require "spec.support.peers"

local pack, raised = peers.pack, peers.raised

for place, it in peers.inside_and_outside(it) do
  describe("socket.connect " .. place, function()
    for _, family in ipairs(peers.families) do
      it("gives a client connected over " .. family.name, function()
        local server, port = peers.server(socket, family.address)
        local client = assert(socket.connect(family.address, port))
        assert.equal("tcp{client}", client.class)
        assert.same({ n = 3, family.address, port, family.family }, pack(client:getpeername()))
        assert.equal("tcp{client}", server:accept().class)
      end)
    end

    it("resolves names", function()
      local _, port = peers.server_alone(socket)
      local client = assert(socket.connect("localhost", port))
      assert.same({ n = 3, "127.0.0.1", port, "inet" }, pack(client:getpeername()))
    end)

    it("takes the port as a string", function()
      local _, port = peers.server(socket)
      assert.truthy(socket.connect("127.0.0.1", tostring(port)))
    end)

    it("reduces the port modulo 65536", function()
      local _, port = peers.server(socket)
      local client = assert(socket.connect("127.0.0.1", port + 65536))
      assert.equal(port, (select(2, client:getpeername())))
    end)

    it("gives nil and the error when the connection is refused", function()
      local port = peers.refused_port(socket)
      assert.same({ n = 2, nil, "connection refused" }, pack(socket.connect("127.0.0.1", port)))
    end)

    it("gives nil and the error when the host is empty", function()
      assert.same({ n = 2, nil, "host or service not provided, or not known" }, pack(socket.connect("", 80)))
    end)

    it("connects from the local address asked for", function()
      local _, port = peers.server(socket)
      local client = assert(socket.connect("127.0.0.1", port, "127.0.0.2"))
      assert.equal("127.0.0.2", (client:getsockname()))
    end)

    it("connects from the local port asked for", function()
      local _, port = peers.server(socket)
      local probe = socket.tcp4()
      assert(probe:bind("127.0.0.1", 0))
      local _, free = probe:getsockname()
      probe:close()
      local client = assert(socket.connect("127.0.0.1", port, "127.0.0.1", free))
      assert.same({ n = 3, "127.0.0.1", free, "inet" }, pack(client:getsockname()))
    end)

    it("gives nil and the error when the local address is not ours", function()
      local _, port = peers.server(socket)
      assert.same({ n = 2, nil, "Cannot assign requested address" },
        pack(socket.connect("127.0.0.1", port, "203.0.113.1")))
    end)

    it("takes the family of the local address", function()
      local _, port = peers.server(socket)
      for _, family in ipairs { "inet", "unspec" } do
        assert.truthy(socket.connect("127.0.0.1", port, "127.0.0.1", 0, family))
      end
    end)
  end)

  describe("socket.connect4 and socket.connect6 " .. place, function()
    it("connect over their family", function()
      for _, family in ipairs(peers.families) do
        local _, port = peers.server(socket, family.address)
        local connect = family.family == "inet" and socket.connect4 or socket.connect6
        local client = assert(connect(family.address, port))
        assert.same({ n = 3, family.address, port, family.family }, pack(client:getpeername()))
      end
    end)

    it("fail with an address of the other family, where LuaSocket ignores the family", function()
      local _, port = peers.server(socket)
      assert.same({ n = 2, nil, "Address family for hostname not supported" }, pack(socket.connect6("127.0.0.1", port)))
      assert.same({ n = 2, nil, "Address family for hostname not supported" }, pack(socket.connect4("::1", port)))
    end)

    it("use a local address", function()
      local _, port = peers.server(socket)
      local client = assert(socket.connect4("127.0.0.1", port, "127.0.0.2", 0))
      assert.equal("127.0.0.2", (client:getsockname()))
    end)

    it("give nil and the error when the connection is refused", function()
      assert.same({ n = 2, nil, "connection refused" },
        pack(socket.connect4("127.0.0.1", peers.refused_port(socket))))
    end)
  end)

  describe("socket.bind " .. place, function()
    for _, family in ipairs(peers.families) do
      it("gives a listening server over " .. family.name, function()
        local server = assert(socket.bind(family.address, 0))
        assert.equal("tcp{server}", server.class)
        local address, port, name = server:getsockname()
        assert.same({ family.address, family.family }, { address, name })
        assert.is_true(port > 0)
        assert.truthy(socket.connect(family.address, port))
        assert.equal("tcp{client}", server:accept().class)
      end)

      it("makes a socket of the address's own family over " .. family.name, function()
        assert.equal(family.family == "inet" and "inet4" or "inet6", assert(socket.bind(family.address, 0)):getfamily())
      end)
    end

    it("takes * for every IPv4 address", function()
      assert.equal("0.0.0.0", (assert(socket.bind("*", 0)):getsockname()))
    end)

    it("resolves names", function()
      assert.equal("127.0.0.1", (assert(socket.bind("localhost", 0)):getsockname()))
    end)

    it("sets reuseaddr", function()
      assert.is_true(assert(socket.bind("127.0.0.1", 0)):getoption("reuseaddr"))
    end)

    it("takes a backlog", function()
      assert.equal("tcp{server}", assert(socket.bind("127.0.0.1", 0, 1)).class)
    end)

    it("gives nil and the error when the address is in use", function()
      local server, port = peers.server(socket)
      assert.same({ n = 2, nil, "address already in use" }, pack(socket.bind("127.0.0.1", port)))
      server:close()
    end)

    it("gives nil and the error when the address is not ours", function()
      assert.same({ n = 2, nil, "Cannot assign requested address" }, pack(socket.bind("203.0.113.1", 0)))
    end)

    it("gives nil and the error when the host is empty", function()
      assert.same({ n = 2, nil, "host or service not provided, or not known" }, pack(socket.bind("", 0)))
    end)
  end)
end

describe("socket.connect", function()
  it("raises for an unknown family", function()
    assert.equal("bad argument #5 to 'connect' (invalid option 'x')", raised(function()
      socket.connect("127.0.0.1", 1, nil, nil, "x")
    end))
  end)

  for title, arguments in pairs {
    ["without a host"] = { "#1", nil, 80 },
    ["without a port"] = { "#2", "127.0.0.1" },
    ["with a table as the host"] = { "#1", {}, 80 },
    ["with a boolean as the port"] = { "#2", "127.0.0.1", true },
    ["with a table as the local address"] = { "#3", "127.0.0.1", 80, {} },
  } do
    it("raises " .. title, function()
      assert.matches("^bad argument " .. arguments[1] .. " to 'connect' %(string expected, got ", raised(function()
        socket.connect(arguments[2], arguments[3], arguments[4])
      end))
    end)
  end
end)

describe("socket.connect4 and socket.connect6", function()
  it("raise without a host or a port", function() -- with LuaSocket the name depends on the interpreter
    assert.matches("^bad argument #1 to 'connect4?' %(string expected, got n", raised(function()
      socket.connect4()
    end))
    assert.matches("^bad argument #2 to 'connect6?' %(string expected, got n", raised(function()
      socket.connect6("::1")
    end))
  end)
end)

describe("socket.bind", function()
  it("raises without a host or a port, in the name of the function that missed it", function()
    assert.matches("^bad argument #1 to 'getaddrinfo' %(string expected, got n", raised(function()
      socket.bind()
    end))
    assert.matches("^bad argument #2 to 'bind' %(string expected, got n", raised(function()
      socket.bind("127.0.0.1")
    end))
  end)

  it("raises for a backlog that is no number, in the name of listen", function()
    assert.equal("bad argument #1 to 'listen' (number expected, got string)", raised(function()
      socket.bind("127.0.0.1", 0, "x")
    end))
  end)
end)
