-- Closing a socket under the tasks that wait on it, and cancelling a task in the middle of a call.

local cosock = require "cosock"
local socket = require "cosock.socket"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

local pack = peers.pack

-- Gives the other tasks turns, so that they are in the middle of what they wait for. What a spec expects does not
-- depend on how far they come.
local function let_others_run()
  for _ = 1, 5 do
    socket.sleep(0.001)
  end
end

describe("closing a socket that tasks wait on", function()
  -- Each row: what a task waits in, a socket to wait on, the call, and what it gives when the socket is closed.
  local rows = {
    { "receive", function() return (peers.pair(socket)) end, "receive", { n = 3, nil, "closed", "" } },
    { "receive with a part read", function() return (peers.receiver(socket, "part")) end, "receive",
      { n = 3, nil, "closed", "part" } },
    { "accept", function() return (peers.server(socket)) end, "accept", { n = 2, nil, "closed" } },
    { "receive of UDP", function() return (peers.udp(socket)) end, "receive", { n = 2, nil, "closed" } },
    { "receivefrom", function() return (peers.udp(socket)) end, "receivefrom", { n = 2, nil, "closed" } },
    { "connect", function() return socket.tcp() end, "connect", { n = 2, nil, "closed" }, "127.0.0.1",
      peers.unanswering_port },
  }

  for _, row in ipairs(rows) do
    it(("wakes a task in %s with closed"):format(row[1]), function()
      local sock = row[2]()
      local method, argument, port = row[3], row[5], row[6] and row[6](socket)
      local results
      run.tasks(function()
        results = pack(sock[method](sock, argument, port))
      end, function()
        let_others_run()
        assert.equal(1, sock:close())
      end)
      assert.same(row[4], results)
    end)
  end

  it("leaves what has been received to those who were receiving, and not to who closes it", function()
    local tls_ends = pcall(require, "cosock.ssl") and function()
      local one, other = require "spec.support.tls".pair()
      other:send "part"
      return one
    end
    for _, make in ipairs { rows[2][2], tls_ends or nil } do
      local sock = make()
      local waited, asked
      run.tasks(function()
        waited = pack(sock:receive())
      end, function()
        let_others_run()
        sock:close()
        asked = pack(sock:receive())
      end)
      assert.same({ n = 3, nil, "closed", "part" }, waited)
      assert.same({ n = 3, nil, "closed", "" }, asked)
    end
  end)

  it("wakes a task in send with closed and the index of the last byte sent", function()
    local client, peer = peers.pair(socket)
    local sent, err, last
    run.tasks(function()
      sent, err, last = client:send(peers.too_much)
    end, function()
      let_others_run()
      client:close()
    end)
    assert.same({ nil, "closed" }, { sent, err })
    assert.is_true(peer:receive("*a") == peers.too_much:sub(1, last))
  end)

  it("hands over what has been received although more and more arrives", function()
    for _, pattern in ipairs { "*a", "*l", 1e9 } do
      local client, peer = peers.pair(socket)
      local received = peers.close_in_a_flood(client, peer, pattern)
      assert.same({ n = 3, nil, "closed" }, { n = received.n, received[1], received[2] })
      assert.is_true(#received[3] > 1000000) -- the rest is on its way
    end
  end)

  it("wakes all of them", function()
    local client = peers.pair(socket)
    local woken = 0
    local function reader()
      assert.equal("closed", (select(2, client:receive())))
      woken = woken + 1
    end
    run.tasks(reader, reader, reader, function()
      let_others_run()
      client:close()
    end)
    assert.equal(3, woken)
  end)

  it("ends a select", function()
    local client = peers.pair(socket)
    local ended = false
    run.tasks(function()
      socket.select({ client }, nil, nil)
      ended = true
    end, function()
      let_others_run()
      client:close()
    end)
    assert.is_true(ended)
  end)

  it("leaves those alone who wait on a new socket with the same descriptor number", function()
    local server, port = peers.server(socket)
    local old = peers.pair(socket)
    local number = old:getfd()
    local old_result, new_result
    run.tasks(function()
      old_result = pack(old:receive())
    end, function()
      let_others_run()
      old:close()
      local opened = {}
      repeat -- the system gives the smallest free number
        opened[#opened + 1] = socket.tcp4()
      until opened[#opened]:getfd() == number
      local new = opened[#opened]
      assert(new:connect("127.0.0.1", port))
      cosock.spawn(function()
        new_result = pack(new:receive())
      end)
      let_others_run()
      assert(server:accept()):send("for the new one\n")
    end)
    assert.same({ n = 3, nil, "closed", "" }, old_result)
    assert.same({ n = 3, "for the new one", nil, nil }, new_result)
  end)
end)

describe("cancelling a task in receive", function()
  for _, pattern in ipairs { "*l", "*a", 100000 } do
    it(("loses no byte for the next task: %s"):format(pattern), function()
      local client, peer = peers.pair(socket)
      local first_half, second_half = ("x"):rep(50000), ("y"):rep(20000)
      local line
      run.tasks(function()
        local reader = cosock.spawn(function()
          client:receive(pattern)
        end)
        peer:send(first_half)
        let_others_run()
        reader:cancel()
        peer:send(second_half .. "\n")
        line = client:receive()
      end)
      assert.is_true(line == first_half .. second_half)
    end)
  end
end)
