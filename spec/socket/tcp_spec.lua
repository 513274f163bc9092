-- The objects that tcp, tcp4 and tcp6 make: their classes, which methods each class has, and the methods that
-- never wait. Connecting and accepting: tcp_connect_spec.lua.

local socket = require "cosock.socket"
local peers = require "spec.support.peers"

local pack, raised = peers.pack, peers.raised

-- One socket of each class.
local make = {
  ["tcp{master}"] = function()
    return socket.tcp4()
  end,
  ["tcp{client}"] = function()
    return (peers.pair(socket))
  end,
  ["tcp{server}"] = function()
    return (peers.server(socket))
  end,
}

-- The group of classes each method belongs to; called on another class it raises.
local methods = {
  ["tcp{any}"] = {
    "close", "connect", "dirty", "getfamily", "getfd", "getoption", "getpeername", "getsockname", "gettimeout", "setfd",
    "setoption", "setpeername", "settimeout",
  },
  ["tcp{client}"] = { "getstats", "receive", "send", "setstats", "shutdown" },
  ["tcp{master}"] = { "bind", "listen", "setsockname" },
  ["tcp{server}"] = { "accept" },
}

describe("a TCP socket", function()
  for class, new in pairs(make) do
    it("has its class in class and tostring: " .. class, function()
      local tcp = new()
      assert.equal(class, tcp.class)
      assert.matches("^" .. class:gsub("%p", "%%%0") .. ": 0x%x+$", tostring(tcp))
    end)
  end

  for group, names in pairs(methods) do
    for _, name in ipairs(names) do
      it(("has %s, for %s"):format(name, group), function()
        for class, new in pairs(make) do
          local tcp = new()
          assert.is_function(tcp[name])
          if group ~= "tcp{any}" and class ~= group then
            local call = (loadstring or load)(("local tcp = ... tcp:%s()"):format(name), "=call")
            assert.equal(("calling '%s' on bad self (%s expected)"):format(name, group), raised(function()
              call(tcp)
            end))
          end
        end
      end)
    end
  end

  it("names the argument, not self, when a method is called as a function", function()
    local tcp = socket.tcp()
    local send, close = tcp.send, tcp.close
    assert.equal("bad argument #1 to 'send' (tcp{client} expected)", raised(function()
      send(tcp, "x")
    end))
    assert.equal("bad argument #1 to 'close' (tcp{any} expected)", raised(function()
      close({})
    end))
  end)

  it("does not count self where a method call replaces its caller", function()
    local tcp = socket.tcp4()
    -- LuaJIT does not know that it was a method.
    assert.equal(jit and "bad argument #2 to 'setoption' (unsupported option `x')"
      or "bad argument #1 to 'setoption' (unsupported option `x')", raised(function()
      return tcp:setoption("x", true)
    end))
    assert.equal("bad argument #1 to 'toip' (string expected, got table)", raised(function()
      return socket.dns.toip {}
    end))
  end)

  it("blames the line of the call for a wrong argument", function()
    local client = peers.pair(socket)
    local line
    local _, message = pcall(function()
      line = debug.getinfo(1, "l").currentline + 1
      client:send({})
    end)
    assert.matches("^[^:]*tcp_spec%.lua:" .. line .. ": bad argument #1 to 'send'", message)
  end)

  it("lets other libraries find its methods in its metatable", function()
    local client, peer = peers.pair(socket)
    local index = getmetatable(client).__index
    assert.equal("tcp{client}", index.class)
    assert.equal(3, (index.send(client, "abc")))
    assert.equal("abc", (index.receive(peer, 3)))
  end)

  it("is closed when it is collected", function()
    local server, port = peers.server(socket)
    do
      local client = assert(socket.connect("127.0.0.1", port))
      assert.equal(6, (client:send("hello\n")))
    end
    local peer = server:accept()
    collectgarbage()
    collectgarbage()
    assert.equal("hello", (peer:receive()))
    assert.same({ n = 3, nil, "closed", "" }, pack(peer:receive()))
  end)

  it("does not take fields", function()
    assert.has_error(function()
      socket.tcp().field = 1
    end)
  end)
end)

