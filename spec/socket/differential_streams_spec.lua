-- Whole conversations over TCP and UDP: `cosock.socket` does what LuaSocket does.

local oracle = require "spec.support.oracle"
local peers = require "spec.support.peers"

-- What the peer sends in each of the scenarios of receive; the patterns are tried on all of them.
local inputs = {
  { "two lines", "first\nsecond\n" },
  { "lines with CR", "a\r\nb\rc\r\r\n\r\n" },
  { "a line without end", "no end" },
  { "only line ends", "\n\n\r\n" },
  { "binary bytes", "\0\1\255\n\0tail" },
  { "nothing", "" },
  { "more than one buffer", ("0123456789"):rep(1000) .. "\n" .. ("x"):rep(9000) },
}

local reads = {
  { "lines", { "*l" }, { "*l" }, { "*l" }, { "*l" } },
  { "lines by default", {}, { nil, "p" }, {}, {} },
  { "lines with a prefix", { "*l", ">" }, { "*l", "" }, { "*l", 5 }, { "*l", "x\r" } },
  { "everything", { "*a" }, { "*a" }, { "*l" } },
  { "everything with a prefix", { "*a", "<" }, { "*a", "<" } },
  { "counts", { 1 }, { 2.9 }, { "3" }, { "0x2" }, { 0 }, { 20000 }, { 1 } },
  { "counts with a prefix", { 3, "ab" }, { 2, "ab" }, { 1, "abc" }, { 0, "a" }, { 0, "" }, { 20000, "xyz" } },
  { "a mixture", { 2 }, { "*l" }, { "*a" }, { 0 } },
}

-- Sends the bytes, closes, and reads until there is nothing left.
local function reading(bytes, calls)
  return function(socket, record)
    local receiver, sender = peers.receiver(socket, bytes)
    sender:close()
    for index = 2, #calls do
      record:method(receiver, "receive", calls[index][1], calls[index][2])
    end
    record:method(receiver, "dirty")
    receiver:close()
  end
end

-- Reads with the connection still open and no patience.
local function reading_impatiently(bytes, calls)
  return function(socket, record)
    local receiver, sender = peers.receiver(socket, bytes)
    receiver:settimeout(0.002)
    for index = 2, #calls do
      record:method(receiver, "receive", calls[index][1], calls[index][2])
    end
    record:method(receiver, "dirty")
    sender:close()
    receiver:close()
  end
end

local function counting(socket, record)
  local receiver, sender = peers.receiver(socket, "one\r\ntwo\r\nthree")
  record:method(receiver, "receive", "*l")
  record:method(receiver, "getstats")
  record:method(receiver, "dirty")
  record:method(receiver, "receive", 2)
  record:method(receiver, "getstats")
  record:method(sender, "getstats")
  record:method(receiver, "setstats", 100, 200)
  record:method(receiver, "receive", "*l")
  record:method(receiver, "send", "abc", 2)
  record:method(receiver, "getstats")
  sender:close()
  receiver:close()
end

local function sending_ranges(socket, record)
  local receiver, sender = peers.receiver(socket, "")
  local ranges = { {}, { 2 }, { 2, 4 }, { -3 }, { -3, -2 }, { 0, 0 }, { 7 }, { 3, 1 }, { 1.9, 2.9 }, { -100, 100 } }
  for _, range in ipairs(ranges) do
    record:method(sender, "send", "abcdef", range[1], range[2])
    record:method(sender, "send", "\n")
    record:method(receiver, "receive")
  end
  record:method(sender, "send", 3.25)
  record:method(sender, "send", 12, 2)
  sender:close()
  record:method(receiver, "receive", "*a")
  receiver:close()
end

local function after_the_peer_closed(socket, record)
  local receiver, sender = peers.receiver(socket, "tail")
  sender:close()
  record:method(receiver, "receive")
  record:method(receiver, "receive")
  record:method(receiver, "receive", 5)
  record:method(receiver, "receive", "*a")
  record:method(receiver, "receive", 0)
  record:method(receiver, "shutdown")
  record:method(receiver, "send", "x")
  record:method(receiver, "close")
  record:method(receiver, "close")
  record:value("class", receiver.class)
end

local function half_closed(socket, record)
  local receiver, sender = peers.receiver(socket, "request\n")
  record:method(sender, "shutdown", "send")
  record:method(sender, "send", "more")
  record:method(receiver, "receive", "*a")
  record:method(receiver, "receive", "*a")
  record:method(receiver, "send", "answer\n")
  record:method(sender, "receive")
  record:method(receiver, "shutdown", "receive")
  record:method(receiver, "receive")
  sender:close()
  receiver:close()
end

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
    for _, input in ipairs(inputs) do
      for _, calls in ipairs(reads) do
        same_as_luasocket(("reads %s from %s"):format(calls[1], input[1]), reading(input[2], calls))
        if input[2] ~= "" and #input[2] < 1000 then -- so that all has arrived when the first byte has
          same_as_luasocket(("reads %s from %s and runs out of time"):format(calls[1], input[1]),
            reading_impatiently(input[2], calls))
        end
      end
    end
  end)

  describe("as with LuaSocket, a TCP connection", function()
    same_as_luasocket("counts its bytes", counting)
    same_as_luasocket("sends parts of strings", sending_ranges)
    same_as_luasocket("goes on after the peer has closed", after_the_peer_closed)
    same_as_luasocket("can be closed in one direction", half_closed)
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
