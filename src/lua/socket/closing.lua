--- Calling what may raise on behalf of something that has to be closed then.

local require = ...

local pcall = require "cosock.pcall"

local M = {}

local function settle(object, ok, ...)
  if ok then
    return ...
  end
  object:close()
  error((...), 0)
end

--- Calls `fn`, which may wait, and returns what it returns. If it raises, closes `object` and raises the same.
---@param object {close: fun(self)}
---@param fn function
---@param ... any  passed to `fn`
---@return any ...
function M.if_raised(object, fn, ...)
  return settle(object, pcall(fn, ...))
end

return M