describe("tcp()", function()
  it("opens no descriptor yet", function()
    assert.equal(-1, socket.tcp():getfd())
  end)

  it("calls its family inet4 while it is undecided", function()
    assert.equal("inet4", socket.tcp():getfamily())
  end)

  for name, call in pairs {
    getsockname = function(tcp) return tcp:getsockname() end,
    getpeername = function(tcp) return tcp:getpeername() end,
    listen = function(tcp) return tcp:listen() end,
  } do
    it(("answers %s with Bad file descriptor"):format(name), function()
      assert.same({ n = 2, nil, "Bad file descriptor" }, pack(call(socket.tcp())))
    end)
  end

  it("can neither set nor read options", function()
    local tcp = socket.tcp()
    assert.same({ n = 2, nil, "setsockopt failed" }, pack(tcp:setoption("reuseaddr", true)))
    assert.same({ n = 2, nil, "getsockopt failed" }, pack(tcp:getoption("reuseaddr")))
    assert.same({ n = 2, nil, "getsockopt failed" }, pack(tcp:getoption("error")))
  end)

  it("opens a descriptor of the address's family with bind", function()
    for _, family in ipairs(peers.families) do
      local tcp = socket.tcp()
      assert.same({ n = 1, 1 }, pack(tcp:bind(family.address, 0)))
      assert.is_true(tcp:getfd() >= 0)
      assert.equal(family.family == "inet" and "inet4" or "inet6", tcp:getfamily())
    end
  end)
end)

for _, family in ipairs(peers.families) do
  describe(family.tcp .. "()", function()
    it("opens a descriptor at once", function()
      assert.is_true(socket[family.tcp]():getfd() >= 0)
    end)

    it("has the wildcard address and port 0", function()
      assert.same({ n = 3, family.wildcard, 0, family.family }, pack(socket[family.tcp]():getsockname()))
    end)

    it("has no peer", function()
      assert.same({ n = 2, nil, "Transport endpoint is not connected" }, pack(socket[family.tcp]():getpeername()))
    end)

    it("knows its family", function()
      assert.equal(family.family == "inet" and "inet4" or "inet6", socket[family.tcp]():getfamily())
    end)
  end)
end

if peers.has_ipv6 then
  it("a server made for IPv6 does not answer over IPv4", function()
    local server, port, is_ours
    -- Nobody else listens on this port over IPv4, either.
    for _ = 1, 100 do
      server = socket.tcp6()
      assert(server:bind("::", 0))
      port = select(2, server:getsockname())
      is_ours = socket.tcp4():bind("127.0.0.1", port)
      if is_ours then
        break
      end
    end
    assert(is_ours)
    assert(server:listen())
    assert.truthy(socket.connect("::1", port))
    assert.same({ n = 2, nil, "connection refused" }, pack(socket.connect("127.0.0.1", port)))
  end)
end

describe("close", function()
  for class, new in pairs(make) do
    it(("of a %s returns 1, also when closed already, and keeps the class"):format(class), function()
      local tcp = new()
      assert.same({ n = 1, 1 }, pack(tcp:close()))
      assert.same({ n = 1, 1 }, pack(tcp:close()))
      assert.equal(class, tcp.class)
      assert.equal(-1, tcp:getfd())
      assert.same({ n = 2, nil, "Bad file descriptor" }, pack(tcp:getsockname()))
      assert.same({ n = 2, nil, "Bad file descriptor" }, pack(tcp:getpeername()))
    end)
  end

  it("of tcp() that never opened returns 1", function()
    assert.same({ n = 1, 1 }, pack(socket.tcp():close()))
  end)

  it("of a client makes send and receive answer closed", function()
    local client = peers.pair(socket)
    client:close()
    assert.same({ n = 3, nil, "closed", 0 }, pack(client:send("abc")))
    assert.same({ n = 3, nil, "closed", 1 }, pack(client:send("abc", 2)))
    assert.same({ n = 3, nil, "closed", "" }, pack(client:receive()))
  end)

  it("of a server makes accept answer closed", function()
    local server = peers.server(socket)
    server:close()
    assert.same({ n = 2, nil, "closed" }, pack(server:accept()))
  end)

  it("forgets what was read but not handed over, where LuaSocket still hands it over", function()
    local receiver = peers.receiver(socket, "one\ntwo\n")
    assert.equal("one", (receiver:receive()))
    assert.is_true(receiver:dirty())
    receiver:close()
    assert.is_false(receiver:dirty())
    assert.same({ n = 3, nil, "closed", "" }, pack(receiver:receive()))
  end)
end)

describe("dirty", function()
  it("tells whether bytes are read but not handed over", function()
    local receiver = peers.receiver(socket, "one\ntwo\n")
    assert.equal("one", (receiver:receive()))
    assert.is_true(receiver:dirty())
    assert.equal("two", (receiver:receive()))
    assert.is_false(receiver:dirty())
  end)

  it("is false for masters and servers", function()
    assert.is_false(make["tcp{master}"]():dirty())
    assert.is_false(make["tcp{server}"]():dirty())
  end)
end)

