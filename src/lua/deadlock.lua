--- What to do when tasks are left and nothing can wake any of them.

local require = ...

local tasks = require "cosock.task"

local M = {}

--- Collects garbage: whoever waits for something that only garbage could have done is told so.
---@return boolean resolved  whether that made a task ready
function M.resolve()
  -- Twice: what the first round finalizes may have been the last to hold something else.
  collectgarbage()
  collectgarbage()
  local resolved = false
  for _, task in pairs(tasks.live) do
    local wait = task._wait
    if wait then
      resolved = wait:close_orphans() or resolved
    end
  end
  return resolved
end

--- Where in the program a task is: the innermost place that is not ours.
---@param thread thread
---@return string
local function where(thread)
  local level = 0
  while true do
    local info = debug.getinfo(thread, level, "Sl")
    if not info then
      return "?"
    elseif info.currentline > 0 and not info.source:find("^=cosock") then
      return ("%s:%d"):format(info.short_src, info.currentline)
    end
    level = level + 1
  end
end

--- The error of a deadlock: every task, what it waits for, and where.
---@return string
function M.report()
  local lines = { "deadlock: tasks are left, and nothing can wake any of them" }
  for _, task in pairs(tasks.live) do
    local wait = task._wait
    local what = wait and wait:describe() or "to be woken"
    local place = where(task._innermost or task._thread)
    lines[#lines + 1] = ("  task '%s' waits %s at %s"):format(tostring(task), what, place)
  end
  table.sort(lines, function(one, other)
    -- The heading has no indentation and sorts first.
    local first, second = one:sub(1, 1) ~= " ", other:sub(1, 1) ~= " "
    if first ~= second then
      return first
    end
    return one < other
  end)
  return table.concat(lines, "\n")
end

return M
