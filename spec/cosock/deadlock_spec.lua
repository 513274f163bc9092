-- Tasks that wait for what can never happen.

local cosock = require "cosock"
local channel = require "cosock.channel"
local socket = require "cosock.socket"
local timers = require "cosock.timers"
local run = require "spec.support.run"
local support = require "spec.cosock.support"

--- Makes a channel's receiver that is left alone. In a coroutine of its own, so that no place on this
--- stack holds the sender by accident.
local function orphan()
  return coroutine.wrap(function()
    local _, rx = channel.new()
    return rx
  end)()
end

describe("a deadlock", function()
  before_each(cosock.reset)
  after_each(cosock.reset)

  it("makes run raise when tasks are left that nothing can wake", function()
    local tx, rx = channel.new()
    cosock.spawn(function()
      rx:receive()
    end, "waits for ever")
    assert.has_error(cosock.run)
    tx:close()
  end)

  it("lists every task with its name and where it waits", function()
    local tx, rx = channel.new()
    local gate = support.gate()
    local first, second
    cosock.spawn(function()
      first = support.next_line()
      rx:receive()
    end, "first waiter")
    cosock.spawn(function()
      second = support.next_line()
      socket.select({ gate })
    end, "second waiter")
    local _, message = pcall(cosock.run)
    for _, part in ipairs { "first waiter", first, "second waiter", second } do
      assert.matches(part, message, 1, true)
    end
    tx:close()
  end)

  it("tells where in a coroutine inside the task it waits", function()
    local tx, rx = channel.new()
    local place
    cosock.spawn(function()
      cosock.coroutine.wrap(function()
        place = support.next_line()
        rx:receive()
      end)()
    end, "nesting")
    local _, message = pcall(cosock.run)
    assert.matches(place, message, 1, true)
    tx:close()
  end)

  it("says what each task waits for", function()
    local tx, rx = channel.new()
    cosock.spawn(function()
      rx:receive()
    end, "first waiter")
    cosock.spawn(function()
      socket.select({ support.gate "the north gate" })
    end, "second waiter")
    cosock.spawn(function()
      socket.select()
    end, "third waiter")
    local _, message = pcall(cosock.run)
    assert.matches("channel", message, 1, true)
    assert.matches("the north gate", message, 1, true)
    assert.matches("third waiter", message, 1, true)
    tx:close()
  end)

  it("lists two tasks that each hold what the other waits for", function()
    local function forward(rx, tx, name)
      cosock.spawn(function()
        tx:send(rx:receive())
      end, name)
    end
    local tx_one, rx_one = channel.new()
    local tx_two, rx_two = channel.new()
    forward(rx_one, tx_two, "from one to two")
    forward(rx_two, tx_one, "from two to one")
    local ok, message = pcall(cosock.run)
    assert.is_false(ok)
    assert.matches("from one to two", message, 1, true)
    assert.matches("from two to one", message, 1, true)
  end)

  it("leaves the tasks, and a later run goes on once something can wake them", function()
    local tx, rx = channel.new()
    local got
    cosock.spawn(function()
      got = rx:receive()
    end)
    assert.has_error(cosock.run)
    tx:send "after all"
    cosock.run()
    assert.equal("after all", got)
  end)

  it("is none while a task sleeps", function()
    local tx, rx = channel.new()
    local got
    run.tasks(function()
      got = rx:receive()
    end, function()
      socket.sleep(0.01)
      tx:send "in time"
    end)
    assert.equal("in time", got)
  end)

  it("is none while a task waits with a timeout", function()
    local tx, rx = channel.new()
    rx:settimeout(0.01)
    local _, err = run.task(function()
      return rx:receive()
    end)
    assert.equal("timeout", err)
    tx:close()
  end)

  it("is none while a timer is set", function()
    local tx, rx = channel.new()
    timers.set(0.01, function()
      tx:send "from a timer"
    end, tx)
    assert.equal("from a timer", run.task(function()
      return rx:receive()
    end))
  end)
end)

describe("a channel whose other end nobody holds any more", function()
  before_each(cosock.reset)
  after_each(cosock.reset)

  it("counts as closed for a receiver that waits", function()
    local rx = orphan()
    local value, err = run.task(function()
      return rx:receive()
    end)
    assert.is_nil(value)
    assert.equal("closed", err)
  end)

  it("counts as closed for a receiver that waits in select", function()
    local rx = orphan()
    local ready, err = run.task(function()
      local recvr = socket.select({ rx, support.gate() })
      return recvr[1], select(2, rx:receive())
    end)
    assert.equal(rx, ready)
    assert.equal("closed", err)
  end)

  it("counts as closed when the last holder was a task that ended", function()
    local log = {}
    local receiver
    cosock.spawn(function()
      local tx, rx = channel.new()
      receiver = rx
      tx:send "before the end"
    end)
    cosock.spawn(function()
      log[1] = receiver:receive()
      log[2] = select(2, receiver:receive())
    end)
    cosock.run()
    assert.same({ "before the end", "closed" }, log)
  end)

  it("frees one task after the other", function()
    local order = {}
    local function forward(name, rx)
      local next_tx, next_rx = channel.new()
      cosock.spawn(function()
        if rx:receive() then
          next_tx:send "never"
        end
        order[#order + 1] = name
      end)
      return next_rx
    end
    local last = forward("third", forward("second", forward("first", orphan())))
    cosock.spawn(function()
      order[4] = select(2, last:receive())
    end)
    cosock.run()
    assert.same({ "first", "second", "third", "closed" }, order)
  end)

  it("leaves in the report only those that wait for something else", function()
    local rx = orphan()
    local freed
    cosock.spawn(function()
      rx:receive()
      freed = true
    end, "freed waiter")
    cosock.spawn(function()
      socket.select({ support.gate() })
    end, "stuck waiter")
    local _, message = pcall(cosock.run)
    assert.is_true(freed)
    assert.matches("stuck waiter", message, 1, true)
    assert.not_matches("freed waiter", message, 1, true)
  end)
end)
