-- Every method of TCP and UDP sockets with good, wrong and missing arguments, in every state a socket can be in:
-- `cosock.socket` does what LuaSocket does.

local oracle = require "spec.support.oracle"
local peers = require "spec.support.peers"

local unpack = table.unpack or unpack -- luacheck: ignore 143

-- How to bring a socket into each state. What a builder returns after the socket is kept alive for as long as it.
local states = {
  tcp = {
    { "tcp() untouched", function(socket) return socket.tcp() end },
    { "tcp4() untouched", function(socket) return socket.tcp4() end },
    { "a bound master", function(socket)
      local tcp = socket.tcp()
      assert(tcp:bind("127.0.0.1", 0))
      return tcp
    end },
    { "a server", function(socket) return (peers.server(socket)) end },
    { "a connected client", function(socket) return peers.pair(socket) end },
    { "an accepted client", function(socket)
      local client, peer = peers.pair(socket)
      return peer, client
    end },
    { "a client that could not resolve", function(socket)
      local tcp = socket.tcp()
      tcp:connect("", 1)
      return tcp
    end },
    { "a client that was refused", function(socket)
      local tcp = socket.tcp()
      tcp:connect("127.0.0.1", peers.refused_port(socket))
      return tcp
    end },
    { "a closed master", function(socket)
      local tcp = socket.tcp4()
      tcp:close()
      return tcp
    end },
    { "a closed server", function(socket)
      local server = peers.server(socket)
      server:close()
      return server
    end },
    { "a closed client", function(socket)
      local client, peer = peers.pair(socket)
      client:close()
      return client, peer
    end },
    { "a client whose peer has closed", function(socket)
      local client, peer = peers.pair(socket)
      peer:close()
      client:receive(0)
      return client
    end },
  },
  udp = {
    { "udp() untouched", function(socket) return socket.udp() end },
    { "udp4() untouched", function(socket) return socket.udp4() end },
    { "a bound udp", function(socket) return (peers.udp(socket)) end },
    { "a connected udp", function(socket) return peers.udp_pair(socket) end },
    { "a closed udp", function(socket)
      local udp = socket.udp4()
      udp:close()
      return udp
    end },
    { "a closed connected udp", function(socket)
      local a, b = peers.udp_pair(socket)
      a:close()
      return a, b
    end },
  },
}

local function args(...)
  return { n = select("#", ...), ... }
end

-- Stand for the ports of a run, so that the calls read the same in every run.
local LISTENING, REFUSED, UDP_PORT = "<listening port>", "<refused port>", "<udp port>"

local none, anything = args(), { args(), args(nil), args(1, 2) }

local addresses = {
  args(), args("127.0.0.1"), args("127.0.0.1", 0), args("127.0.0.1", "0"), args("*", 0), args(nil, 0), args(true, 0),
  args({}, 0), args("127.0.0.1", nil), args("127.0.0.1", true), args("127.0.0.1", {}), args("", 0),
  args("127.0.0.1", "no service"), args("127.0.0.1", -1), args("127.0.0.1", 0, "extra"), args(2130706433, 0),
}

local peer_addresses = {
  args(), args("127.0.0.1"), args("127.0.0.1", LISTENING), args("127.0.0.1", REFUSED), args(nil, LISTENING),
  args(true, LISTENING), args({}, LISTENING), args("127.0.0.1", nil), args("127.0.0.1", true), args("", LISTENING),
  args("127.0.0.1", "no service"), args("127.0.0.1", -1),
}

local data = {
  args(), args(nil), args("abc"), args(""), args(12), args(1.5), args(true), args({}),
  args("abc", 2), args("abc", 2, 2),
  args("abc", -2), args("abc", 9), args("abc", "2"), args("abc", "x"), args("abc", {}), args("abc", 1, "x"),
  args("abc", nil, 2), args("abc", 1, {}), args("abc", 3, 2), args("abc", -9, 9), args("abc", true),
}

local patterns = {
  args(), args(nil), args("*l"), args("*a"), args("*line"), args("*x"), args("l"), args("a"), args(""),
  args(0), args(3),
  args("3"), args(-1), args(true), args({}), args("*l", "before"), args(3, "before"), args(6, "before"), args("*l", 7),
  args("*l", true), args("*l", {}), args(3, false), args(print),
}

