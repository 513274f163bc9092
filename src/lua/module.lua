--- `module` and `package.seeall` for modules loaded by `cosock.asyncify`, where the interpreter has them
--- (Lua 5.1 and LuaJIT; 5.2 as Debian builds it).

local require = ...

local environment = require "cosock.environment"

local getinfo, getupvalue, setupvalue = debug.getinfo, debug.getupvalue, debug.setupvalue
local setfenv = rawget(_G, "setfenv")

--- The table at a dotted name among the global variables, made if there is none. These tables are the
--- environment's own: nobody else shall find a module in them.
---@param name string
---@return table? module  nil if the name is taken
local function find(name)
  local at = environment.environment
  for part in name:gmatch "[^.]+" do
    local value = rawget(at, part)
    if value == nil then
      value = {}
      rawset(at, part, value)
    elseif type(value) ~= "table" then
      return nil
    end
    at = value
  end
  return at
end

--- Makes `module` the environment of the function at a level.
local function enter(level, module)
  local fn = getinfo(level + 1, "f").func
  if setfenv then
    return setfenv(fn, module)
  end
  local index, name = 1, getupvalue(fn, 1)
  while name and name ~= "_ENV" do
    index = index + 1
    name = getupvalue(fn, index)
  end
  if name then
    setupvalue(fn, index, module)
  end
end

local M = {}

--- As `module`.
---@param name string
---@param ... fun(module: table)  options
function M.module(name, ...)
  local loaded = environment.loaded
  local module = loaded[name]
  if type(module) ~= "table" then
    module = find(name)
    if not module then
      error(("name conflict for module '%s'"):format(name), 2)
    end
    loaded[name] = module
  end
  if module._NAME == nil then
    module._M, module._NAME, module._PACKAGE = module, name, name:match "^(.*%.)[^.]*$" or ""
  end
  enter(2, module)
  for index = 1, select("#", ...) do
    local option = select(index, ...)
    -- From Lua 5.2 on a file's name may be among them: what `require` passes behind the module's.
    if setfenv or type(option) == "function" then
      option(module)
    end
  end
end

--- As `package.seeall`.
---@param module table
function M.seeall(module)
  local metatable = getmetatable(module)
  if not metatable then
    metatable = {}
    setmetatable(module, metatable)
  end
  metatable.__index = environment.environment
end

return M
