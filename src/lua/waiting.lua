--- How a function that has to wait tries, parks the task, and tries again.

local _, native = ...

local yield = coroutine.yield
local spend = native.task.spend

local M = {}

--- What a task yields when the scheduler knows already what it waits for. A function, because
--- comparing functions runs no metamethod; nobody calls it.
M.PARK = native.park

local PARK = M.PARK

--- Tries until it need not wait any more.
---
--- A native function that has to be tried again has parked the task, or blocked the program if there
--- is no task, and returns `nil, nil, began, blocked`; `began` is its fifth argument in the next
--- attempt. (Where it can, `native.waits`, `receive` and `send` of streams wait by themselves.)
---@param try function  a native function
---@param a any
---@param b any
---@param c any
---@param d any
---@return any first  all three as `try` returns them in the end
---@return any second
---@return any third
function M.attempt(try, a, b, c, d)
  local first, second, third, blocked = try(a, b, c, d)
  while first == nil and second == nil do
    if not blocked then
      yield(PARK)
    end
    first, second, third, blocked = try(a, b, c, d, third)
  end
  return first, second, third
end

local attempt = M.attempt

--- Makes a method that waits out of a native function, returning one value, or `nil, error`.
---@param try function  a native function
---@return function
function M.method(try)
  return function(self, a, b, c)
    local value, err = attempt(try, self, a, b, c)
    if value == nil then
      return nil, err
    end
    return value
  end
end

--- Counts an operation that did not have to wait, so that a task which never has to wait lets others
--- run all the same.
function M.let_others_run()
  if spend() then
    yield(PARK)
  end
end

return M
