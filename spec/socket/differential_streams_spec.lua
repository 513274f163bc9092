-- Whole conversations over TCP and UDP: `cosock.socket` does what LuaSocket does.

local oracle = require "spec.support.oracle"
local peers = require "spec.support.peers"
local stream_scenarios = require "spec.support.stream_scenarios"

local function life_of_a_server(address)
  return function(socket, record)
    local server = socket.tcp()
    record:method(server, "getfamily")
    record:method(server, "bind", address, 0)
    record:method(server, "bind", address, 0)
    record:method(server, "getfamily")
    record:method(server, "getsockname")
    record:method(server, "listen")
    record:value("class", server.class)
    local _, port = server:getsockname()
    local client = socket.tcp()
    record:as("connect"):method(client, "connect", address, port)
    record:method(client, "getpeername")
    record:method(client, "getsockname")
    record:method(client, "getfamily")
    server:settimeout(0.02)
    local accepted = server:accept()
    record:value("accepted", accepted)
    record:method(accepted, "gettimeout")
    record:method(accepted, "getfamily")
    record:method(accepted, "getsockname")
    record:method(accepted, "getpeername")
    record:as("connect again"):method(accepted, "connect", address, port)
    record:method(server, "accept")
    record:method(server, "getpeername")
    record:method(server, "close")
    record:method(server, "accept")
    record:method(server, "getsockname")
    record:method(server, "getfamily")
    record:value("class", server.class)
    client:close()
    accepted:close()
  end
end

local function connecting_in_vain(socket, record)
  local refused = peers.refused_port(socket)
  for _, constructor in ipairs { "tcp", "tcp4" } do
    local tcp = socket[constructor]()
    record:as(constructor .. " refused"):method(tcp, "connect", "127.0.0.1", refused)
    record:value("class", tcp.class)
    record:method(tcp, "getfd")
    record:method(tcp, "getfamily")
    record:method(tcp, "getpeername")
    record:method(tcp, "getoption", "error")
    local server, port = peers.server(socket)
    record:as("then accepted"):method(tcp, "connect", "127.0.0.1", port)
    record:method(tcp, "getpeername")
    server:close()
    tcp:close()
  end
end

-- Which family an object that may have either takes, keeps and gives up.
local function deciding_the_family(socket, record)
  local holder = socket.tcp6()
  assert(holder:bind("::1", 0))
  local _, refused = holder:getsockname()
  local server4, port4 = peers.server(socket, "127.0.0.1")
  local server6, port6 = peers.server(socket, "::1")

  local function look(sock)
    record:method(sock, "getfamily")
    record:method(sock, "getfd")
    record:method(sock, "getsockname")
  end

  local tcp = socket.tcp()
  record:as("refused over IPv6"):method(tcp, "connect", "::1", refused)
  look(tcp)
  record:as("then connected over IPv4"):method(tcp, "connect", "127.0.0.1", port4)
  look(tcp)

  tcp = socket.tcp()
  tcp:settimeout(0)
  record:as("connecting over IPv6"):method(tcp, "connect", "::1", port6)
  record:method(tcp, "getfamily")

  tcp = socket.tcp()
  record:as("bound to a port in use over IPv6"):method(tcp, "bind", "::1", refused)
  look(tcp)
  record:as("then bound over IPv4"):method(tcp, "bind", "127.0.0.1", 0)
  look(tcp)
  record:as("then connected over IPv6"):method(tcp, "connect", "::1", port6)
  look(tcp)

  tcp = socket.tcp()
  record:as("connected over IPv6"):method(tcp, "connect", "::1", port6)
  tcp:close()
  look(tcp)
  record:as("again over IPv4"):method(tcp, "connect", "127.0.0.1", port4)
  record:as("again over IPv6"):method(tcp, "connect", "::1", port6)
  look(tcp)

  tcp = socket.tcp()
  record:as("connected to any loopback address"):method(tcp, "connect", "*", port4)
  record:method(tcp, "getpeername")

  for _, constructor in ipairs { "tcp4", "tcp6" } do
    tcp = socket[constructor]()
    tcp:close()
    record:method(tcp, "listen")
    record:method(tcp, "bind", "*", 0)
    look(tcp)
  end

  local udp = socket.udp()
  record:method(udp, "setsockname", "::1", 0)
  look(udp)
  udp:close()
  record:method(udp, "setpeername", "127.0.0.1", 9)
  record:method(udp, "setpeername", "::1", 9)
  look(udp)

  udp = socket.udp()
  record:method(udp, "sendto", "x", "127.0.0.1", 9)
  record:method(udp, "sendto", "x", "::1", 9)
  look(udp)

  server4:close()
  server6:close()
  holder:close()
end

local function udp_conversation(address)
  return function(socket, record)
    local a, a_port = peers.udp(socket, address)
    local b, b_port = peers.udp(socket, address)
    record:method(a, "getfamily")
    record:method(a, "getsockname")
    record:as("a:sendto(b)"):method(a, "sendto", "hello", address, b_port)
    record:method(b, "receivefrom")
    record:as("an empty datagram"):method(a, "sendto", "", address, b_port)
    record:method(b, "receive")
    record:as("a long datagram"):method(a, "sendto", ("x"):rep(9000), address, b_port)
    record:method(b, "receive")
    record:as("a long datagram again"):method(a, "sendto", ("x"):rep(9000), address, b_port)
    record:method(b, "receive", 9001)
    record:as("one to cut"):method(a, "sendto", "abcdef", address, b_port)
    record:method(b, "receive", 2)
    record:as("one to drop"):method(a, "sendto", "abcdef", address, b_port)
    record:method(b, "receive", 0)
    b:settimeout(0.02)
    record:method(b, "receive")
    record:method(b, "receivefrom")
    record:as("b:setpeername(a)"):method(b, "setpeername", address, a_port)
    record:value("class", b.class)
    record:method(b, "getpeername")
    record:method(b, "send", "back")
    record:method(b, "send", "")
    record:method(b, "receivefrom")
    record:as("sendto on a connected one"):method(b, "sendto", "x", address, a_port)
    record:method(a, "receivefrom", 3)
    record:method(a, "receive")
    record:method(b, "setpeername", "*")
    record:value("class", b.class)
    record:method(b, "getpeername")
    record:as("a too long one"):method(a, "sendto", ("x"):rep(70000), address, b_port)
    record:method(a, "setsockname", address, 0)
    record:method(a, "close")
    record:method(a, "close")
    b:close()
  end
end

local function same_as_luasocket(title, scenario)
  it(title, function()
    assert.equal("", oracle.differences(scenario))
  end)
end

if oracle.available() then
  describe("as with LuaSocket, receive", function()
    for _, scenario in ipairs(stream_scenarios.receiving(peers.receiver)) do
      same_as_luasocket(scenario[1], scenario[2])
    end
  end)

  describe("as with LuaSocket, a TCP connection", function()
    for _, scenario in ipairs(stream_scenarios.talking(peers.receiver)) do
      same_as_luasocket(scenario[1], scenario[2])
    end
    same_as_luasocket("may fail and be tried again", connecting_in_vain)
    if peers.has_ipv6 then
      same_as_luasocket("decides for a family", deciding_the_family)
    end
    for _, family in ipairs(peers.families) do
      same_as_luasocket("knows its names over " .. family.name, life_of_a_server(family.address))
    end
  end)

  describe("as with LuaSocket, a UDP conversation", function()
    for _, family in ipairs(peers.families) do
      same_as_luasocket("goes over " .. family.name, udp_conversation(family.address))
    end
  end)
else
  it("has no LuaSocket here to compare conversations with", function() end)
end
