-- bind, listen, accept and connect of TCP sockets.

local socket = require "cosock.socket"
local peers = require "spec.support.peers"

local pack, raised = peers.pack, peers.raised

local REFUSED = { n = 2, nil, "connection refused" }
local TIMEOUT = { n = 2, nil, "timeout" }

for place, it in peers.inside_and_outside(it) do
  describe("bind " .. place, function()
    it("returns 1 and takes a port that the system chooses for port 0", function()
      for _, family in ipairs(peers.families) do
        local tcp = socket.tcp()
        assert.same({ n = 1, 1 }, pack(tcp:bind(family.address, 0)))
        local address, port, name = tcp:getsockname()
        assert.same({ family.address, family.family }, { address, name })
        assert.is_true(port > 0)
      end
    end)

    it("takes * for every address of the family", function()
      local tcp = socket.tcp()
      assert.equal(1, tcp:bind("*", 0))
      assert.equal("0.0.0.0", (tcp:getsockname()))
      for _, family in ipairs(peers.families) do
        local same_family = socket[family.tcp]()
        assert.equal(1, same_family:bind("*", 0))
        assert.equal(family.wildcard, (same_family:getsockname()))
      end
    end)

    it("is also called setsockname", function()
      local tcp = socket.tcp()
      assert.equal(1, tcp:setsockname("127.0.0.1", 0))
      assert.equal("127.0.0.1", (tcp:getsockname()))
    end)

    it("fails the second time", function()
      local tcp = socket.tcp()
      assert.equal(1, tcp:bind("127.0.0.1", 0))
      assert.same({ n = 2, nil, "Invalid argument" }, pack(tcp:bind("127.0.0.1", 0)))
    end)

    it("leaves the socket usable after a failure", function()
      local server, port = peers.server(socket)
      local tcp = socket.tcp()
      assert.same({ n = 2, nil, "address already in use" }, pack(tcp:bind("127.0.0.1", port)))
      assert.same({ n = 2, nil, "Cannot assign requested address" }, pack(tcp:bind("203.0.113.1", 0)))
      assert.equal("tcp{master}", tcp.class)
      assert.same({ n = 1, 1 }, pack(tcp:bind("127.0.0.1", 0)))
      server:close()
    end)

    it("fails when the port is no service", function()
      assert.same({ n = 2, nil, "service not supported for socket type" },
        pack(socket.tcp():bind("127.0.0.1", "no such service")))
    end)

    it("fails with an address of the other family", function()
      assert.same({ n = 2, nil, "Address family for hostname not supported" }, pack(socket.tcp4():bind("::1", 0)))
    end)
  end)

  describe("connect " .. place, function()
    for _, family in ipairs(peers.families) do
      for _, constructor in ipairs { "tcp", family.tcp } do
        it(("of %s() returns 1 and makes a client over %s"):format(constructor, family.name), function()
          local server, port = peers.server(socket, family.address)
          local tcp = socket[constructor]()
          assert.same({ n = 1, 1 }, pack(tcp:connect(family.address, port)))
          assert.equal("tcp{client}", tcp.class)
          assert.same({ n = 3, family.address, port, family.family }, pack(tcp:getpeername()))
          assert.same({ n = 3, family.address, port, family.family }, pack(server:accept():getsockname()))
        end)
      end
    end

    it("is also called setpeername", function()
      local _, port = peers.server(socket)
      local tcp = socket.tcp()
      assert.equal(1, tcp:setpeername("127.0.0.1", port))
      assert.equal("tcp{client}", tcp.class)
    end)

    it("goes out from the address that was bound", function()
      local _, port = peers.server(socket)
      local tcp = socket.tcp()
      assert(tcp:bind("127.0.0.2", 0))
      assert.equal(1, tcp:connect("127.0.0.1", port))
      assert.equal("127.0.0.2", (tcp:getsockname()))
    end)

    it("resolves names", function()
      local _, port = peers.server_alone(socket)
      local tcp = socket.tcp()
      assert.equal(1, tcp:connect("localhost", port))
      assert.same({ n = 3, "127.0.0.1", port, "inet" }, pack(tcp:getpeername()))
    end)

    it("tries the addresses of a host in turn until one answers", function()
      for _, family in ipairs(peers.families) do -- "*" is each of the loopback addresses
        local _, port = peers.server_alone(socket, family.address)
        local tcp = socket.tcp()
        assert.same({ n = 1, 1 }, pack(tcp:connect("*", port)))
        assert.same({ n = 3, family.address, port, family.family }, pack(tcp:getpeername()))
      end
    end)

    it("stops reading the host at a NUL", function()
      local _, port = peers.server(socket)
      assert.equal(1, socket.tcp():connect("127.0.0.1\0.example", port))
    end)

    it("makes a client even when it is refused", function()
      local port = peers.refused_port(socket)
      for _, constructor in ipairs { "tcp", "tcp4" } do
        local tcp = socket[constructor]()
        assert.same(REFUSED, pack(tcp:connect("127.0.0.1", port)))
        assert.equal("tcp{client}", tcp.class)
        assert.is_true(tcp:getfd() >= 0)
      end
    end)

    it("makes a client without a descriptor when the host is not known", function()
      local tcp = socket.tcp()
      assert.same({ n = 2, nil, "host or service not provided, or not known" }, pack(tcp:connect("", 80)))
      assert.equal("tcp{client}", tcp.class)
      assert.equal(-1, tcp:getfd())
      assert.same({ n = 3, nil, "closed", 0 }, pack(tcp:send("x")))
      assert.same({ n = 3, nil, "closed", "" }, pack(tcp:receive()))
    end)

    it("can be tried again after it was refused", function()
      local _, port = peers.server(socket)
      local tcp = socket.tcp()
      assert.same(REFUSED, pack(tcp:connect("127.0.0.1", peers.refused_port(socket))))
      assert.same({ n = 1, 1 }, pack(tcp:connect("127.0.0.1", port)))
    end)

    if peers.has_ipv6 then
      it("can change the family after it was refused", function()
        local server, port = peers.server(socket, "::1")
        local tcp = socket.tcp()
        assert.same(REFUSED, pack(tcp:connect("127.0.0.1", peers.refused_port(socket))))
        assert.same({ n = 1, 1 }, pack(tcp:connect("::1", port)))
        assert.equal("inet6", tcp:getfamily())
        server:close()
      end)
    end

    it("fails on an accepted client, which is connected already", function()
      local client, peer = peers.pair(socket)
      assert.same({ n = 2, nil, "already connected" }, pack(peer:connect("127.0.0.1", 80)))
      client:close()
    end)

    it("fails with an address of the other family", function()
      local failure = { n = 2, nil, "Address family for hostname not supported" }
      assert.same(failure, pack(socket.tcp4():connect("::1", 80)))
      if peers.has_ipv6 then
        assert.same(failure, pack(socket.tcp6():connect("127.0.0.1", 80)))
      end
    end)

    it("takes service names, and fails when the port is none or negative", function()
      local failure = { n = 2, nil, "service not supported for socket type" }
      assert.same(failure, pack(socket.tcp():connect("127.0.0.1", "no such service")))
      assert.same(failure, pack(socket.tcp():connect("127.0.0.1", -1)))
    end)

    it("connects a closed client anew, without the bytes of the old connection", function()
      local receiver = peers.receiver(socket, "old one\nold two\n")
      assert.equal("old one", (receiver:receive()))
      receiver:close()
      local server, port = peers.server(socket)
      assert.same({ n = 1, 1 }, pack(receiver:connect("127.0.0.1", port)))
      assert(server:accept()):send("new\n")
      assert.equal("new", (receiver:receive()))
    end)

    it("gives up after its timeout when there is no answer", function()
      local port = peers.unanswering_port(socket)
      local tcp = socket.tcp()
      tcp:settimeout(0.05)
      local seconds = peers.seconds(function()
        assert.same(TIMEOUT, pack(tcp:connect("127.0.0.1", port)))
      end)
      assert.is_true(seconds >= 0.04)
      assert.equal("tcp{client}", tcp.class)
    end)

    it("with timeout 0 is under way, and asking again tells so", function()
      local port = peers.unanswering_port(socket)
      local tcp = socket.tcp()
      tcp:settimeout(0)
      assert.same(TIMEOUT, pack(tcp:connect("127.0.0.1", port)))
      assert.equal("tcp{client}", tcp.class)
      assert.same({ n = 2, nil, "Operation already in progress" }, pack(tcp:connect("127.0.0.1", port)))
      assert.same({ n = 3, nil, "timeout", 0 }, pack(tcp:send("x")))
      assert.same({ n = 3, nil, "timeout", "" }, pack(tcp:receive()))
    end)

    it("with timeout 0 has succeeded when send goes through", function()
      local server, port = peers.server(socket)
      local tcp = socket.tcp()
      tcp:settimeout(0)
      local _, err = tcp:connect("127.0.0.1", port)
      assert.is_true(err == nil or err == "timeout")
      tcp:settimeout(nil)
      assert.equal(6, (tcp:send("hello\n")))
      assert.is_nil(tcp:getoption("error"))
      assert.equal("hello", (assert(server:accept()):receive()))
    end)

    it("with timeout 0 that was refused makes send and receive say so", function()
      local port = peers.refused_port(socket)
      local calls = {
        receive = function(tcp) return tcp:receive() end,
        send = function(tcp) return tcp:send("x") end,
      }
      for _, call in pairs(calls) do
        local tcp = socket.tcp()
        tcp:settimeout(0)
        if select(2, tcp:connect("127.0.0.1", port)) == "timeout" then
          tcp:settimeout(nil)
          assert.equal("connection refused", (select(2, call(tcp))))
        end
      end
    end)
  end)

  describe("listen and accept " .. place, function()
    it("listen returns 1 and makes a server", function()
      local tcp = socket.tcp()
      assert(tcp:bind("127.0.0.1", 0))
      assert.same({ n = 1, 1 }, pack(tcp:listen()))
      assert.equal("tcp{server}", tcp.class)
    end)

    it("listen takes a backlog", function()
      for _, backlog in ipairs { 0, 1, 128, "5" } do
        local tcp = socket.tcp4()
        assert.same({ n = 1, 1 }, pack(tcp:listen(backlog)))
      end
    end)

    it("listen works without bind on tcp4(), on a port that the system chooses", function()
      local tcp = socket.tcp4()
      assert.same({ n = 1, 1 }, pack(tcp:listen()))
      local _, port = tcp:getsockname()
      assert.truthy(socket.connect("127.0.0.1", port))
      assert.equal("tcp{client}", tcp:accept().class)
    end)

    it("accept gives clients in the order they connected, with default timeouts", function()
      local server, port = peers.server(socket)
      server:settimeout(5)
      local ports = {}
      for index = 1, 3 do
        local client = assert(socket.connect("127.0.0.1", port))
        ports[index] = { client, select(2, client:getsockname()) }
      end
      for index = 1, 3 do
        local accepted = server:accept()
        assert.equal("tcp{client}", accepted.class)
        assert.equal(ports[index][2], (select(2, accepted:getpeername())))
        assert.same({ n = 2, -1, -1 }, pack(accepted:gettimeout()))
      end
    end)

    it("accept gives clients of the server's family", function()
      for _, family in ipairs(peers.families) do
        local _, peer = peers.pair(socket, family.address)
        assert.equal(family.family == "inet" and "inet4" or "inet6", peer:getfamily())
      end
    end)

    it("accept gives up after its timeout", function()
      local server = peers.server(socket)
      server:settimeout(0.05)
      assert.is_true(peers.seconds(function()
        assert.same(TIMEOUT, pack(server:accept()))
      end) >= 0.04)
    end)

    it("accept with timeout 0 does not wait", function()
      local server = peers.server(socket)
      server:settimeout(0)
      assert.same(TIMEOUT, pack(server:accept()))
    end)

    it("accept gives a client that has already gone", function()
      local server, port = peers.server(socket)
      local client = assert(socket.connect("127.0.0.1", port))
      client:send("bye\n")
      client:close()
      local accepted = server:accept()
      assert.equal("bye", (accepted:receive()))
      assert.same({ n = 3, nil, "closed", "" }, pack(accepted:receive()))
    end)

    it("accept waits for another program to connect, and receive for its answer", function()
      local server, port = peers.server(socket)
      local program = peers.program_that_answers_one_line(port)
      local client = assert(server:accept())
      assert.equal(6, (client:send("hello\n")))
      assert.equal("hello to you", (client:receive()))
      assert.same({ n = 3, nil, "closed", "" }, pack(client:receive()))
      program:close()
    end)
  end)
end

describe("bind, listen and connect", function()
  for _, name in ipairs { "bind", "setsockname", "connect", "setpeername" } do
    it(name .. " raises without a host or a port", function()
      local source = ("local tcp, host, port = ... tcp:%s(host, port)"):format(name)
      local call = (loadstring or load)(source, "=call")
      assert.matches(("^bad argument #1 to '%s' %%(string expected, got n"):format(name), raised(function()
        call(socket.tcp())
      end))
      assert.matches(("^bad argument #2 to '%s' %%(string expected, got n"):format(name), raised(function()
        call(socket.tcp(), "127.0.0.1")
      end))
    end)
  end

  it("listen raises for a backlog that is no number", function()
    assert.equal("bad argument #1 to 'listen' (number expected, got string)", raised(function()
      socket.tcp4():listen("x")
    end))
  end)
end)