local methods = {
  tcp = {
    accept = anything,
    bind = addresses,
    close = anything,
    connect = peer_addresses,
    dirty = anything,
    getfamily = anything,
    getfd = anything,
    getpeername = anything,
    getsockname = anything,
    getstats = anything,
    gettimeout = anything,
    listen = { none, args(nil), args(1), args("2"), args(0), args("x"), args(true), args({}) },
    receive = patterns,
    send = data,
    setfd = { none, args("x"), args({}), args(true) },
    setpeername = peer_addresses,
    setsockname = addresses,
    setstats = { none, args(1), args(1, 2), args(1, 2, 3), args("1"), args("x"), args(nil, "x"), args(nil, nil, "x"),
      args(true), args(nil, {}) },
    settimeout = { none, args(nil), args(1), args("1"), args("x"), args(true), args({}), args(1, "b"), args(1, "t"),
      args(1, "r"), args(1, "total"), args(1, "x"), args(1, ""), args(1, nil), args(1, 5), args(1, {}), args(1, true),
      args(-3), args(nil, "t") },
    shutdown = { none, args("both"), args("send"), args("receive"), args("x"), args(""), args(nil), args(1) },
  },
  udp = {
    close = anything,
    dirty = anything,
    getfamily = anything,
    getfd = anything,
    getpeername = anything,
    getsockname = anything,
    gettimeout = anything,
    receive = { args("*l"), args("x"), args(true), args({}) },
    receivefrom = { none, args(nil), args(0), args(5), args("5"), args(9000), args("*l"), args(true), args({}) },
    send = { none, args(nil), args("abc"), args(""), args(12), args(true), args({}), args("abc", 2) },
    sendto = { none, args("abc"), args("abc", "127.0.0.1"), args("abc", "127.0.0.1", UDP_PORT),
      args("", "127.0.0.1", UDP_PORT), args(12, "127.0.0.1", UDP_PORT), args("abc", "localhost", UDP_PORT),
      args("abc", "::1", UDP_PORT), args("abc", "127.0.0.1", "x"), args("abc", "127.0.0.1", {}),
      args("abc", true, UDP_PORT), args({}, "127.0.0.1", UDP_PORT), args(nil, "127.0.0.1", UDP_PORT) },
    setfd = { none, args("x"), args({}), args(true) },
    setpeername = { none, args("*"), args("*", 1), args("127.0.0.1"), args("127.0.0.1", UDP_PORT), args(nil, UDP_PORT),
      args(true, UDP_PORT), args("127.0.0.1", true), args("127.0.0.1", "no service"), args("", UDP_PORT) },
    setsockname = addresses,
    settimeout = { none, args(1), args("x"), args(1, "t"), args(1, "x"), args(1, "") },
  },
}

-- The same call with the ports of this run in place of their names.
local function with_ports(arguments, ports)
  local filled = { n = arguments.n }
  for index = 1, arguments.n do
    local value = arguments[index]
    if value ~= nil then
      filled[index] = ports[value] or value
    end
  end
  return filled
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

local function describe_call(name, arguments)
  local parts = {}
  for index = 1, arguments.n do
    parts[index] = type(arguments[index]) == "string" and ("%q"):format(arguments[index])
      or type(arguments[index]) == "table" and "{}"
      or type(arguments[index]) == "function" and "print"
      or tostring(arguments[index])
  end
  return ("%s(%s)"):format(name, table.concat(parts, ", "))
end

-- What LuaSocket answers from memory that it never wrote: it differs from run to run.
local undefined = {
  receivefrom = { ["udp() untouched"] = true, ["a closed udp"] = true },
}

-- A scenario that makes every call of one method on a fresh socket in one state, and then looks at the socket.
local function calls(build, name, argument_lists)
  return function(socket, record)
    local server, listening = peers.server(socket)
    local udp, udp_port = peers.udp(socket)
    local ports = { [LISTENING] = listening, [REFUSED] = peers.refused_port(socket), [UDP_PORT] = udp_port }
    for _, arguments in ipairs(argument_lists) do
      local subject, partner = build(socket)
      if name ~= "connect" and name ~= "setpeername" then
        subject:settimeout(0)
      end
      local filled = with_ports(arguments, ports)
      record:as(describe_call(name, arguments)):method(subject, name, unpack(filled, 1, filled.n))
      record:value("    its class", subject.class)
      record:method(subject, "getfd")
      record:method(subject, "gettimeout")
      if partner then
        partner:close()
      end
      subject:close()
    end
    server:close()
    udp:close()
  end
end

if oracle.available() then
  for _, protocol in ipairs { "tcp", "udp" } do
    for _, state in ipairs(states[protocol]) do
      local title, build = unpack(state)
      describe("as with LuaSocket, " .. title, function()
        for _, name in ipairs(sorted_keys(methods[protocol])) do
          if not (undefined[name] and undefined[name][title]) then
            it("answers " .. name .. " with any arguments", function()
              assert.equal("", oracle.differences(calls(build, name, methods[protocol][name])))
            end)
          end
        end
      end)
    end
  end
else
  it("has no LuaSocket here to compare the arguments with", function() end)
end
