-- Unix sockets, with good, wrong and missing arguments, in every state, and in whole conversations:
-- `cosock.socket.unix` does what LuaSocket's `socket.unix` does.

local oracle = require "spec.support.oracle"
local stream_scenarios = require "spec.support.stream_scenarios"
local unix_peers = require "spec.support.unix_peers"

local unpack = table.unpack or unpack -- luacheck: ignore 143

-- The paths are the same in every run, so that the calls read the same.
local function fresh(name)
  return unix_peers.path("differential." .. name)
end

-- How to bring a socket into each state. What a builder returns after the socket is kept alive for as long as it.
local states = {
  unixstream = {
    { "a master", function(unix) return unix.stream() end },
    { "a bound master", function(unix)
      local master = unix.stream()
      assert(master:bind(fresh "bound"))
      return master
    end },
    { "a server", function(unix) return (unix_peers.server(unix, fresh "own")) end },
    { "a connected client", function(unix) return unix_peers.pair(unix, fresh "own") end },
    { "an accepted client", function(unix)
      local client, peer = unix_peers.pair(unix, fresh "own")
      return peer, client
    end },
    { "a master that failed to bind", function(unix)
      local master = unix.stream()
      master:bind "/no/such/folder/socket"
      return master
    end },
    { "a master that failed to connect", function(unix)
      local master = unix.stream()
      master:connect "/no/such/folder/socket"
      return master
    end },
    { "a closed master", function(unix)
      local master = unix.stream()
      master:close()
      return master
    end },
    { "a closed server", function(unix)
      local server = unix_peers.server(unix, fresh "own")
      server:close()
      return server
    end },
    { "a closed client", function(unix)
      local client, peer = unix_peers.pair(unix, fresh "own")
      client:close()
      return client, peer
    end },
    { "a client whose peer has closed", function(unix)
      local client, peer = unix_peers.pair(unix, fresh "own")
      peer:close()
      return client
    end },
  },
  unixdgram = {
    { "a datagram socket", function(unix) return unix.dgram() end },
    { "a bound datagram socket", function(unix) return (unix_peers.datagram(unix, fresh "own")) end },
    { "a connected datagram socket", function(unix) return unix_peers.datagram_pair(unix, fresh "own") end },
    { "a datagram socket whose peer has closed", function(unix)
      local sender, receiver = unix_peers.datagram_pair(unix, fresh "own")
      receiver:close()
      return sender
    end },
    { "a datagram socket that failed to connect", function(unix)
      local sock = unix.dgram()
      sock:connect "/no/such/folder/socket"
      return sock
    end },
    { "a closed datagram socket", function(unix)
      local sock = unix.dgram()
      sock:close()
      return sock
    end },
    { "a closed connected datagram socket", function(unix)
      local sender, receiver = unix_peers.datagram_pair(unix, fresh "own")
      sender:close()
      return sender, receiver
    end },
  },
}

local function args(...)
  return { n = select("#", ...), ... }
end

-- Stand for the paths of a run.
local FREE, SERVER, DATAGRAM, UNUSED = "<free path>", "<server>", "<datagram socket>", "<bound, but silent>"

local none, anything = args(), { args(), args(nil), args(1, 2) }

local paths = {
  args(), args(nil), args(true), args({}), args(FREE), args(SERVER), args(DATAGRAM), args(UNUSED), args(""),
  args("/no/such/folder/socket"), args("/dev/null"), args("/dev"), args(("x"):rep(108)), args(("x"):rep(1000)),
  args(FREE, "extra"),
}

local data = {
  args(), args(nil), args("abc"), args(""), args(12), args(1.5), args(true), args({}), args("abc", 2),
  args("abc", -2), args("abc", 9), args("abc", "2"), args("abc", "x"), args("abc", 1, "x"), args("abc", nil, 2),
}

local timeouts = {
  none, args(nil), args(1), args("1"), args("x"), args(true), args(1, "b"), args(1, "t"), args(1, "r"), args(1, "x"),
  args(1, ""), args(1, nil), args(-3),
}