describe("setfd", function()
  it("returns nothing", function()
    assert.same({ n = 0 }, pack(socket.tcp():setfd(-1)))
  end)

  it("moves a connection from one object to another", function()
    local first, peer = peers.pair(socket)
    local second = peers.pair(socket)
    second:close()
    second:setfd(first:getfd())
    first:setfd(-1)
    assert.equal(-1, first:getfd())
    assert.equal("tcp{client}", second.class)
    assert.equal(6, (peer:send("hello\n")))
    assert.equal("hello", (second:receive()))
  end)

  it("keeps class and family", function()
    local tcp = socket.tcp()
    tcp:setfd(-1)
    assert.equal("tcp{master}", tcp.class)
    assert.equal("inet4", tcp:getfamily())
  end)

  it("raises for what is no number", function()
    for _, value in ipairs { "x", {}, true } do
      assert.equal(("bad argument #1 to 'setfd' (number expected, got %s)"):format(type(value)), raised(function()
        socket.tcp():setfd(value)
      end))
    end
  end)
end)

describe("getstats", function()
  it("counts the bytes handed over, those dropped at line ends included, and the bytes sent", function()
    local receiver, sender = peers.receiver(socket, "one\r\ntwo")
    assert.equal("one", (receiver:receive()))
    local received, sent, age = receiver:getstats()
    assert.same({ 5, 0 }, { received, sent })
    assert.is_true(age >= 0)
    received, sent = sender:getstats()
    assert.same({ 0, 8 }, { received, sent })
  end)

  it("works after close", function()
    local receiver = peers.receiver(socket, "one\n")
    assert.equal("one", (receiver:receive()))
    receiver:close()
    assert.equal(4, (receiver:getstats()))
  end)

  it("takes up from what setstats was given", function()
    local client = peers.pair(socket)
    assert.same({ n = 1, 1 }, pack(client:setstats(100, 200, 3600)))
    client:send("abc")
    local received, sent, age = client:getstats()
    assert.same({ 100, 203 }, { received, sent })
    assert.is_true(age >= 3600)
  end)

  it("keeps what setstats was not given", function()
    local client = peers.pair(socket)
    client:setstats(100, 200)
    client:setstats(nil, 5)
    assert.same({ 100, 5 }, { (client:getstats()), (select(2, client:getstats())) })
    assert.equal(1, client:setstats())
    assert.equal(100, (client:getstats()))
  end)

  it("raises for counts that are no numbers, and ignores such an age", function()
    local client = peers.pair(socket)
    assert.equal("bad argument #1 to 'setstats' (number expected, got string)", raised(function()
      client:setstats("x")
    end))
    assert.equal("bad argument #2 to 'setstats' (number expected, got table)", raised(function()
      client:setstats(1, {})
    end))
    assert.equal(1, client:setstats(1, 2, "x"))
  end)
end)

describe("shutdown", function()
  for _, how in ipairs { "both", "send" } do
    it(("with %q lets the peer see the end"):format(how), function()
      local client, peer = peers.pair(socket)
      assert.same({ n = 1, 1 }, pack(client:shutdown(how)))
      assert.same({ n = 3, nil, "closed", "" }, pack(peer:receive()))
      assert.same({ n = 3, nil, "closed", 0 }, pack(client:send("x")))
    end)
  end

  it("shuts both directions by default", function()
    local client, peer = peers.pair(socket)
    assert.equal(1, client:shutdown())
    assert.same({ n = 3, nil, "closed", "" }, pack(peer:receive()))
    assert.same({ n = 3, nil, "closed", "" }, pack(client:receive()))
  end)

  it("with \"receive\" ends receiving alone", function()
    local client, peer = peers.pair(socket)
    assert.equal(1, client:shutdown("receive"))
    assert.same({ n = 3, nil, "closed", "" }, pack(client:receive()))
    assert.equal(5, (client:send("abcd\n")))
    assert.equal("abcd", (peer:receive()))
  end)

  it("with \"send\" still receives", function()
    local client, peer = peers.pair(socket)
    client:shutdown("send")
    assert.equal(6, (peer:send("reply\n")))
    assert.equal("reply", (client:receive()))
  end)

  it("returns 1 on a closed client too", function()
    local client = peers.pair(socket)
    client:close()
    assert.same({ n = 1, 1 }, pack(client:shutdown()))
  end)

  it("raises for any other word", function()
    local client = peers.pair(socket)
    assert.equal("bad argument #1 to 'shutdown' (invalid option 'x')", raised(function()
      client:shutdown("x")
    end))
    assert.equal("bad argument #1 to 'shutdown' (string expected, got table)", raised(function()
      client:shutdown({})
    end))
  end)
end)
