-- A task that never has to wait still lets the others have their turns.

local socket = require "cosock.socket"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

describe("a task whose calls never have to wait", function()
  -- Runs `busy` again and again beside a task that sleeps; true when the sleeper ran before that ended.
  local function others_run_beside(busy)
    local done, turns = false, 0
    run.tasks(function()
      while not done and turns < 1000000 do
        turns = turns + 1
        busy()
      end
    end, function()
      socket.sleep(0.001)
      done = true
    end)
    return done and turns < 1000000
  end

  it("lets others run although its socket always has data", function()
    local client, peer = peers.pair(socket)
    assert.is_true(others_run_beside(function()
      client:send("x\n")
      peer:receive()
    end))
  end)

  it("lets others run although the line is read already", function()
    local receiver, sender = peers.receiver(socket, ("x\n"):rep(1000))
    local unread = 1000
    assert.is_true(others_run_beside(function()
      unread = unread - 1
      if unread == 0 then
        sender:send(("x\n"):rep(1000))
        unread = 1000
      end
      receiver:receive()
    end))
  end)

  it("lets others run although all that it will ever receive has been", function()
    local lines, turns, finished = 30000, 0, false
    local receiver = peers.receiver(socket, ("\n"):rep(lines))
    run.tasks(function()
      for _ = 1, lines do
        assert.equal("", receiver:receive())
      end
      finished = true
    end, function()
      while not finished do
        socket.sleep(0)
        turns = turns + 1
      end
    end)
    -- A bufferful of lines needs no system call, and is no reason to keep others waiting.
    assert.is_true(turns > 30)
  end)

  it("lets others run although there is always a datagram", function()
    local a, b = peers.udp_pair(socket)
    assert.is_true(others_run_beside(function()
      a:send("x")
      b:receive()
    end))
  end)

  it("lets others run although it only sends datagrams", function()
    local a, b = peers.udp_pair(socket)
    assert.is_true(others_run_beside(function()
      a:send("x")
    end))
    b:close()
  end)
end)
