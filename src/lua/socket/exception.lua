--- Exceptions in LuaSocket's style: `try` raises, `protect` turns that into `nil, message`.

local require = ...

local pcall = require "cosock.pcall"

local M = {}

--- Every exception that `try` raised and somebody still holds.
local exceptions = setmetatable({}, { __mode = "k" })

--- Raises what a failed `try` found.
local function raise(finalizer, err)
  if finalizer ~= nil then
    finalizer()
  end
  local exception = setmetatable({ err }, { __metatable = false })
  exceptions[exception] = true
  error(exception, 0)
end

--- Makes a function that returns its arguments if the first is true, and else calls `finalizer` and
--- raises the second, for `protect` to catch.
---@param finalizer? fun()  must not wait
---@return fun(...): ...
function M.newtry(finalizer)
  return function(...)
    local ok, err = ...
    if ok then
      return ...
    end
    return raise(finalizer, err)
  end
end

local function settle(ok, ...)
  if ok then
    return ...
  end
  local err = ...
  if exceptions[err] then
    return nil, err[1]
  end
  error(err, 0)
end

--- Makes a function that calls `fn` and returns `nil, err` if a `try` in it failed. Other errors pass
--- through. `fn` may wait.
---@param fn function
---@return function
function M.protect(fn)
  return function(...)
    return settle(pcall(fn, ...))
  end
end

return M
