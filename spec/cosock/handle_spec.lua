-- What `cosock.spawn` returns: the handle of a task.

local cosock = require "cosock"
local socket = require "cosock.socket"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local support = require "spec.cosock.support"

describe("a task's handle", function()
  before_each(cosock.reset)

  it("is alive from the spawn until the function has ended", function()
    local inside
    local handle
    handle = cosock.spawn(function()
      inside = handle:is_alive()
    end)
    assert.is_true(handle:is_alive())
    cosock.run()
    assert.is_true(inside)
    assert.is_false(handle:is_alive())
  end)

  it("is alive while its task waits", function()
    local waiting
    local handle = cosock.spawn(function()
      socket.sleep(0.01)
    end)
    cosock.spawn(function()
      waiting = handle:is_alive()
    end)
    cosock.run()
    assert.is_true(waiting)
    assert.is_false(handle:is_alive())
  end)

  it("is not alive once its task has raised", function()
    local handle = cosock.spawn(function()
      error "gone"
    end)
    assert.has_error(cosock.run)
    assert.is_false(handle:is_alive())
  end)

  it("turns into its name when that is a string", function()
    local handle = cosock.spawn(function() end, "listener")
    assert.equal("listener", tostring(handle))
    cosock.run()
    assert.equal("listener", tostring(handle))
  end)

  it("turns into what tostring makes of any other name", function()
    local name = setmetatable({}, {
      __tostring = function()
        return "a table's text"
      end,
    })
    assert.equal("a table's text", tostring(cosock.spawn(function() end, name)))
    assert.equal("42", tostring(cosock.spawn(function() end, 42)))
    assert.equal("false", tostring(cosock.spawn(function() end, false)))
  end)

  it("turns into a thread's text when it has no name", function()
    local handle = cosock.spawn(function() end)
    assert.matches("^thread: 0x%x+$", tostring(handle))
    assert.equal(tostring(handle), tostring(handle))
  end)

  it("turns into dead-thread when it has no name and was cancelled", function()
    local handle = cosock.spawn(function() end)
    handle:cancel()
    assert.equal("dead-thread", tostring(handle))
  end)

  it("turns into dead-thread when it has no name and its coroutine was collected", function()
    local handle = cosock.spawn(function() end)
    cosock.run()
    collectgarbage()
    collectgarbage()
    assert.equal("dead-thread", tostring(handle))
  end)
end)

