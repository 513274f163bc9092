--- The standard `coroutine` table for use inside tasks.
---
--- A coroutine made here may wait for a socket, a channel or a time at any depth: the wait passes
--- outward to the task, which parks, and comes back inward. Everything else is as in the standard
--- table.

local require, native = ...

local waiting = require "cosock.waiting"

local standard = coroutine
local create, resume, yield = standard.create, standard.resume, standard.yield
local close = standard.close -- luacheck: ignore 143 (Lua 5.4 and later)
local nested = native.nested
local PARK = waiting.PARK
local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local M = {}
for name, value in pairs(standard) do
  M[name] = value
end

--- What `nested` says of a coroutine that waits: nobody but the runtime may resume it.
local PARKED = "parked"

--- Goes on with a coroutine that waited.
local function go_on(thread, ...)
  nested[thread] = true
  return resume(thread, ...)
end

--- Goes on with `thread` until it yields for its own user, passing the runtime's waits outward.
local function settle(thread, ok, first, ...)
  if first == PARK and ok then
    nested[thread] = PARKED
    return settle(thread, go_on(thread, yield(PARK)))
  end
  return ok, first, ...
end

--- As `coroutine.create`.
---@param fn function
---@return thread
function M.create(fn)
  local thread = create(fn)
  nested[thread] = true
  return thread
end

--- As `coroutine.resume`.
---@param thread thread
---@param ... any
---@return boolean ok
---@return any ...
function M.resume(thread, ...)
  if nested[thread] == PARKED then
    return false, "cannot resume non-suspended coroutine"
  end
  return settle(thread, resume(thread, ...))
end

--- As `coroutine.status`. A coroutine that waits is "normal": what it resumed is the runtime.
---@param thread thread
---@return "running"|"suspended"|"normal"|"dead"
function M.status(thread)
  if nested[thread] == PARKED then
    return "normal"
  end
  return standard.status(thread)
end

--- Returns the results of a wrapped coroutine, or raises its error.
local function unwrap(thread, ok, ...)
  if ok then
    return ...
  end
  local err = ...
  if close and standard.status(thread) == "dead" then
    local closed, reason = close(thread)
    if not closed then
      err = reason
    end
  end
  error(err, 0)
end

--- As `coroutine.wrap`.
---@param fn function
---@return function
function M.wrap(fn)
  local thread = M.create(fn)
  return function(...)
    return unwrap(thread, M.resume(thread, ...))
  end
end

--- The `pcall` below, for what a coroutine did: everything it yields passes outward.
local function transparent(thread, ok, ...)
  if ok and standard.status(thread) == "suspended" then
    return transparent(thread, resume(thread, yield(...)))
  end
  return ok, ...
end

--- A `pcall` across which a function may wait and yield, for interpreters whose own does not allow it
--- (Lua 5.1).
---@param fn function
---@param ... any
---@return boolean ok
---@return any ...
function M.pcall(fn, ...)
  local thread = M.create(function(...)
    return fn(...)
  end)
  return transparent(thread, resume(thread, ...))
end

--- Calls the handler of an `xpcall`.
local function handle(thread, handler, ok, ...)
  if ok then
    return true, ...
  end
  return false, handler((...), thread)
end

--- The `xpcall` that belongs to it. The handler runs after the stack was unwound; the coroutine that
--- failed is its second argument.
---@param fn function
---@param handler function
---@param ... any
---@return boolean ok
---@return any ...
function M.xpcall(fn, handler, ...)
  local arguments = { n = select("#", ...), ... }
  local thread = M.create(function()
    return fn(unpack(arguments, 1, arguments.n))
  end)
  return handle(thread, handler, transparent(thread, resume(thread)))
end

return M
