-- What `cosock.get_thread_metadata` tells about the tasks.

local cosock = require "cosock"
local socket = require "cosock.socket"
local run = require "spec.support.run"
local support = require "spec.cosock.support"

--- Calls `cosock.get_thread_metadata` and returns its entries by the tasks' names.
local function by_name()
  local found = {}
  for _, entry in ipairs(cosock.get_thread_metadata()) do
    found[entry.name] = entry
  end
  return found
end

describe("cosock.get_thread_metadata", function()
  before_each(cosock.reset)

  it("gives an empty array when there are no tasks", function()
    assert.same({}, cosock.get_thread_metadata())
  end)

  it("has one entry for each live task, the caller's own among them", function()
    local count, names
    cosock.spawn(function() end, "has ended by then")
    cosock.spawn(function() end, "cancelled"):cancel()
    cosock.spawn(function()
      socket.sleep(0.01)
    end, "sleeper")
    cosock.spawn(function()
      count, names = #cosock.get_thread_metadata(), by_name()
    end, "caller")
    cosock.run()
    assert.equal(2, count)
    assert.is_table(names.sleeper)
    assert.is_table(names.caller)
    assert.same({}, cosock.get_thread_metadata())
  end)

  it("describes a task that has not started", function()
    cosock.spawn(function() end, "fresh")
    local entry = cosock.get_thread_metadata()[1]
    assert.equal("fresh", entry.name)
    assert.equal("suspended", entry.status)
    assert.equal("unknown", entry.last_wake)
    assert.equal("string", type(entry.traceback))
    assert.is_nil(entry.timeout)
  end)

  it("calls the task that asks running", function()
    local entry = run.task(function()
      return cosock.get_thread_metadata()[1]
    end)
    assert.equal("running", entry.status)
  end)

  it("tells what a task waits for, how long, and where", function()
    local gates = { support.gate(), support.gate(), support.gate() }
    local place, entry
    cosock.spawn(function()
      place = support.next_line()
      socket.select({ gates[1], gates[2] }, { gates[3] }, 1000)
    end, "waits")
    cosock.spawn(function()
      entry = by_name().waits
      gates[1]:open()
    end, "looks")
    cosock.run()
    assert.equal("suspended", entry.status)
    assert.equal(2, entry.recvt)
    assert.equal(1, entry.sendt)
    assert.is_true(entry.timeout > 0 and entry.timeout <= 1000)
    assert.matches(place, entry.traceback, 1, true)
  end)

  it("gives no timeout for a task that waits without one", function()
    local tx, rx = cosock.channel.new()
    local entry
    cosock.spawn(function()
      rx:receive()
    end, "waits")
    cosock.spawn(function()
      entry = by_name().waits
      tx:close()
    end, "looks")
    cosock.run()
    assert.equal(1, entry.recvt)
    assert.is_nil(entry.timeout)
  end)

  it("tells the time of day at which a task was last woken", function()
    local tx, rx = cosock.channel.new()
    local entry
    local before = os.time()
    cosock.spawn(function()
      rx:receive()
      rx:receive()
    end, "waits")
    cosock.spawn(function()
      tx:send "wake"
      socket.sleep(0.01)
      entry = by_name().waits
      tx:close()
    end, "looks")
    cosock.run()
    -- os.time reads a clock that is a tick late, so that its second may not have begun yet.
    assert.is_true(entry.last_wake >= before and entry.last_wake <= os.time() + 1)
  end)

  it("has tracebacks for tasks that ended up waiting when run raised", function()
    local _, rx = cosock.channel.new()
    local place
    cosock.spawn(function()
      place = support.next_line()
      rx:receive()
    end, "waits")
    cosock.spawn(function()
      error "ends run"
    end)
    assert.has_error(cosock.run)
    assert.matches(place, by_name().waits.traceback, 1, true)
  end)
end)