local settings = {
  none, args("reuseaddr"), args("reuseaddr", true), args("reuseaddr", 1), args("keepalive", true), args("keepalive", 1),
  args("linger", { on = true, timeout = 1 }), args("linger", { on = true }), args("linger", true), args("linger"),
  args("tcp-nodelay", true), args("reuseport", true), args("error"), args("x", 1), args(5, 1), args(true, 1),
}

local methods = {
  unixstream = {
    accept = anything,
    bind = paths,
    close = anything,
    connect = paths,
    dirty = anything,
    getfd = anything,
    getsockname = anything,
    getstats = anything,
    listen = { none, args(nil), args(1), args("2"), args("x"), args(true), args({}) },
    receive = { none, args("*l"), args("*a"), args("*x"), args(""), args(0), args(3), args("3"), args(-1), args(true),
      args({}), args("*l", "before"), args(3, "before"), args("*l", {}) },
    send = data,
    setfd = { none, args("x"), args({}), args(true) },
    setoption = settings,
    setpeername = paths,
    setsockname = paths,
    setstats = { none, args(1), args(1, 2), args("x"), args(nil, nil, "x") },
    settimeout = timeouts,
    shutdown = { none, args("both"), args("send"), args("receive"), args("x"), args(nil), args(1) },
    gettimeout = { none },
    getoption = { args("reuseaddr") },
    getpeername = { none },
  },
  unixdgram = {
    bind = paths,
    close = anything,
    connect = paths,
    dirty = anything,
    getfd = anything,
    getsockname = anything,
    gettimeout = anything,
    receive = { args("*l"), args("x"), args(true), args({}), args(-1), args(1e18) },
    receivefrom = { args("*l"), args("x"), args(true), args({}), args(-1), args(1e18) },
    send = { none, args(nil), args("abc"), args(""), args(12), args(true), args({}), args("abc", 2) },
    sendto = { none, args("abc"), args("abc", DATAGRAM), args("", DATAGRAM), args(12, DATAGRAM), args("abc", FREE),
      args("abc", UNUSED), args("abc", ""), args("abc", "/dev/null"), args("abc", "/no/such/folder/socket"),
      args("abc", ("x"):rep(108)), args("abc", {}), args({}, DATAGRAM), args(nil, DATAGRAM),
      args(("x"):rep(10000000), DATAGRAM) },
    setfd = { none, args("x"), args({}), args(true) },
    setoption = settings,
    setpeername = paths,
    setsockname = paths,
    settimeout = timeouts,
    getfamily = { none },
    getpeername = { none },
    getstats = { none },
  },
}

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

-- A scenario that makes every call of one method on a fresh socket in one state, and then looks at the socket.
local function calls(build, name, argument_lists)
  return function(unix, record)
    local server, server_path = unix_peers.server(unix, fresh "server")
    local datagram, datagram_path = unix_peers.datagram(unix, fresh "datagram")
    for _, arguments in ipairs(argument_lists) do
      local silent, silent_path = unix.stream(), fresh "silent"
      assert(silent:bind(silent_path))
      local places = {
        [FREE] = fresh "free", [SERVER] = server_path, [DATAGRAM] = datagram_path, [UNUSED] = silent_path,
      }
      -- LuaSocket sends to a stream again and again for ever.
      places[UNUSED] = name ~= "sendto" and silent_path or nil
      local subject, partner = build(unix)
      subject:settimeout(0)
      local filled = { n = arguments.n }
      for index = 1, arguments.n do
        filled[index] = places[arguments[index]] or arguments[index]
      end
      record:method(subject, name, unpack(filled, 1, filled.n))
      record:value("    its class", subject.class)
      record:method(subject, "getfd")
      record:method(subject, "getsockname")
      if partner then
        partner:close()
      end
      subject:close()
      silent:close()
    end
    server:close()
    datagram:close()
  end
end

