--- Wrong fields of a table that a program passes as an argument, reported to whoever called the function that got it.

local require = ...

local tasks = require "cosock.task"

local M = {}

--- Raises because a field is not what it has to be.
---@param name string
---@param expected string
---@param value any  what it is
---@param level? integer  how many functions of ours stand between the program and this one (1)
function M.fail(name, expected, value, level)
  error(("bad field '%s' (%s expected, got %s)"):format(name, expected, type(value)), (level or 1) + 2)
end

--- Raises unless a field is a string or a number.
---@param value any
---@param name string
---@param level? integer
function M.text(value, name, level)
  local kind = type(value)
  if kind ~= "string" and kind ~= "number" then
    M.fail(name, "string", value, (level or 1) + 1)
  end
end

--- Raises unless a field can be called.
---@param value any
---@param name string
---@param level? integer
function M.callable(value, name, level)
  if not tasks.is_callable(value) then
    M.fail(name, "function", value, (level or 1) + 1)
  end
end

return M
