-- Tasks that sleep.

local cosock = require "cosock"
local socket = require "cosock.socket"
local run = require "spec.support.run"

describe("socket.sleep in a task", function()
  it("lasts at least as long as asked", function()
    local elapsed = run.task(function()
      local start = socket.gettime()
      socket.sleep(0.05)
      return socket.gettime() - start
    end)
    assert.is_true(elapsed >= 0.045)
  end)

  it("returns nothing", function()
    assert.equal(0, (run.task(function()
      return (select("#", socket.sleep(0)))
    end)))
  end)

  it("wakes sleepers in the order of their deadlines", function()
    local woken, deadlines = {}, {}
    cosock.reset()
    for _, span in ipairs { 0.05, 0.01, 0.03, 0.02, 0.04 } do
      cosock.spawn(function()
        local deadline = socket.gettime() + span
        deadlines[#deadlines + 1] = deadline
        socket.sleep(span)
        woken[#woken + 1] = deadline
      end)
    end
    cosock.run()
    table.sort(deadlines)
    assert.same(deadlines, woken)
  end)

  it("lets other tasks run meanwhile", function()
    local order = {}
    run.tasks(function()
      socket.sleep(0.01)
      order[#order + 1] = "sleeper"
    end, function()
      order[#order + 1] = "other"
    end)
    assert.same({ "other", "sleeper" }, order)
  end)

  it("does not wait for a span of nothing or less", function()
    run.tasks(function()
      socket.sleep(0)
      socket.sleep(-1000)
      socket.sleep(-math.huge)
    end)
  end)

  it("takes a number given as a string", function()
    run.tasks(function()
      socket.sleep "0.001"
    end)
  end)

  it("raises for what is no number", function()
    for _, value in ipairs { "soon", true, {}, 0 / 0 } do
      local ok, message = run.task(function()
        return pcall(socket.sleep, value)
      end)
      assert.is_false(ok)
      assert.matches("bad argument #1 to 'sleep'", message, 1, true)
    end
    assert.is_false((run.task(function()
      return pcall(socket.sleep)
    end)))
  end)

  it("can be asked for any length of time", function()
    for _, span in ipairs { math.huge, 1e300, 2 ^ 53, math.maxinteger or 2 ^ 63 } do
      local woken = false
      run.tasks(function()
        local sleeper = cosock.spawn(function()
          socket.sleep(span)
          woken = true
        end)
        socket.sleep(0.002)
        sleeper:cancel()
      end)
      assert.is_false(woken)
    end
  end)

  it("serves ten thousand sleepers at once", function()
    local woken = 0
    cosock.reset()
    for index = 1, 10000 do
      cosock.spawn(function()
        socket.sleep(index % 100 / 1000)
        woken = woken + 1
      end)
    end
    cosock.run()
    assert.equal(10000, woken)
  end)
end)
