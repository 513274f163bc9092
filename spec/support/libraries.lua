--- Libraries as Debian packages them, unmodified, loaded by `cosock.asyncify`.

local cosock = require "cosock"
local run = require "spec.support.run"

local M = {}

-- Debian puts a library into the folders of the Lua versions that it was packaged for. Most of them run on others, too.
local FOLDERS = { "5.1", "5.2", "5.3" }

local function search_path()
  local parts = { package.path }
  for _, version in ipairs(FOLDERS) do
    parts[#parts + 1] = ("/usr/share/lua/%s/?.lua;/usr/share/lua/%s/?/init.lua"):format(version, version)
  end
  return table.concat(parts, ";")
end

--- Loads a library for use in tasks.
---@param name string
---@return any module
function M.asyncify(name)
  local path = package.path
  package.path = search_path()
  local ok, module = pcall(cosock.asyncify, name)
  package.path = path
  if not ok then
    error(module, 0)
  end
  return module
end

--- The message that `fn` raises, which may wait (the interpreter's `pcall` of Lua 5.1 allows no waiting).
---@param fn fun()
---@return any message
function M.raised(fn)
  local ok, message = cosock.coroutine.resume(cosock.coroutine.create(fn))
  if ok then
    error("expected an error, but none was raised", 2)
  end
  return message
end

--- How many tasks use a library at once.
M.TASKS = 20

--- Runs a function in as many tasks at once, each with its number. They meet before any of them ends: `meet()` waits
--- until all have called it. So nothing here passes if one task keeps the others from running.
---@param body fun(number: integer, meet: fun())
---@param ... fun()  what else runs at the same time, in tasks of their own
function M.in_tasks(body, ...)
  local met = 0
  local functions = {}
  for number = 1, M.TASKS do
    functions[number] = function()
      local mine = 0
      local function meet()
        mine, met = mine + 1, met + 1
        while met < mine * M.TASKS do
          cosock.socket.sleep(0)
        end
      end
      body(number, meet)
    end
  end
  for index = 1, select("#", ...) do
    functions[M.TASKS + index] = select(index, ...)
  end
  run.tasks((table.unpack or unpack)(functions)) -- luacheck: ignore 143
end

return M
