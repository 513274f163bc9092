--- Runs functions as tasks, for specs.

local cosock = require "cosock"

local unpack = table.unpack or unpack -- luacheck: ignore 143

local M = {}

--- Runs every function as a task of its own until all have ended.
---
--- A task that raises ends the loop and raises here, with the tasks forgotten so that the next spec
--- starts from nothing.
---@param ... fun()
function M.tasks(...)
  cosock.reset()
  for index = 1, select("#", ...) do
    cosock.spawn((select(index, ...)), "spec task " .. index)
  end
  local ok, err = pcall(cosock.run)
  if not ok then
    cosock.reset()
    error(err, 0)
  end
end

--- Runs `fn` as a task and returns what it returned.
---@param fn fun(...): ...
---@param ... any  passed to `fn`
---@return any ...
function M.task(fn, ...)
  local arguments, count = { ... }, select("#", ...)
  local results, results_count
  M.tasks(function()
    local function keep(...)
      results, results_count = { ... }, select("#", ...)
    end
    keep(fn(unpack(arguments, 1, count)))
  end)
  return unpack(results, 1, results_count)
end

return M
