-- UDP sockets: their classes and methods, and datagrams going to and fro.

local socket = require "cosock.socket"
local peers = require "spec.support.peers"

local pack, raised = peers.pack, peers.raised

local CLOSED = { n = 2, nil, "closed" }
local REFUSED = { n = 2, nil, "refused" }

local make = {
  ["udp{unconnected}"] = function()
    return socket.udp4()
  end,
  ["udp{connected}"] = function()
    return (peers.udp_pair(socket))
  end,
}

-- The group of classes each method belongs to; called on another class it raises.
local methods = {
  ["udp{any}"] = {
    "close", "dirty", "getfamily", "getfd", "getoption", "getsockname", "gettimeout", "receive", "setfd", "setoption",
    "setpeername", "settimeout",
  },
  ["udp{unconnected}"] = { "receivefrom", "sendto", "setsockname" },
  ["udp{connected}"] = { "getpeername", "send" },
}

describe("a UDP socket", function()
  for class, new in pairs(make) do
    it("has its class in class and tostring: " .. class, function()
      local udp = new()
      assert.equal(class, udp.class)
      assert.matches("^" .. class:gsub("%p", "%%%0") .. ": 0x%x+$", tostring(udp))
    end)

    it(("closes more than once and keeps its class: %s"):format(class), function()
      local udp = new()
      assert.same({ n = 1, 1 }, pack(udp:close()))
      assert.same({ n = 1, 1 }, pack(udp:close()))
      assert.equal(class, udp.class)
      assert.equal(-1, udp:getfd())
      assert.same({ n = 2, nil, "Bad file descriptor" }, pack(udp:getsockname()))
    end)

    it("is never dirty: " .. class, function()
      assert.is_false(new():dirty())
    end)
  end

  for group, names in pairs(methods) do
    for _, name in ipairs(names) do
      it(("has %s, for %s"):format(name, group), function()
        for class, new in pairs(make) do
          local udp = new()
          assert.is_function(udp[name])
          if group ~= "udp{any}" and class ~= group then
            local call = (loadstring or load)(("local udp = ... udp:%s()"):format(name), "=call")
            assert.equal(("calling '%s' on bad self (%s expected)"):format(name, group), raised(function()
              call(udp)
            end))
          end
        end
      end)
    end
  end

  it("is another family than TCP", function()
    local send, receive = make["udp{connected}"]().send, make["udp{connected}"]().receive
    assert.equal("bad argument #1 to 'send' (udp{connected} expected)", raised(function()
      send(socket.tcp(), "x")
    end))
    assert.equal("bad argument #1 to 'receive' (udp{any} expected)", raised(function()
      receive(socket.tcp())
    end))
  end)
end)

describe("udp()", function()
  it("opens no descriptor yet", function()
    assert.equal(-1, socket.udp():getfd())
    assert.equal("inet4", socket.udp():getfamily())
    assert.same({ n = 2, nil, "Bad file descriptor" }, pack(socket.udp():getsockname()))
    assert.same({ n = 2, nil, "setsockopt failed" }, pack(socket.udp():setoption("broadcast", true)))
  end)

  it("opens one with sendto, setsockname or setpeername", function()
    for _, family in ipairs(peers.families) do
      local _, port = peers.udp(socket, family.address)
      for _, open in ipairs {
        function(udp) return udp:sendto("x", family.address, port) end,
        function(udp) return udp:setsockname(family.address, 0) end,
        function(udp) return udp:setpeername(family.address, port) end,
      } do
        local udp = socket.udp()
        assert.same({ n = 1, 1 }, pack(open(udp)))
        assert.is_true(udp:getfd() >= 0)
        assert.equal(family.family == "inet" and "inet4" or "inet6", udp:getfamily())
      end
    end
  end)
end)

for _, family in ipairs(peers.families) do
  it(family.udp .. "() opens a descriptor of its family at once", function()
    local udp = socket[family.udp]()
    assert.is_true(udp:getfd() >= 0)
    assert.same({ n = 3, family.wildcard, 0, family.family }, pack(udp:getsockname()))
  end)
end

