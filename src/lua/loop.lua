--- The loop that runs tasks.

local require, native = ...

local deadlock = require "cosock.deadlock"
local nested = require "cosock.nested"
local tasks = require "cosock.task"
local timers = require "cosock.timers"
local wait = require "cosock.wait"

local resume, status = coroutine.resume, coroutine.status
local close = coroutine.close -- luacheck: ignore 143 (Lua 5.4 and later)
local scheduler = native.task
local next_step, leave, set_resumable = scheduler.next, scheduler.leave, scheduler.set_resumable
local forget = tasks.forget
local PARK, OUTWARD = native.park, native.coroutine.outward

local M = {}

---@type fun(err: any, task: cosock.Task, traceback: string)?
local error_handler

--- Sets the function that is called when a task raises; the other tasks then go on. Without one,
--- `cosock.run` raises.
---
--- Raises if `handler` can neither be called nor is nil.
---@param handler? fun(err: any, task: cosock.Task, traceback: string)  gets what the task raised, as it is
function M.set_error_handler(handler)
  if handler ~= nil and not tasks.is_callable(handler) then
    error(("bad argument #1 to 'set_error_handler' (function or nil expected, got %s)"):format(type(handler)), 2)
  end
  error_handler = handler
end

--- What becomes of a task that raised.
---@param task cosock.Task
---@param err any
local function fail(task, err)
  local thread = task._thread
  if not thread then
    return -- cancelled by what it waited for
  end
  local traceback, name = debug.traceback(thread), tostring(task)
  forget(task)
  leave()
  if close then
    close(thread) -- runs its to-be-closed variables
  end
  if error_handler then
    error_handler(err, task, traceback)
  else
    error(("task '%s' raised: %s\n%s"):format(name, tostring(err), traceback), 0)
  end
end

--- Begins or goes on with what a task waits for by `coroutine.yield(recvt, sendt, timeout)`.
---@param task cosock.Task
---@param record table
---@param timed_out boolean
---@return boolean done
---@return any ...  what the task is to be resumed with
local function advance_raw(task, record, timed_out)
  task._wait, task._raw = record, true
  set_resumable(task._id, false)
  return record:advance(timed_out)
end

--- What becomes of a task that has been resumed.
---@param task cosock.Task
---@param ok boolean
---@param first any
---@param second any
---@param third any
local function settle(task, ok, first, second, third)
  if first == PARK and ok then
    return
  elseif not ok then
    return fail(task, first)
  elseif first == OUTWARD then
    set_resumable(task._id, false)
    return nested.hold(task, second)
  elseif status(task._thread) == "dead" then
    return forget(task)
  end
  -- The wait protocol: two lists of objects and a time.
  local begun, record = pcall(wait.new, task, first, second, third)
  if not begun then
    return fail(task, record)
  elseif not task._thread then
    return record:release() -- cancelled by one of the objects
  end
  local advanced, done, recvr, sendr, err = pcall(advance_raw, task, record, false)
  if not advanced then
    return fail(task, done)
  elseif done and task._thread then
    -- Ready at once: it goes on with the next turn.
    task._results = { recvr, sendr, err }
    scheduler.ready_again(task._id)
  end
end

--- Begins a task, or goes on with one that waits by the wait protocol.
---@param task cosock.Task
---@param timed_out boolean?  whether its patience ended
local function step(task, timed_out)
  local thread = task._thread
  if task._arguments then
    return settle(task, resume(thread, tasks.take_arguments(task)))
  end
  local innermost = task._innermost
  if innermost then
    set_resumable(task._id, true)
    return settle(task, nested.resume(task, innermost, timed_out))
  end
  local results = task._results
  if not results then
    local advanced, done, recvr, sendr, err = pcall(advance_raw, task, task._wait, timed_out)
    if not advanced then
      return fail(task, done)
    elseif not done or not task._thread then
      return
    end
    results = { recvr, sendr, err }
  end
  task._raw, task._results = nil, nil
  set_resumable(task._id, true)
  return settle(task, resume(thread, results[1], results[2], results[3]))
end

--- Runs all tasks until every one has ended.
---
--- Raises if a task raises and no error handler is set (the other tasks stay, and a later `run` goes
--- on with them), if tasks are left of which nothing can ever wake one, and if a task calls it.
function M.run()
  if not scheduler.is_outside() then
    error("cosock.run was called inside a task: it is running already", 2)
  end
  while true do
    local id, what, detail, second, third = next_step()
    if id then
      settle(tasks.live[id], what, detail, second, third)
    elseif what == "step" or what == "timeout" then
      local task = tasks.live[detail]
      if task then
        step(task, what == "timeout")
      else
        scheduler.remove(detail) -- an error came between in `spawn`
      end
    elseif what == "alarm" then
      timers.fire(detail)
    elseif what == "finished" then
      return tasks.compact(detail)
    elseif what == "deadlock" and not deadlock.resolve() then
      error(deadlock.report(), 2)
    end
    -- "look": the interpreter's signal hook raises between these instructions.
  end
end

return M
