-- select on sockets: what counts as ready to read and to send. Its other sides (channels, objects of one's own,
-- wrong arguments) are in spec/cosock/select_spec.lua and spec/wait_spec.lua.

local cosock = require "cosock"
local socket = require "cosock.socket"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

local pack = peers.pack

local TIMED_OUT = { n = 3, nil, nil, "timeout" }

-- A spec whose body runs in a task, the only place where select can wait.
local function in_a_task(title, body)
  it(title, function()
    run.task(body)
  end)
end

local function contains(list, sock)
  for _, item in ipairs(list or {}) do
    if item == sock then
      return true
    end
  end
  return false
end

describe("select", function()
  -- What makes a socket ready to read: a function that gives one which is.
  local readable = {
    ["a client whose peer has sent something"] = function()
      return (peers.receiver(socket, "x"))
    end,
    ["a client that has read more than it handed over"] = function()
      local receiver = peers.receiver(socket, "one\ntwo\n")
      assert.equal("one", (receiver:receive()))
      assert.is_true(receiver:dirty())
      return receiver
    end,
    ["a client whose peer has closed"] = function()
      local client, peer = peers.pair(socket)
      peer:close()
      return client
    end,
    ["a client whose peer has shut down its side"] = function()
      local client, peer = peers.pair(socket)
      peer:shutdown("send")
      return client
    end,
    ["a server that a client has connected to"] = function()
      local server, port = peers.server(socket)
      local client = socket.connect("127.0.0.1", port)
      client:send("so that it stays until here")
      return server, client
    end,
    ["a UDP socket with a datagram"] = function()
      local a, b = peers.udp_pair(socket)
      a:send("x")
      return b
    end,
    ["a UDP socket with an empty datagram"] = function()
      local a, b = peers.udp_pair(socket)
      a:send("")
      return b
    end,
  }

  for title, prepare in pairs(readable) do
    in_a_task(("finds %s ready to read"):format(title), function()
      local sock, partner = prepare()
      local recvr, sendr, err = socket.select({ sock }, nil, 30)
      assert.equal(sock, recvr[1])
      assert.equal(1, #recvr)
      assert.equal(0, #(sendr or {}))
      assert.is_nil(err)
      if partner then
        partner:close()
      end
    end)
  end

  local silent = {
    ["a client whose peer has sent nothing"] = function()
      return (peers.pair(socket))
    end,
    ["a server that nobody connects to"] = function()
      return (peers.server(socket))
    end,
    ["a UDP socket without a datagram"] = function()
      return (peers.udp(socket))
    end,
  }

  for title, prepare in pairs(silent) do
    in_a_task(("does not find %s ready to read"):format(title), function()
      assert.same(TIMED_OUT, pack(socket.select({ prepare() }, nil, 0.02)))
    end)
  end

  in_a_task("finds a connected client and a UDP socket ready to send", function()
    for _, sock in ipairs { (peers.pair(socket)), (peers.udp_pair(socket)) } do
      local recvr, sendr, err = socket.select(nil, { sock }, 30)
      assert.equal(0, #(recvr or {}))
      assert.equal(sock, sendr[1])
      assert.is_nil(err)
    end
  end)

  in_a_task("does not find a client ready to send whose peer takes no more", function()
    local client = peers.pair(socket)
    peers.fill(client)
    assert.same(TIMED_OUT, pack(socket.select(nil, { client }, 0.02)))
  end)

  in_a_task("finds that client ready to send once its peer has read", function()
    local client, peer = peers.pair(socket)
    local count = peers.fill(client)
    cosock.spawn(function()
      peer:receive(count)
    end)
    local _, sendr = socket.select(nil, { client }, 30)
    assert.equal(client, sendr[1])
  end)

  in_a_task("finds a client ready to send once its connect with timeout 0 has succeeded", function()
    local _, port = peers.server(socket)
    local client = socket.tcp()
    client:settimeout(0)
    client:connect("127.0.0.1", port)
    local _, sendr = socket.select(nil, { client }, 30)
    assert.equal(client, sendr[1])
    assert.is_nil(client:getoption("error"))
    assert.equal("127.0.0.1", (client:getpeername()))
  end)

  in_a_task("finds it ready too once that connect was refused", function()
    local client = socket.tcp()
    client:settimeout(0)
    if select(2, client:connect("127.0.0.1", peers.refused_port(socket))) == "timeout" then
      local _, sendr = socket.select(nil, { client }, 30)
      assert.equal(client, sendr[1])
      assert.equal("connection refused", client:getoption("error"))
    end
  end)

  in_a_task("gives only the sockets that are ready", function()
    local quiet, other = peers.pair(socket)
    local ready = peers.receiver(socket, "x")
    local recvr = socket.select({ quiet, ready, other }, nil, 30)
    assert.is_true(contains(recvr, ready))
    assert.is_false(contains(recvr, quiet))
    assert.is_false(contains(recvr, other))
  end)

  in_a_task("gives all the sockets that are ready in both directions", function()
    local first, second = peers.receiver(socket, "x"), peers.receiver(socket, "y")
    local seen = { recvr = {}, sendr = {} }
    repeat -- it may tell of them one after the other
      local recvr, sendr, err = socket.select({ first, second }, { first }, 30)
      assert.is_nil(err)
      for _, sock in ipairs(recvr or {}) do
        seen.recvr[sock] = true
        sock:receive(1)
      end
      for _, sock in ipairs(sendr or {}) do
        seen.sendr[sock] = true
      end
    until seen.recvr[first] and seen.recvr[second] and seen.sendr[first]
  end)

  in_a_task("finds a dirty socket and one that the system has data for at once", function()
    local dirty, fresh = peers.receiver(socket, "one\ntwo\n"), peers.receiver(socket, "x")
    assert.equal("one", (dirty:receive()))
    local seen = {}
    repeat
      for _, sock in ipairs((socket.select({ dirty, fresh }, nil, 30))) do
        seen[sock] = sock:receive(sock == fresh and 1 or "*l")
      end
    until seen[dirty] and seen[fresh]
    assert.same({ "two", "x" }, { seen[dirty], seen[fresh] })
  end)

  in_a_task("tells of a socket again as long as its data is not read", function()
    local receiver = peers.receiver(socket, "abc")
    for _ = 1, 3 do
      assert.equal(receiver, (socket.select({ receiver }, nil, 30))[1])
    end
    assert.equal("abc", (receiver:receive(3)))
    assert.same(TIMED_OUT, pack(socket.select({ receiver }, nil, 0)))
  end)

  in_a_task("leaves the caller's lists alone", function()
    local receiver, sender = peers.receiver(socket, "x")
    local recvt, sendt = { receiver }, { sender }
    local recvr, sendr = socket.select(recvt, sendt, 30)
    assert.is_true(recvr ~= recvt and sendr ~= sendt)
    assert.same({ 1, 1 }, { #recvt, #sendt })
    assert.equal(receiver, recvt[1])
  end)

  in_a_task("reads its lists up to the first nil", function()
    local receiver, quiet = peers.receiver(socket, "x"), peers.pair(socket)
    assert.same(TIMED_OUT, pack(socket.select({ quiet, nil, receiver }, nil, 0.02)))
  end)

  in_a_task("waits no less than its timeout", function()
    local client = peers.pair(socket)
    assert.is_true(peers.seconds(function()
      assert.same(TIMED_OUT, pack(socket.select({ client }, {}, 0.05)))
    end) >= 0.04)
  end)

  in_a_task("does not wait with timeout 0", function()
    local client = peers.pair(socket)
    assert.same(TIMED_OUT, pack(socket.select({ client }, nil, 0)))
    local receiver = peers.receiver(socket, "x")
    assert.equal(receiver, (socket.select({ receiver }, nil, 0))[1])
  end)

  in_a_task("does not end because of a socket's own timeout", function()
    local client = peers.pair(socket)
    client:settimeout(0.001)
    assert.is_true(peers.seconds(function()
      assert.same(TIMED_OUT, pack(socket.select({ client }, nil, 0.05)))
    end) >= 0.04)
  end)

  local endless = { ["a negative timeout"] = -1, ["no timeout"] = "none", ["an infinite one"] = math.huge }
  for title, timeout in pairs(endless) do
    in_a_task(("waits for as long as it takes with %s"):format(title), function()
      local client, peer = peers.pair(socket)
      cosock.spawn(function()
        socket.sleep(0.02)
        peer:send("x")
      end)
      local recvr = socket.select({ client }, nil, timeout ~= "none" and timeout or nil)
      assert.equal(client, recvr[1])
    end)
  end

  in_a_task("takes more sockets than 1024, and descriptors above that", function()
    local list = {}
    for index = 1, 1100 do
      list[index] = assert(socket.udp4())
    end
    local last = list[#list]
    assert.is_true(last:getfd() > 1024)
    assert(last:setsockname("127.0.0.1", 0))
    local _, port = last:getsockname()
    list[1]:sendto("x", "127.0.0.1", port)
    local recvr = socket.select(list, nil, 30)
    assert.equal(1, #recvr)
    assert.equal(last, recvr[1])
    for _, udp in ipairs(list) do
      udp:close()
    end
  end)
end)
