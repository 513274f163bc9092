-- `cosock.reset`: nothing is left of the tasks there were, whatever became of the loop.

local cosock = require "cosock"
local process = require "spec.support.process"
local support = require "spec.cosock.support"

describe("reset", function()
  after_each(process.stop_all)

  --- Interrupts the main thread after one instruction, two, and so on, as a signal does, while tasks are made and run
  --- by `body`, a function of the index of a task. After each, `reset` has to leave a runtime that is as new. `before`
  --- is done before tasks are made, and `check` after `reset`.
  local function survives(body, before, check)
    local child = process.script([[
      local cosock = require "cosock"
      local socket = cosock.socket
      local body = ]] .. body .. [[

      local function work()
        ]] .. (before or "") .. [[

        for index = 1, 3 do
          cosock.spawn(body, "task", index)
        end
        cosock.run()
      end

      local count, interrupted = 0, false

      local function interrupted_work()
        debug.sethook(function()
          debug.sethook()
          interrupted = true
          error("interrupted!", 0)
        end, "", count)
        pcall(work)
        debug.sethook()
      end

      repeat
        count, interrupted = count + 1, false
        pcall(interrupted_work)
        cosock.reset()
        ]] .. (check or "") .. [[

        if count % 16 == 0 then
          collectgarbage()
        end
        assert(#cosock.get_thread_metadata() == 0)
        cosock.run()
        local ran = 0
        for index = 1, 2 do
          cosock.spawn(function()
            socket.sleep(0)
            ran = ran + index
          end)
        end
        cosock.run()
        assert(ran == 3)
      until not interrupted
      print("survived " .. count)
    ]])
    local output, status = child:finish()
    assert.matches("^survived %d", output)
    assert.equal(0, status)
    return tonumber(output:match "%d+")
  end

  it("clears up after an interrupt at any place of tasks that sleep", function()
    assert.is_true(survives [[function()
      for _ = 1, 3 do
        socket.sleep(0)
      end
    end]] > 50)
  end)

  it("clears up after an interrupt of tasks that wait within coroutines of their own", function()
    survives([[(function()
      waiting, alive = {}, setmetatable({}, { __mode = "k" })
      return function()
        local mark = {}
        alive[mark] = true
        local outer = cosock.coroutine.wrap(function()
          local inner = cosock.coroutine.wrap(function()
            waiting[#waiting + 1] = coroutine.running()
            for _ = 1, 3 do
              socket.sleep(0)
              cosock.coroutine.yield(mark)
            end
          end)
          waiting[#waiting + 1] = coroutine.running()
          for _ = 1, 3 do
            cosock.coroutine.yield(inner())
          end
        end)
        for _ = 1, 3 do
          outer()
        end
        return mark
      end
    end)()]], nil, [[
      for _, thread in ipairs(waiting) do
        assert(not interrupted or cosock.coroutine.status(thread) ~= "normal")
      end
      waiting = {}
      if count % 16 == 0 then
        collectgarbage()
        collectgarbage()
        assert(next(alive) == nil)
      end
    ]])
  end)

  it("clears up after an interrupt of somebody who sets timers", function()
    survives([[function()
      socket.sleep(0)
    end]], [[
      local timers = require "cosock.timers"
      for _ = 1, 2 do
        timers.set(0, function() end, "one")
        timers.set(0, function() end, "two")
        timers.cancel "one"
      end
    ]])
  end)

  it("clears up after an interrupt of tasks that wait for channels and by the wait protocol", function()
    survives [[(function()
      local tx, rx = cosock.channel.new()
      return function(index)
        if index == 1 then
          rx:settimeout(0.001)
          rx:receive()
        elseif index == 2 then
          coroutine.yield({ rx }, nil, 0.001)
        else
          tx:send(index)
          socket.select(nil, nil, 0)
        end
      end
    end)()]]
  end)

  it("clears up after an interrupt of tasks that fail", function()
    survives [[function(index)
      socket.sleep(0)
      error(index)
    end]]
  end)

  if support.has_close then
    it("cancels all, and then raises what closing a variable raised", function()
      local function wait()
        cosock.socket.sleep(1000)
      end
      local function fail()
        error("closing", 0)
      end
      for index = 1, 6 do
        cosock.spawn(index % 3 == 0 and support.guarded(wait, fail) or wait)
      end
      cosock.spawn(function()
        assert.same({ false, "closing" }, { pcall(cosock.reset) })
        assert.equal(1, #cosock.get_thread_metadata())
      end)
      cosock.run()
    end)
  end
end)
