--- Waiting for any of several sockets, channels and other objects, or for a time.

local require, native = ...

local tasks = require "cosock.task"
local wait = require "cosock.wait"
local waiting = require "cosock.waiting"

local check_task, park = native.task.check_task, native.task.park
local yield = coroutine.yield

local M = {}

--- Waits until one of the objects is ready.
---
--- Objects are sockets, receiving ends of channels, and whatever follows the wait protocol. Raises
--- outside a task, if an argument is wrong, and whatever an object's `setwaker` raises.
---@param recvt table?  objects to receive from
---@param sendt table?  objects to send to
---@param timeout number?  seconds; nil or negative for no limit
---@return table? recvr  those of `recvt` that are ready, in their order
---@return table? sendr  those of `sendt` that are ready, in their order
---@return string? error  "timeout"
function M.select(recvt, sendt, timeout)
  local task = tasks.current()
  waiting.let_others_run()
  return wait.wait(task, recvt, sendt, timeout)
end

--- Waits for a time. Others run meanwhile, even if the time is 0 or negative.
---
--- Raises outside a task, and if `seconds` is not a number.
---@param seconds number
function M.sleep(seconds)
  local time = tonumber(seconds)
  if not time then
    error(("bad argument #1 to 'sleep' (number expected, got %s)"):format(type(seconds)), 2)
  elseif time ~= time then
    error("bad argument #1 to 'sleep' (not a number)", 2)
  end
  check_task()
  park(time > 0 and time or 0)
  yield(waiting.PARK)
end

return M