local function life_of_a_stream(unix, record)
  local path = fresh "life"
  local server = unix.stream()
  record:method(server, "getsockname")
  record:method(server, "bind", path)
  record:method(server, "getsockname")
  record:method(server, "listen")
  record:value("class", server.class)
  local client = unix()
  record:method(client, "connect", path)
  record:value("class", client.class)
  record:method(client, "getsockname")
  local accepted = server:accept()
  record:value("accepted", accepted)
  record:method(accepted, "getsockname")
  record:method(client, "connect", path)
  server:settimeout(0.02)
  record:method(server, "accept")
  record:method(server, "close")
  record:method(server, "accept")
  record:method(server, "getsockname")
  record:method(client, "send", "after the server has gone\n")
  record:method(accepted, "receive")
  local late = unix.stream()
  record:method(late, "connect", path)
  record:method(late, "getfd")
  record:method(late, "connect", path)
  client:close()
  accepted:close()
end

local function datagram_conversation(unix, record)
  local a, a_path = unix_peers.datagram(unix, fresh "a")
  local b, b_path = unix_peers.datagram(unix, fresh "b")
  local unbound = unix.dgram()
  record:method(a, "sendto", "hello", b_path)
  record:method(b, "receivefrom")
  record:method(unbound, "sendto", "from nowhere", b_path)
  record:method(b, "receivefrom")
  record:method(a, "sendto", "", b_path)
  record:method(b, "receive")
  record:method(a, "sendto", ("x"):rep(9000), b_path)
  record:method(b, "receive")
  record:method(a, "sendto", ("x"):rep(9000), b_path)
  record:method(b, "receive", 9001)
  record:method(a, "sendto", ("x"):rep(100000), b_path)
  record:method(b, "receive", 100000)
  record:method(a, "sendto", "abcdef", b_path)
  record:method(b, "receive", 2)
  record:method(a, "sendto", "abcdef", b_path)
  record:method(b, "receivefrom", 0)
  b:settimeout(0.02)
  record:method(b, "receive")
  record:method(b, "receivefrom")
  record:method(b, "connect", a_path)
  record:value("class", b.class)
  record:method(b, "send", "back")
  record:method(b, "send", "")
  record:method(b, "sendto", "x", a_path)
  record:method(a, "receivefrom", 3)
  record:method(a, "receive")
  record:method(b, "connect", a_path)
  record:method(b, "connect", "/no/such/folder/socket")
  record:value("class", b.class)
  record:method(b, "getfd")
  record:method(a, "sendto", "x", b_path)
  record:method(a, "close")
  record:method(a, "close")
  unbound:close()
end

local function the_module(unix, record)
  for _, name in ipairs { "stream", "tcp", "dgram", "udp" } do
    record:call(name)
    record:call(name, 1, 2)
  end
  record:value("called", unix(), unix(1))
  record:value("the same", unix.stream == unix.tcp, unix.dgram == unix.udp, getmetatable(unix) == unix)
end

local function same_as_luasocket(title, scenario)
  it(title, function()
    assert.equal("", oracle.differences(scenario, "socket.unix"))
  end)
end

if oracle.available("socket.unix") then
  for _, family in ipairs { "unixstream", "unixdgram" } do
    for _, state in ipairs(states[family]) do
      local title, build = unpack(state)
      describe("as with LuaSocket, " .. title, function()
        teardown(unix_peers.remove_files)
        for _, name in ipairs(sorted_keys(methods[family])) do
          same_as_luasocket("answers " .. name .. " with any arguments", calls(build, name, methods[family][name]))
        end
      end)
    end
  end

  describe("as with LuaSocket, unix sockets", function()
    teardown(unix_peers.remove_files)
    local function receiver(unix, bytes)
      return unix_peers.receiver(unix, bytes, fresh "receiver")
    end

    same_as_luasocket("are made by the module", the_module)
    same_as_luasocket("live and die as streams", life_of_a_stream)
    same_as_luasocket("exchange datagrams", datagram_conversation)
    for _, scenarios in ipairs { stream_scenarios.receiving(receiver), stream_scenarios.talking(receiver) } do
      for _, scenario in ipairs(scenarios) do
        same_as_luasocket(scenario[1], scenario[2])
      end
    end
  end)
else
  it("has no LuaSocket here to compare unix sockets with", function() end)
end
