--- Tasks: spawning, cancelling, and what is known about them.

local require, native = ...

local nested = require "cosock.nested"

local create, status = coroutine.create, coroutine.status
local close = coroutine.close -- luacheck: ignore 143 (Lua 5.4 and later)
local unpack = table.unpack or unpack -- luacheck: ignore 113 143
local scheduler, links = native.task, native.coroutine.links

local M = {}

-- A signal's hook may raise between any two instructions of the loop, and of `spawn` outside of tasks. What is
-- changed here in several steps is changed in an order from which `reset` finds its way back.

--- The handle of every live task, by its id.
---@type table<integer, cosock.Task>
M.live = {}

--- The coroutines of which the scheduler may know and `live` does not yet: they must not be collected.
---@type table<thread, true>
local unborn = {} -- luacheck: ignore 241 (it is there to hold them)

--- The arguments of a task that has none.
local NOTHING = { n = 0 }

--- A task, as `cosock.spawn` returns it.
---@class cosock.Task
---@field name any  what `cosock.spawn` was given as the name
---@field package _id integer  the scheduler's name for it
---@field package _thread thread?  its coroutine; nil once it ended or was cancelled
---@field package _arguments table?  what its function is to be called with, until it is
---@field package _wait table?  what it waits for, if the Lua side has to know: see `cosock.wait`
---@field package _innermost thread?  the coroutine inside its own in which it waits, or that is resumed for it
---@field package _raw boolean?  whether that wait came from a plain `coroutine.yield`
local Task = {}
Task.__index = Task

function Task:__tostring()
  if type(self.name) == "string" then
    return self.name
  elseif self.name ~= nil then
    return tostring(self.name)
  elseif self._thread then
    return tostring(self._thread)
  end
  return "dead-thread"
end

--- Whether the task has neither ended nor been cancelled.
---@return boolean
function Task:is_alive()
  return self._thread ~= nil
end

--- Forgets a task that ended: nothing of it stays.
---@param task cosock.Task
function M.forget(task)
  local id = task._id
  if M.live[id] == task then -- else the id is another one's by now
    scheduler.remove(id)
    M.live[id] = nil
  end
  task._thread = nil
  task._arguments = nil
  task._innermost = nil
  local wait = task._wait
  if wait then
    task._wait = nil
    wait:release()
  end
end

--- Whether a task is the one that runs.
---@param task cosock.Task
---@return boolean
local function is_running(task)
  local thread = task._thread
  local state = status(thread)
  return state == "running" or state == "normal"
    -- The loop has resumed a coroutine inside the task's own.
    or links[thread] ~= nil and scheduler.is_current(task._id)
end

--- Ends the task where it waits. Nothing of it runs again, but for its to-be-closed variables (Lua
--- 5.4); what it waited for is left as if it had never waited. Does nothing if it ended already.
---
--- Raises if the task is the one that calls, and whatever closing its variables raises.
function Task:cancel()
  local thread = self._thread
  if not thread then
    return
  end
  if is_running(self) then
    error("Attempt to cancel a spawned task from itself", 2)
  end
  local innermost = self._innermost
  M.forget(self)
  local ok, err = true, nil
  if innermost then
    ok, err = nested.cancel(thread, innermost)
  end
  if close then
    local has_failed = status(thread) == "dead" -- and nobody was told why
    local closed, reason = close(thread)
    if not closed and not has_failed then
      ok, err = false, reason
    end
  end
  if not ok then
    error(err, 0)
  end
end

--- Whether a value can be called.
---@param value any
---@return boolean
function M.is_callable(value)
  if type(value) == "function" then
    return true
  end
  local metatable = getmetatable(value)
  return type(metatable) == "table" and type(metatable.__call) == "function"
end

--- Makes a task that will run `fn` when `cosock.run` gets to it, after those that are ready already.
---
--- Raises if `fn` cannot be called.
---@param fn fun(...): ...  a function, or anything with a `__call`
---@param name? any  what to call it in messages
---@param ... any  passed to `fn`
---@return cosock.Task
function M.spawn(fn, name, ...)
  if not M.is_callable(fn) then
    error(("bad argument #1 to 'spawn' (function expected, got %s)"):format(type(fn)), 2)
  end
  local body = fn
  if type(fn) ~= "function" then
    body = function(...)
      return fn(...)
    end
  end
  local thread = create(body)
  local task = setmetatable({ name = name, _thread = thread }, Task)
  local count = select("#", ...)
  task._arguments = count > 0 and { n = count, ... } or NOTHING
  unborn[thread] = true
  task._id = scheduler.spawn(thread)
  M.live[task._id] = task
  unborn[thread] = nil
  return task
end

--- What a task's function is to be called with. Asked once, when it first runs: from then on the task
--- needs nothing but to be resumed.
---@param task cosock.Task
---@return any ...
function M.take_arguments(task)
  local arguments = task._arguments
  task._arguments = nil
  scheduler.set_resumable(task._id, true)
  return unpack(arguments, 1, arguments.n)
end

--- The task that runs now.
---
--- Raises if there is none: as the waits do, outside of tasks and in coroutines that cannot wait.
---@return cosock.Task
function M.current()
  local id = scheduler.current()
  return M.live[id]
end

--- How many tasks at a time are so many that their memory is worth collecting at once.
local MANY = 10000

--- Gives back the memory that tasks took, when there are none left.
---@param most integer  how many there were at a time
function M.compact(most)
  M.live = {}
  if most >= MANY then
    collectgarbage()
    scheduler.trim()
  end
end

--- Ends the turn of a task in the midst of which the loop was left, if there is one.
local function abandon_turn()
  for id, task in pairs(M.live) do
    local thread = task._thread
    if thread and scheduler.is_current(id) then
      local innermost = task._innermost
      task._innermost = nil
      nested.abandon(thread, innermost)
    end
  end
  scheduler.leave()
end

--- Cancels every task that does not run now.
---
--- Raises what closing their variables raised last (Lua 5.4), when all are cancelled.
function M.reset()
  if scheduler.is_outside() then
    abandon_turn()
  end
  local waiting = {}
  for _, task in pairs(M.live) do
    if not task._thread then
      M.forget(task)
    elseif not is_running(task) then
      waiting[#waiting + 1] = task
    end
  end
  local ok, err = true, nil
  for _, task in ipairs(waiting) do
    local cancelled, reason = pcall(task.cancel, task)
    if not cancelled then
      ok, err = false, reason
    end
  end
  if not ok then
    error(err, 0)
  end
end

--- Facts about a live task.
---@class cosock.TaskMetadata
---@field name any
---@field traceback string
---@field recvt integer  how many objects it waits to receive from
---@field sendt integer  how many objects it waits to send to
---@field timeout number?  seconds until its patience ends
---@field last_wake integer|"unknown"  when it last began to run, as `os.time` counts
---@field status string  its coroutine's status

--- What every live task is doing.
---@return cosock.TaskMetadata[]
function M.get_thread_metadata()
  local list = {}
  for id, task in pairs(M.live) do
    local timeout, since = scheduler.facts(id)
    local recvt, sendt = scheduler.waits(id)
    local wait = task._wait
    if wait then
      recvt, sendt = wait:counts()
    end
    list[#list + 1] = {
      name = task.name,
      traceback = debug.traceback(task._thread),
      recvt = recvt,
      sendt = sendt,
      timeout = timeout,
      last_wake = since and math.floor(scheduler.wall_clock() - since) or "unknown",
      status = is_running(task) and "running" or status(task._thread),
    }
  end
  return list
end

return M
