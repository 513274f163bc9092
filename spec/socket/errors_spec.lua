-- The texts of errors: what the system says in the words of LuaSocket, each with a call that brings it about.

local socket = require "cosock.socket"
local peers = require "spec.support.peers"

-- Each row: the text, what brings it about, and a function whose second result it is.
local rows = {
  {
    "timeout", "a wait that lasted too long", function()
      local client = peers.pair(socket)
      client:settimeout(0.01)
      return client:receive()
    end,
  },
  {
    "closed", "the end of a connection", function()
      local client, peer = peers.pair(socket)
      peer:close()
      return client:receive()
    end,
  },
  {
    "closed", "a connection that the peer has reset", function()
      local client, peer = peers.pair(socket)
      peer:setoption("linger", { on = true, timeout = 0 })
      peer:close()
      return client:receive()
    end,
  },
  {
    "closed", "sending after shutdown", function()
      local client = peers.pair(socket)
      client:shutdown("send")
      return client:send("x")
    end,
  },
  {
    "closed", "a socket of one's own that is closed", function()
      local client = peers.pair(socket)
      client:close()
      return client:receive()
    end,
  },
  {
    "refused", "a datagram from a closed socket", function()
      local udp = peers.udp_pair(socket)
      udp:close()
      return udp:send("x")
    end,
  },
  {
    "address already in use", "a port that another socket listens on", function()
      local _, port = peers.server(socket)
      return socket.tcp():bind("127.0.0.1", port)
    end,
  },
  {
    "already connected", "connecting an accepted client", function()
      local _, peer = peers.pair(socket)
      return peer:connect("127.0.0.1", 80)
    end,
  },
  {
    "permission denied", "a broadcast without the option", function()
      return socket.udp():sendto("x", "255.255.255.255", 9)
    end,
  },
  {
    "connection refused", "a port that nobody listens on", function()
      return socket.connect("127.0.0.1", peers.refused_port(socket))
    end,
  },
  {
    "Operation already in progress", "connecting while a connect is under way", function()
      local tcp, port = socket.tcp(), peers.unanswering_port(socket)
      tcp:settimeout(0)
      tcp:connect("127.0.0.1", port)
      return tcp:connect("127.0.0.1", port)
    end,
  },
  {
    "Bad file descriptor", "the name of a socket that is closed", function()
      local tcp = socket.tcp4()
      tcp:close()
      return tcp:getsockname()
    end,
  },
  {
    "Transport endpoint is not connected", "the peer of a socket that has none", function()
      return socket.tcp4():getpeername()
    end,
  },
  {
    "Invalid argument", "binding a second time", function()
      local tcp = socket.tcp()
      tcp:bind("127.0.0.1", 0)
      return tcp:bind("127.0.0.1", 0)
    end,
  },
  {
    "Cannot assign requested address", "binding to a foreign address", function()
      return socket.tcp():bind("203.0.113.1", 0)
    end,
  },
  {
    "Message too long", "a datagram that is too large", function()
      return peers.udp_pair(socket):send(("x"):rep(70000))
    end,
  },
  {
    "host or service not provided, or not known", "an empty host", function()
      return socket.connect("", 80)
    end,
  },
  {
    "service not supported for socket type", "a port that is no service", function()
      return socket.connect("127.0.0.1", "no such service")
    end,
  },
  {
    "Address family for hostname not supported", "an address of the other family", function()
      return socket.tcp4():connect("::1", 80)
    end,
  },
  {
    "Name or service not known", "sendto to a name", function()
      return socket.udp():sendto("x", "localhost", 9)
    end,
  },
  {
    "ai_family not supported", "receivefrom without a descriptor", function()
      return socket.udp():receivefrom()
    end,
  },
  {
    "out of memory", "a datagram size that no memory has", function()
      return socket.udp4():receive(2 ^ 52)
    end,
  },
  {
    "setsockopt failed", "an option that the system refuses", function()
      return socket.tcp4():setoption("tcp-keepcnt", 0)
    end,
  },
  {
    "getsockopt failed", "an option of a socket without a descriptor", function()
      return socket.tcp():getoption("keepalive")
    end,
  },
}

for place, it in peers.inside_and_outside(it) do
  describe("the error text " .. place, function()
    for _, row in ipairs(rows) do
      it(("%q is for %s"):format(row[1], row[2]), function()
        local result, text = row[3]()
        assert.is_nil(result)
        assert.equal(row[1], text)
      end)
    end
  end)
end