describe("handle:cancel", function()
  before_each(cosock.reset)

  --- Runs `wait` as a task, cancels the task once it waits, and checks that it never went on.
  local function cancel_in(wait)
    local reached, passed, alive
    local victim = cosock.spawn(function()
      reached = true
      wait()
      passed = true
    end, "victim")
    cosock.spawn(function()
      victim:cancel()
      alive = victim:is_alive()
    end, "canceller")
    cosock.run()
    assert.is_true(reached)
    assert.is_nil(passed)
    assert.is_false(alive)
  end

  it("keeps a task that never started from starting", function()
    local ran = false
    local handle = cosock.spawn(function()
      ran = true
    end)
    handle:cancel()
    assert.is_false(handle:is_alive())
    cosock.run()
    assert.is_false(ran)
  end)

  it("ends a task that waits in sleep, without waiting for its time", function()
    cancel_in(function()
      socket.sleep(1000)
    end)
  end)

  it("ends a task that waits for a channel", function()
    local tx, rx = cosock.channel.new()
    cancel_in(function()
      rx:receive()
    end)
    assert.is_true(tx:send "later")
  end)

  it("ends a task that waits in select", function()
    local gate = support.gate()
    cancel_in(function()
      socket.select({ gate }, { gate }, 1000)
    end)
    table.sort(gate.log)
    assert.same({ "recvr function", "recvr nil", "sendr function", "sendr nil" }, gate.log)
  end)

  it("ends a task that waits in accept", function()
    local server = assert(socket.bind("127.0.0.1", 0))
    cancel_in(function()
      server:accept()
    end)
    server:close()
  end)

  it("ends a task that waits in receive, and the next to receive loses nothing", function()
    local client, peer = peers.pair(socket)
    client:send "first ha"
    cancel_in(function()
      peer:receive()
    end)
    local line = run.task(function()
      client:send "lf\n"
      return peer:receive()
    end)
    assert.equal("first half", line)
    client:close()
    peer:close()
  end)

  it("ends a task that was woken and has not gone on yet", function()
    local passed = false
    local tx, rx = cosock.channel.new()
    local victim = cosock.spawn(function()
      rx:receive()
      passed = true
    end)
    cosock.spawn(function()
      tx:send "wake"
      victim:cancel()
    end)
    cosock.run()
    assert.is_false(passed)
  end)

  it("takes away the wakers that the task had set, so that calling them does nothing", function()
    local gate = support.gate()
    local waker, passed
    local victim = cosock.spawn(function()
      socket.select({ gate })
      passed = true
    end)
    cosock.spawn(function()
      waker = gate.wakers.recvr
      victim:cancel()
      waker()
    end)
    cosock.run()
    waker()
    cosock.run()
    assert.is_nil(passed)
    assert.same({ "recvr function", "recvr nil" }, gate.log)
  end)

  it("ends a task whose wait is just beginning", function()
    local passed, other = false, false
    local first, last = support.gate(), support.gate()
    local victim
    local canceller = {
      setwaker = function(_, _, waker)
        if waker then
          victim:cancel()
        end
      end,
    }
    victim = cosock.spawn(function()
      coroutine.yield { first, canceller, last }
      passed = true
    end)
    cosock.spawn(function()
      other = true
    end)
    cosock.run()
    assert.is_false(victim:is_alive())
    assert.is_false(passed)
    assert.is_true(other)
    assert.is_nil(first.wakers.recvr)
    assert.is_nil(last.wakers.recvr)
  end)

  it("works outside the loop too", function()
    local passed = false
    local _, rx = cosock.channel.new()
    local victim = cosock.spawn(function()
      rx:receive()
      passed = true
    end)
    cosock.spawn(function()
      error "ends run while the victim waits"
    end)
    assert.has_error(cosock.run)
    assert.is_true(victim:is_alive())
    victim:cancel()
    cosock.run()
    assert.is_false(victim:is_alive())
    assert.is_false(passed)
  end)

  it("does nothing to a task that has ended or was cancelled", function()
    local ended = cosock.spawn(function() end)
    local cancelled = cosock.spawn(function() end)
    cancelled:cancel()
    cosock.run()
    for _ = 1, 2 do
      ended:cancel()
      cancelled:cancel()
    end
    assert.is_false(ended:is_alive())
    assert.is_false(cancelled:is_alive())
  end)

  it("raises inside the task itself, which goes on", function()
    local ok, message, passed
    local handle
    handle = cosock.spawn(function()
      ok, message = pcall(handle.cancel, handle)
      socket.sleep(0)
      passed = handle:is_alive()
    end)
    cosock.run()
    assert.is_false(ok)
    assert.matches("Attempt to cancel a spawned task from itself", message, 1, true)
    assert.is_true(passed)
  end)

  if support.has_close then
    it("closes the to-be-closed variables of a task that waits", function()
      local closed = 0
      local function count()
        closed = closed + 1
      end
      local victim = cosock.spawn(support.guarded(function()
        socket.sleep(1000)
      end, count))
      cosock.spawn(function()
        assert.equal(0, closed)
        victim:cancel()
        assert.equal(1, closed)
      end)
      cosock.run()
      assert.equal(1, closed)
    end)

    it("lets a to-be-closed variable spawn a task that runs", function()
      local ran = false
      local victim = cosock.spawn(support.guarded(function()
        socket.sleep(1000)
      end, function()
        cosock.spawn(function()
          ran = true
        end)
      end))
      cosock.spawn(function()
        victim:cancel()
      end)
      cosock.run()
      assert.is_true(ran)
    end)
  end
end)
