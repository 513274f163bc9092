--- `wrap` for `cosock.coroutine` where a C function cannot go on after a wait: Lua 5.1 and LuaJIT.

local _, native = ...

local create = coroutine.create
local finish, resume = native.coroutine.finish, native.coroutine.resume

--- As `coroutine.wrap`.
---@param ... function
---@return function
return function(...)
  local made, thread = pcall(create, ...)
  if not made then
    error((thread:gsub("'[%w?]+'", "'wrap'", 1)), 2)
  end
  return function(...)
    return finish(resume(thread, ...))
  end
end
