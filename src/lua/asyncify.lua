--- `require` for modules that know nothing of tasks: they, and all that they require in turn, get our
--- sockets in place of LuaSocket's and LuaSec's, and `cosock.coroutine` for `coroutine`.

local require = ...

local environments = require "cosock.environment"
local loader = require "cosock.loader"
local modules = require "cosock.module"
local protected = require "cosock.protected"
local replacements = require "cosock.replacements"

local getinfo, getupvalue = debug.getinfo, debug.getupvalue
local upvaluejoin = debug.upvaluejoin -- luacheck: ignore 143
local getfenv, setfenv = rawget(_G, "getfenv"), rawget(_G, "setfenv")
local standard_require = _G.require

local environment = environments.environment

--- Gives a function another environment. Returns a function that gives it the former one again.
---@param fn function
---@return fun() restore
local function enter(fn)
  if setfenv then
    local former = getfenv(fn)
    setfenv(fn, environment)
    return function()
      setfenv(fn, former)
    end
  end
  local function variable_of(value)
    return function()
      return value
    end
  end
  local index, name = 1, getupvalue(fn, 1)
  -- Without debugging information the first is the environment, in a file's own function.
  while name and name ~= "_ENV" and not (index == 1 and getinfo(fn, "S").what == "main") do
    index = index + 1
    name = getupvalue(fn, index)
  end
  if not name then
    return function() end -- it uses no global variables
  end
  local former = variable_of(nil)
  upvaluejoin(former, 1, fn, index)
  upvaluejoin(fn, index, variable_of(environment), 1)
  return function()
    upvaluejoin(fn, index, former, 1)
  end
end

local function settle(restore, ok, ...)
  restore()
  if not ok then
    error((...), 0)
  end
  return ...
end

--- Calls a module's loader in our environment.
local function call(fn, ...)
  if loader.is_native(fn) then
    -- C code sees no environment, and there shall be one instance of it for all.
    return (standard_require((...)))
  end
  local restore = enter(fn)
  if getinfo(fn, "S").what == "main" then
    -- It is a file's own function, and nobody else's.
    return fn(...)
  end
  return settle(restore, protected.pcall(fn, ...))
end

--- A module of ours.
local function provide(name)
  if not replacements.has(name) then
    return nil
  end
  local module, sets_global = replacements.load(name)
  environments.own(module)
  if sets_global then
    environments.define(name, module)
  end
  return module
end

local options = { loaded = environments.loaded, loading = {}, call = call, provide = provide, find = loader.find }

environments.define("require", loader.requirer(options, "require"))

if rawget(_G, "module") then
  environments.define("module", modules.module)
  rawset(environment.package, "seeall", modules.seeall)
end

--- Loads a module as `require` does, once for everybody who loads it by this function, and apart from
--- the one that `require` gives. In it, and in all that it requires, `require "socket"`, `"ssl"` and the
--- modules that belong to them give ours, which let other tasks run while they wait; `coroutine` is
--- `cosock.coroutine`, and on Lua 5.1 `pcall` and `xpcall` can be waited across. A module may wait while
--- it is loaded.
---
--- Modules written in C are the same as for everybody. Raises what `require` would raise.
---@type fun(name: string): any, any  the module, and on Lua 5.4 what the searcher said if it was loaded now
return loader.requirer(options, "asyncify")
