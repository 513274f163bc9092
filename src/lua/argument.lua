--- Wrong arguments, reported as the interpreter's own functions do. For functions that programs call
--- directly: the error points to their caller.

local M = {}

--- Raises because an argument is not what it has to be.
---@param position integer
---@param name string  of the function it was given to
---@param expected string
---@param value any  what was given
---@param level? integer  how many functions of ours stand between the program and this one (1)
function M.fail(position, name, expected, value, level)
  local message = "bad argument #%d to '%s' (%s expected, got %s)"
  error(message:format(position, name, expected, type(value)), (level or 1) + 2)
end

--- A string, or a number as its string. Raises if the argument is neither.
---@param value any
---@param position integer
---@param name string  of the function it was given to
---@return string
function M.string(value, position, name)
  if type(value) == "number" then
    return tostring(value)
  elseif type(value) ~= "string" then
    M.fail(position, name, "string", value, 2)
  end
  return value
end

--- Raises if the argument is not of the type.
---@param value any
---@param kind string  as `type` names it
---@param position integer
---@param name string  of the function it was given to
function M.check(value, kind, position, name)
  if type(value) ~= kind then
    M.fail(position, name, kind, value, 2)
  end
end

--- Raises if the argument cannot be called.
---@param value any
---@param position integer
---@param name string  of the function it was given to
function M.callable(value, position, name)
  if type(value) == "function" then
    return
  end
  local metatable = getmetatable(value)
  -- One that is hidden gets the benefit of the doubt.
  if not metatable or type(metatable) == "table" and not metatable.__call then
    M.fail(position, name, "function", value, 2)
  end
end

return M
