--- `pcall` and `xpcall` across which a task may wait: the interpreter's own where those allow it, else
--- (Lua 5.1) such as run the function in a coroutine of its own.

local require, native = ...

local function is_yieldable(call)
  local probe = coroutine.wrap(function()
    return call(coroutine.yield)
  end)
  -- If it is, the first call stops at the yield and returns nothing.
  return probe() == nil
end

local standard_pcall, standard_xpcall = pcall, xpcall

local M = { pcall = standard_pcall, xpcall = standard_xpcall }

if is_yieldable(standard_pcall) then
  return M
end

local tasks = require "cosock.task"
local tracebacks = require "cosock.tracebacks"

local create, status, yield = coroutine.create, coroutine.status, coroutine.yield
local running = coroutine.running
local resume = native.coroutine.resume
local in_task = native.task.in_task

--- The functions written in C that may yield. What others raise has to reach the interpreter's own call: it names no
--- place of ours then.
local WAITING = { [yield] = true, [resume] = true }

--- How often the handler of an `xpcall` may fail before that is the error.
local HANDLER_FAILURES = 100

--- The coroutine that each coroutine of a protected call acts for.
---@type table<thread, thread>
local owners = setmetatable({}, { __mode = "kv" })

--- The coroutine that the program knows as the running one.
---@return thread?
function M.running()
  local thread = running()
  return owners[thread] or thread
end

M.traceback = tracebacks.traceback

--- Passes outward what the function yields, until it has returned or failed.
local function finish(thread, ok, ...)
  if ok and status(thread) == "suspended" then
    return finish(thread, resume(thread, yield(...)))
  end
  return ok, ...
end

--- Whether a function may wait here. Elsewhere the interpreter's own call does the same.
local function can_wait(fn)
  return in_task() and tasks.is_callable(fn)
end

--- A coroutine that runs `fn` on behalf of this one; nil if `fn` cannot wait.
local function enter(fn)
  local made, thread = standard_pcall(create, fn)
  if not made then
    if type(fn) == "function" and not WAITING[fn] then
      return nil
    end
    thread = create(function(...)
      return fn(...)
    end)
  end
  local owner = running()
  owners[thread] = owners[owner] or owner
  return thread
end

local function call(fn, ...)
  local thread = enter(fn)
  if not thread then
    return standard_pcall(fn, ...)
  end
  return finish(thread, resume(thread, ...))
end

--- As `pcall`. The function may wait, and yield.
---@param ... any  the function and its arguments
---@return boolean ok
---@return any ...
function M.pcall(...)
  if can_wait((...)) then
    return call(...)
  end
  return standard_pcall(...)
end

--- Calls the handler with the error; with its own error in turn, if it raises one.
local function handle(thread, handler, err)
  local handled, result = tracebacks.handle(thread, handler, err)
  for _ = 1, HANDLER_FAILURES do
    if handled then
      return false, result
    end
    handled, result = tracebacks.handle(thread, handler, result)
  end
  return false, "error in error handling"
end

--- Returns what the function returned, or what the handler made of its error.
local function settle(thread, handler, ok, ...)
  if ok then
    return true, ...
  end
  return handle(thread, handler, (...))
end

--- As `xpcall`. The function may wait, and yield; the handler must not.
---@param fn function
---@param handler fun(err: any): any
---@return boolean ok
---@return any ...  what `fn` returned, or what the handler returned for its error
function M.xpcall(fn, handler)
  if not can_wait(fn) then
    return standard_xpcall(fn, handler)
  end
  local thread = enter(fn)
  if not thread then
    return standard_xpcall(fn, handler)
  end
  return settle(thread, handler, finish(thread, resume(thread)))
end

return M
