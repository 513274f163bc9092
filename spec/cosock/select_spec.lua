-- `socket.select` in a task: sockets, channels and objects of one's own in one wait.

local channel = require "cosock.channel"
local cosock = require "cosock"
local socket = require "cosock.socket"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local support = require "spec.cosock.support"

describe("socket.select in a task", function()
  local client, peer

  before_each(function()
    cosock.reset()
    client, peer = peers.pair(socket)
  end)

  after_each(function()
    client:close()
    peer:close()
  end)

  it("waits for a socket, a channel and an object of one's own at once", function()
    local gate = support.gate()
    local tx, rx = channel.new()
    local seen = {}
    run.tasks(function()
      for turn = 1, 3 do
        local recvr, sendr, err = socket.select({ client, rx, gate }, nil, 10)
        assert(not err, err)
        assert(not sendr or #sendr == 0)
        seen[turn] = recvr
        if recvr[1] == client then
          client:receive(1)
        elseif recvr[1] == rx then
          rx:receive()
        end
      end
    end, function()
      peer:send "x"
      while #seen < 1 do
        socket.sleep(0.001)
      end
      tx:send "message"
      while #seen < 2 do
        socket.sleep(0.001)
      end
      gate:open()
    end)
    for turn, object in ipairs { client, rx, gate } do
      assert.equal(1, #seen[turn])
      assert.equal(object, seen[turn][1])
    end
  end)

  it("returns nil, nil and timeout when the time has run out", function()
    local recvr, sendr, err = run.task(function()
      return socket.select({ client }, nil, 0.001)
    end)
    assert.is_nil(recvr)
    assert.is_nil(sendr)
    assert.equal("timeout", err)
  end)

  it("finds at once a channel whose messages wait", function()
    local tx, rx = channel.new()
    tx:send "message"
    local recvr = run.task(function()
      return socket.select({ rx, client }, nil, 0)
    end)
    assert.equal(1, #recvr)
    assert.equal(rx, recvr[1])
  end)

  it("finds at once a socket that has read more than it has handed over", function()
    peer:send "first\nsecond\n"
    local recvr, line = run.task(function()
      assert(client:receive())
      return socket.select({ client }, nil, 0), (client:receive())
    end)
    assert.equal(client, recvr[1])
    assert.equal("second", line)
  end)

  it("finds a socket that can be sent to", function()
    local gate = support.gate()
    local recvr, sendr = run.task(function()
      return socket.select({ gate }, { client }, 10)
    end)
    assert.same({}, recvr)
    assert.equal(1, #sendr)
    assert.equal(client, sendr[1])
  end)

  it("finds a server that a client has connected to, and a peer that has closed", function()
    local server = assert(socket.bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    local found = run.task(function()
      local other = socket.tcp()
      assert(other:connect("127.0.0.1", port))
      local first = socket.select({ server }, nil, 10)
      local accepted = assert(server:accept())
      other:close()
      local second = socket.select({ accepted }, nil, 10)
      local _, err = accepted:receive()
      accepted:close()
      return { first[1] == server, second[1] == accepted, err }
    end)
    assert.same({ true, true, "closed" }, found)
    server:close()
  end)

  it("ends when another task closes the socket", function()
    local recvr, err
    run.tasks(function()
      local result = { socket.select({ client }, nil, 10) }
      recvr, err = result[1], result[3]
    end, function()
      client:close()
    end)
    assert.is_nil(err)
    assert.equal(client, recvr[1])
  end)

  it("serves several tasks that wait for the same socket", function()
    local woken = 0
    local function waits()
      local recvr = socket.select({ client }, nil, 10)
      if recvr and recvr[1] == client then
        woken = woken + 1
      end
    end
    run.tasks(waits, waits, waits, function()
      peer:send "x"
    end)
    assert.equal(3, woken)
  end)

  it("serves several tasks that wait for the same channel", function()
    local tx, rx = channel.new()
    local woken = 0
    local function waits()
      local recvr = socket.select({ rx }, nil, 10)
      if recvr and recvr[1] == rx then
        woken = woken + 1
      end
    end
    run.tasks(waits, waits, waits, function()
      tx:send "message"
    end)
    assert.equal(3, woken)
  end)

  it("gives up a channel without a loss to another task that waits for it", function()
    local tx, rx = channel.new()
    local err, recvr
    run.tasks(function()
      recvr = socket.select({ rx }, nil, 10)
    end, function()
      err = select(3, socket.select({ rx }, nil, 0.001))
      tx:send "message"
    end)
    assert.equal("timeout", err)
    assert.equal(rx, recvr and recvr[1])
  end)

  it("waits for hundreds of channels", function()
    local receivers, transmitters = {}, {}
    for index = 1, 500 do
      transmitters[index], receivers[index] = channel.new()
    end
    local ready
    run.tasks(function()
      ready = socket.select(receivers)
    end, function()
      transmitters[321]:send(true)
    end)
    assert.equal(1, #ready)
    assert.equal(receivers[321], ready[1])
  end)

  it("waits for an object that borrows a socket, and wakes it through its _wake", function()
    local borrower = { inner_sock = client.inner_sock, wakers = {}, woken = {} }
    function borrower:setwaker(kind, waker)
      self.wakers[kind] = waker
    end
    function borrower:_wake(kind)
      self.woken[#self.woken + 1] = kind
      if self.wakers[kind] then
        self.wakers[kind]()
        return true
      end
    end
    assert.is_truthy(client.inner_sock)
    local recvr
    run.tasks(function()
      recvr = socket.select({ borrower }, nil, 10)
    end, function()
      peer:send "x"
    end)
    assert.equal(1, #recvr)
    assert.equal(borrower, recvr[1])
    assert.equal("recvr", borrower.woken[1])
    assert.is_nil(borrower.wakers.recvr)

    local _, sendr = run.task(function()
      return socket.select(nil, { borrower }, 10)
    end)
    assert.equal(borrower, sendr[1])
  end)

  it("gives sockets the protocol's own methods", function()
    assert.equal("function", type(client.setwaker))
    assert.equal("function", type(client._wake))
    local _, rx = channel.new()
    assert.equal("function", type(rx.setwaker))
  end)

  it("raises in the task for arguments that are wrong", function()
    local calls = {
      { "#1", 42 },
      { "#1", "text" },
      { "#2", nil, true },
      { "#3", nil, nil, "soon" },
      { "#3", nil, nil, {} },
    }
    for _, call in ipairs(calls) do
      local ok, message = run.task(function()
        return pcall(socket.select, call[2], call[3], call[4])
      end)
      assert.is_false(ok)
      assert.matches("bad argument " .. call[1] .. " to 'select'", message, 1, true)
    end
  end)

  it("raises in the task for an element that cannot be waited for", function()
    for _, element in ipairs { 42, true, print } do
      local ok = run.task(function()
        return pcall(socket.select, { element }, nil, 0)
      end)
      assert.is_false(ok)
    end
  end)

  if support.pcall_yields then
    it("raises in the task what an object's setwaker raises, and the task goes on", function()
      local problem = { "broken" }
      local broken = {
        setwaker = function()
          error(problem)
        end,
      }
      local gate = support.gate()
      local ok, err = run.task(function()
        return pcall(socket.select, { gate, broken })
      end)
      assert.is_false(ok)
      assert.equal(problem, err)
      assert.is_nil(gate.wakers.recvr)
    end)
  end
end)
