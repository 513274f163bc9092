--- The standard `coroutine` table for use inside tasks.
---
--- A coroutine that is resumed by these functions may wait for a socket, a channel or a time at any
--- depth: the wait passes outward to the task, which parks, and comes back inward. Everything else is
--- as in the standard table. To others, a coroutine that waits is "normal".

local require, native = ...

local protected = require "cosock.protected"

local nested = native.coroutine

local M = {}
for name, value in pairs(coroutine) do
  M[name] = value
end

--- As `coroutine.resume`.
---@param thread thread
---@param ... any
---@return boolean ok
---@return any ...
M.resume = nested.resume

--- As `coroutine.status`.
---@param thread thread
---@return "running"|"suspended"|"normal"|"dead"
M.status = nested.status

--- As `coroutine.close`. What the coroutine's to-be-closed variables do must not wait.
---@param thread thread
---@return boolean ok
---@return any error
M.close = nested.close

--- As `coroutine.wrap`.
---@param fn function
---@return function
M.wrap = nested.wrap or require "cosock.wrap"

--- A `pcall` across which its function may wait: the interpreter's own where that allows it (not on Lua
--- 5.1).
---@param fn function
---@param ... any
---@return boolean ok
---@return any ...
M.pcall = protected.pcall

--- The `xpcall` that belongs to it.
---@param fn function
---@param handler function
---@param ... any
---@return boolean ok
---@return any ...
M.xpcall = protected.xpcall

-- Lua 5.1: a protected call runs its function in a coroutine that the program knows nothing of.
local running = protected.running
if running then
  M.running = running

  function M.status(thread)
    if type(thread) ~= "thread" then
      error("bad argument #1 to 'status' (coroutine expected)", 2)
    end
    local status = nested.status(thread)
    return thread == running() and "running" or status
  end
end

return M
