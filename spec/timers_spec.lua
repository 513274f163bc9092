-- Timers: `require "cosock.timers"`.

local channel = require "cosock.channel"
local cosock = require "cosock"
local socket = require "cosock.socket"
local timers = require "cosock.timers"
local run = require "spec.support.run"

--- Calls `timers.run` until no timer is left.
local function run_all()
  local rest = timers.run()
  while rest do
    rest = timers.run()
  end
end

describe("a timer", function()
  before_each(function()
    cosock.reset()
    assert.is_nil(timers.run())
  end)

  it("calls its callback once its time has come", function()
    local calls = 0
    timers.set(0, function()
      calls = calls + 1
    end, "ref")
    assert.equal(0, calls)
    run_all()
    assert.equal(1, calls)
    assert.is_nil(timers.run())
    assert.equal(1, calls)
  end)

  it("does not call it earlier", function()
    local start = socket.gettime()
    local fired
    timers.set(0.03, function()
      fired = socket.gettime()
    end, "ref")
    run_all()
    assert.is_true(fired - start >= 0.025)
  end)

  it("has timers.run tell the seconds until the next one", function()
    timers.set(1000, function() end, "later")
    timers.set(100, function() end, "sooner")
    local rest = timers.run()
    assert.is_true(rest > 0 and rest <= 100)
    timers.cancel "sooner"
    rest = timers.run()
    assert.is_true(rest > 100 and rest <= 1000)
    timers.cancel "later"
    assert.is_nil(timers.run())
  end)

  it("comes in the order of the deadlines, equal ones in the order in which they were set", function()
    local fired, set = {}, {}
    for index, seconds in ipairs { 0.02, 0.01, 0, 0.01, 0, 0.02, 0.015, 0 } do
      set[index] = { index = index, deadline = socket.gettime() + seconds }
      timers.set(seconds, function()
        fired[#fired + 1] = index
      end, index)
    end
    run_all()
    table.sort(set, function(left, right)
      return left.deadline < right.deadline or left.deadline == right.deadline and left.index < right.index
    end)
    assert.equal(#set, #fired)
    for position, timer in ipairs(set) do
      assert.equal(timer.index, fired[position])
    end
  end)

  it("can be cancelled by its ref, whatever that is", function()
    local fired = {}
    for _, ref in ipairs { "text", 42, true, {}, print, coroutine.create(function() end) } do
      timers.set(0, function()
        fired[#fired + 1] = ref
      end, ref)
      timers.cancel(ref)
    end
    assert.is_nil(timers.run())
    assert.same({}, fired)
  end)

  it("may be cancelled after it has fired, and so may one that never was", function()
    timers.set(0, function() end, "ref")
    run_all()
    timers.cancel "ref"
    timers.cancel "never set"
    assert.is_nil(timers.run())
  end)

  it("may cancel another from its callback", function()
    local fired = false
    timers.set(0, function()
      timers.cancel "second"
    end, "first")
    timers.set(0.001, function()
      fired = true
    end, "second")
    run_all()
    assert.is_false(fired)
  end)

  it("may be set again from its callback", function()
    local calls = 0
    local function again()
      calls = calls + 1
      if calls < 3 then
        timers.set(0, again, "ref")
      end
    end
    timers.set(0, again, "ref")
    run_all()
    assert.equal(3, calls)
  end)

  it("fires during cosock.run while tasks wait", function()
    local tx, rx = channel.new()
    timers.set(0.005, function()
      tx:send "from the timer"
    end, tx)
    assert.equal("from the timer", run.task(function()
      return rx:receive()
    end))
  end)

  it("fires during cosock.run while tasks are busy", function()
    local fired = false
    timers.set(0.001, function()
      fired = true
    end, "ref")
    local turns = 0
    run.task(function()
      while not fired and turns < 1e7 do
        turns = turns + 1
        socket.sleep(0)
      end
    end)
    assert.is_true(fired)
  end)

  it("can be cancelled by a task", function()
    local fired = false
    timers.set(0.005, function()
      fired = true
    end, "ref")
    run.task(function()
      timers.cancel "ref"
      socket.sleep(0.02)
    end)
    assert.is_false(fired)
  end)

  it("does not keep cosock.run from returning when no task is left", function()
    timers.set(1000, function() end, "ref")
    run.task(function() end)
    timers.cancel "ref"
  end)

  it("is one of many thousands", function()
    local MANY = 20000
    local fired = 0
    for index = 1, MANY do
      timers.set(index % 20 / 1000, function()
        fired = fired + 1
      end, index)
    end
    for index = 2, MANY, 2 do
      timers.cancel(index)
    end
    run_all()
    assert.equal(MANY / 2, fired)
  end)
end)