for place, it in peers.inside_and_outside(it) do
  for _, family in ipairs(peers.families) do
    describe(("a datagram over %s %s"):format(family.name, place), function()
      it("goes from sendto to receivefrom with its sender", function()
        local a, a_port = peers.udp(socket, family.address)
        local b, b_port = peers.udp(socket, family.address)
        assert.same({ n = 1, 5 }, pack(a:sendto("hello", family.address, b_port)))
        assert.same({ n = 3, "hello", family.address, a_port }, pack(b:receivefrom()))
      end)

      it("goes from sendto to receive without it", function()
        local a = peers.udp(socket, family.address)
        local b, b_port = peers.udp(socket, family.address)
        a:sendto("hello", family.address, b_port)
        assert.same({ n = 1, "hello" }, pack(b:receive()))
      end)

      it("goes between connected sockets", function()
        local a, a_port = peers.udp(socket, family.address)
        local b, b_port = peers.udp(socket, family.address)
        assert.same({ n = 1, 1 }, pack(a:setpeername(family.address, b_port)))
        assert.same({ n = 1, 1 }, pack(b:setpeername(family.address, a_port)))
        assert.same({ n = 3, family.address, b_port, family.family }, pack(a:getpeername()))
        assert.same({ n = 1, 4 }, pack(a:send("ping")))
        assert.equal("ping", b:receive())
        assert.same({ n = 1, 4 }, pack(b:send("pong")))
        assert.equal("pong", a:receive())
      end)
    end)
  end

  describe("send and receive of UDP " .. place, function()
    it("keep an empty datagram", function()
      local a, b = peers.udp_pair(socket)
      assert.same({ n = 1, 0 }, pack(a:send("")))
      assert.same({ n = 1, "" }, pack(b:receive()))
    end)

    it("keep datagrams apart and in order", function()
      local a, b = peers.udp_pair(socket)
      for index = 1, 10 do
        a:send("datagram " .. index)
      end
      for index = 1, 10 do
        assert.equal("datagram " .. index, b:receive())
      end
    end)

    it("send a number as its text", function()
      local a, b = peers.udp_pair(socket)
      assert.same({ n = 1, 4 }, pack(a:send(12.5)))
      assert.equal("12.5", b:receive())
    end)

    it("cut a datagram to the size asked for and lose the rest", function()
      local a, b = peers.udp_pair(socket)
      a:send("abcdef")
      a:send("next")
      assert.same({ n = 1, "ab" }, pack(b:receive(2)))
      assert.same({ n = 1, "nex" }, pack(b:receive("3")))
    end)

    it("drop a datagram for size 0", function()
      local a, b = peers.udp_pair(socket)
      a:send("dropped")
      a:send("next")
      assert.same({ n = 1, "" }, pack(b:receive(0)))
      assert.equal("next", b:receive())
    end)

    it("cut a datagram to 8192 bytes unless asked for more", function()
      local a, b = peers.udp_pair(socket)
      for _ = 1, 2 do
        assert.equal(20000, (a:send(("x"):rep(20000))))
      end
      assert.equal(8192, #b:receive())
      assert.equal(20000, #b:receive(30000))
    end)

    it("cut to the size in receivefrom too", function()
      local a, a_port = peers.udp(socket)
      local b, b_port = peers.udp(socket)
      a:sendto("abcdef", "127.0.0.1", b_port)
      assert.same({ n = 3, "abc", "127.0.0.1", a_port }, pack(b:receivefrom(3)))
    end)

    it("fail for a size that no memory has", function()
      local udp = peers.udp(socket)
      for _, size in ipairs { -1, 2 ^ 52 } do
        assert.same({ n = 2, nil, "out of memory" }, pack(udp:receive(size)))
        assert.same({ n = 2, nil, "out of memory" }, pack(udp:receivefrom(size)))
      end
    end)

    it("fail for a datagram that is too large", function()
      local a = peers.udp_pair(socket)
      assert.same({ n = 2, nil, "Message too long" }, pack(a:send(("x"):rep(70000))))
    end)

    it("only take datagrams from the peer once connected", function()
      local a, b = peers.udp_pair(socket)
      local stranger = peers.udp(socket)
      local _, port = b:getsockname()
      stranger:sendto("stranger", "127.0.0.1", port)
      a:send("peer")
      assert.equal("peer", b:receive())
    end)

    it("tell of a refused datagram at the next call", function()
      local gone, port = peers.udp(socket)
      gone:close()
      local a = socket.udp()
      assert(a:setpeername("127.0.0.1", port))
      assert.equal(1, (a:send("x")))
      assert.same({ n = 2, nil, "connection refused" }, pack(a:receive()))
    end)
  end)

  describe("sendto " .. place, function()
    it("takes numeric addresses and ports only", function()
      local udp, port = peers.udp(socket)
      local unknown = { n = 2, nil, "Name or service not known" }
      assert.same(unknown, pack(udp:sendto("x", "localhost", port)))
      assert.same(unknown, pack(udp:sendto("x", "127.0.0.1", "domain")))
      assert.same({ n = 1, 1 }, pack(udp:sendto("x", "127.0.0.1", tostring(port))))
    end)

    it("fails with an address of the other family", function()
      assert.same({ n = 2, nil, "Address family for hostname not supported" },
        pack(socket.udp4():sendto("x", "::1", 9)))
    end)

    it("fails for a broadcast that was not allowed", function()
      assert.same({ n = 2, nil, "permission denied" }, pack(socket.udp():sendto("x", "255.255.255.255", 9)))
    end)
  end)

  describe("setsockname and setpeername of UDP " .. place, function()
    it("setsockname takes * for every address", function()
      local udp = socket.udp()
      assert.same({ n = 1, 1 }, pack(udp:setsockname("*", 0)))
      local address, port = udp:getsockname()
      assert.equal("0.0.0.0", address)
      assert.is_true(port > 0)
    end)

    it("setsockname fails the second time, and leaves the socket as it was", function()
      local udp, port = peers.udp(socket)
      assert.same({ n = 2, nil, "Invalid argument" }, pack(udp:setsockname("127.0.0.1", 0)))
      assert.equal(port, (select(2, udp:getsockname())))
    end)

    it("setsockname fails for an address in use, and can be tried again", function()
      local _, port = peers.udp(socket)
      local udp = socket.udp()
      assert.same({ n = 2, nil, "address already in use" }, pack(udp:setsockname("127.0.0.1", port)))
      assert.equal(1, udp:setsockname("127.0.0.1", 0))
    end)

    it("setpeername connects, and again to another peer", function()
      local udp = socket.udp()
      for _ = 1, 2 do
        local peer, port = peers.udp(socket)
        assert.same({ n = 1, 1 }, pack(udp:setpeername("127.0.0.1", port)))
        assert.equal("udp{connected}", udp.class)
        udp:send("hello")
        assert.equal("hello", peer:receive())
      end
    end)

    it("setpeername resolves names", function()
      local peer, port = peers.udp(socket)
      local udp = socket.udp()
      assert.equal(1, udp:setpeername("localhost", port))
      udp:send("hello")
      assert.equal("hello", peer:receive())
    end)

    it("setpeername keeps the class when it fails", function()
      local failure = { n = 2, nil, "host or service not provided, or not known" }
      local fresh, connected = socket.udp(), peers.udp_pair(socket)
      assert.same(failure, pack(fresh:setpeername("", 9)))
      assert.equal("udp{unconnected}", fresh.class)
      assert.same(failure, pack(connected:setpeername("", 9)))
      assert.equal("udp{connected}", connected.class)
    end)

    it("setpeername with * disconnects, needs no port, and always returns 1", function()
      local udp = peers.udp_pair(socket)
      assert.same({ n = 1, 1 }, pack(udp:setpeername("*")))
      assert.equal("udp{unconnected}", udp.class)
      local peer, port = peers.udp(socket)
      assert.equal(5, udp:sendto("hello", "127.0.0.1", port))
      assert.equal("hello", peer:receive())
      assert.same({ n = 1, 1 }, pack(socket.udp():setpeername("*")))
    end)
  end)

  describe("a closed UDP socket " .. place, function()
    it("refuses to send", function()
      local a = peers.udp_pair(socket)
      a:close()
      assert.same(REFUSED, pack(a:send("x")))
      local udp, port = peers.udp(socket)
      udp:close()
      assert.same(REFUSED, pack(udp:sendto("x", "127.0.0.1", port)))
    end)

    it("gives closed to receive, where LuaSocket gives an empty datagram", function()
      for _, new in pairs(make) do
        local udp = new()
        udp:close()
        assert.same(CLOSED, pack(udp:receive()))
      end
      assert.same(CLOSED, pack(socket.udp():receive())) -- not opened yet
    end)
  end)
end

describe("receive of UDP", function()
  for _, pattern in ipairs { "*l", "*a", "x", true, {} } do
    it(("raises for %s, which is no size"):format(tostring(pattern):match("^[^:]+")), function()
      local expected = ("(number expected, got %s)"):format(type(pattern))
      assert.equal("bad argument #1 to 'receive' " .. expected, raised(function()
        socket.udp4():receive(pattern)
      end))
      assert.equal("bad argument #1 to 'receivefrom' " .. expected, raised(function()
        socket.udp4():receivefrom(pattern)
      end))
    end)
  end
end)

describe("sendto", function()
  for index, name in ipairs { "data", "address", "port" } do
    it("raises without " .. name, function()
      local arguments = { "x", "127.0.0.1", 9 }
      arguments[index] = nil
      local message = ("^bad argument #%d to 'sendto' %%(string expected, got n"):format(index)
      assert.matches(message, raised(function()
        socket.udp4():sendto(arguments[1], arguments[2], arguments[3])
      end))
    end)
  end
end)
