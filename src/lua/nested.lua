--- Tasks that wait in a coroutine inside their own.
---
--- Such a wait was passed outward by `resume` and `wrap` (see `cosock.coroutine`), and every coroutine
--- on its way has a link to the one that had resumed it. When the wait is over, the loop goes on with
--- the innermost coroutine. What that yields or returns, or its error, belongs to the next one outward,
--- whose `resume` returns with it.

local _, native = ...

local standard_close = coroutine.close -- luacheck: ignore 143 (Lua 5.4 and later)
local resume = coroutine.resume
local enter, link, links = native.coroutine.enter, native.coroutine.link, native.coroutine.links
local PARK, OUTWARD = native.park, native.coroutine.outward

local M = {}

--- Notes that a task waits in a coroutine inside its own.
---@param task cosock.Task
---@param innermost thread
function M.hold(task, innermost)
  task._innermost = innermost
  -- The outermost has itself for its link: nobody else may resume it now.
  link(task._thread, task._thread)
end

--- Looks at what came of resuming `thread` on behalf of `outer`, and goes on outward.
local function settle(task, thread, outer, ok, ...)
  local first, innermost = ...
  if ok and first == PARK then
    link(thread, outer)
    return true, OUTWARD, thread
  elseif ok and first == OUTWARD then
    link(thread, outer)
    return true, OUTWARD, innermost
  end
  return M.resume(task, outer, ok, ...)
end

--- Resumes a coroutine that waits, and then the ones outward that it gives way to.
---@param task cosock.Task  the task of which it is a part
---@param thread thread
---@param ... any  what it is resumed with
---@return boolean ok  as `coroutine.resume` returns for the task's own coroutine, or for the one that waits
---@return any ...
function M.resume(task, thread, ...)
  local outer = links[thread]
  if outer == thread then
    task._innermost = nil
    enter(thread)
    return resume(thread, ...)
  end
  task._innermost = thread -- it has no link meanwhile
  enter(thread)
  return settle(task, thread, outer, resume(thread, ...))
end

--- Ends a coroutine that waits, of a task that will not go on.
local function finish(thread)
  if not standard_close then
    link(thread, false)
    return true
  end
  link(thread, nil)
  return standard_close(thread)
end

--- Ends what a task that was cancelled waits for, from the innermost coroutine outward, its own not
--- included: none of them goes on, and their to-be-closed variables run (Lua 5.4).
---@param thread thread  the task's own coroutine
---@param innermost thread
---@return boolean ok
---@return any error  the last that closing a variable raised
function M.cancel(thread, innermost)
  local ok, err = true, nil
  while innermost ~= thread do
    local outer = links[innermost]
    local closed, reason = finish(innermost)
    if not closed then
      ok, err = false, reason
    end
    innermost = outer
  end
  link(thread, nil)
  return ok, err
end

--- The same after an error in the midst of a turn, as from a signal's hook, when not all links are there.
---@param thread thread  the task's own coroutine
---@param innermost thread?  the one that the loop has resumed, or was about to, if there is one
function M.abandon(thread, innermost)
  local inner = {}
  for waiting, outer in pairs(links) do
    if outer and outer ~= waiting then
      inner[outer] = waiting
    end
  end
  local chain = {} -- from the outside
  local function add(waiting)
    while waiting do
      chain[#chain + 1] = waiting
      waiting = inner[waiting]
    end
  end
  add(inner[thread])
  if innermost and links[innermost] == nil then
    add(innermost)
  end
  for index = #chain, 1, -1 do
    finish(chain[index])
  end
  link(thread, nil)
end

return M
