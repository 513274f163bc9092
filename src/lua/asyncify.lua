--- `require` for modules that know nothing of tasks: they, and all that they require in turn, get our
--- sockets in place of LuaSocket's and LuaSec's, and `cosock.coroutine` for `coroutine`.

local require = ...

local environments = require "cosock.environment"
local modules = require "cosock.module"
local protected = require "cosock.protected"
local replacements = require "cosock.replacements"

local getinfo, getupvalue = debug.getinfo, debug.getupvalue
local upvaluejoin = debug.upvaluejoin -- luacheck: ignore 143
local getfenv, setfenv = getfenv, setfenv -- luacheck: ignore 113
local pcall, standard_require = pcall, _G.require

local environment, loaded = environments.environment, environments.loaded

--- Lua 5.1 and LuaJIT: a module gets its name alone, and to require it again while it is loaded, or after
--- it raised an error, is an error.
local IS_OLD = setfenv ~= nil

--- What stands for a module meanwhile.
local function LOADING() end

--- How deep modules may require each other, where a cycle is no error by itself: as deep as the
--- interpreter's own `require` gets.
local DEEPEST = 190
--- How many times the loading of each module has begun and not ended.
---@type table<string, integer>
local depths = {}

--- Finds the function that loads a module.
---@param name string
---@return function? loader  nil if there is none
---@return any extra  what the loader is to be called with, next to the name
local function find(name)
  for _, searcher in ipairs(package.searchers or package.loaders) do -- luacheck: ignore 143
    local ok, loader, extra = pcall(searcher, name)
    if not ok then
      error(loader, 0) -- a file that does not compile
    elseif type(loader) == "function" then
      return loader, extra
    end
  end
end

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
local function run(loader, ...)
  local restore = enter(loader)
  if getinfo(loader, "S").what == "main" then
    -- The loader is a file's own function, and nobody else's.
    return loader(...)
  end
  return settle(restore, protected.pcall(loader, ...))
end

--- How many calls of `fn` are under way in this coroutine.
local function calls_of(fn)
  local count, level = 0, 2
  local info = getinfo(level, "f")
  while info do
    count = count + (info.func == fn and 1 or 0)
    level = level + 1
    info = getinfo(level, "f")
  end
  return count
end

--- Notes that the loading of a module begins. Raises if that can never end.
local function begin(name, load)
  if IS_OLD then
    loaded[name] = LOADING
    return
  end
  local depth = (depths[name] or 0) + 1
  if depth > DEEPEST then
    depth = calls_of(load) -- others may have ended with an error
    if depth > DEEPEST then
      error(("error loading module '%s': modules require each other without end"):format(name), 0)
    end
  end
  depths[name] = depth
end

--- Loads a module of ours.
local function load_ours(name)
  local module, sets_global = replacements.load(name)
  loaded[name] = environments.own(module)
  if sets_global then
    environments.define(name, module)
  end
  return module
end

--- Requires a module.
---@param name string
---@param as string  the function's name in errors, which point to the caller of its caller
---@return any module
---@return any extra  what the searcher said about it, if it was loaded now
local function load(name, as)
  if type(name) ~= "string" and type(name) ~= "number" then
    error(("bad argument #1 to '%s' (string expected, got %s)"):format(as, type(name)), 3)
  end
  name = tostring(name)
  local module = loaded[name]
  if module == LOADING then
    error(("loop or previous error loading module '%s'"):format(name), 3)
  elseif module then
    return module
  elseif replacements.has(name) then
    return load_ours(name)
  end
  local loader, extra = find(name)
  if not loader or getinfo(loader, "S").what == "C" then
    -- C code sees no environment: there is one instance of it for all. And what cannot be found may
    -- have been loaded in a way of the program's own; if not, the error is the interpreter's.
    local ok, result, about = pcall(standard_require, name)
    if not ok then
      error(result, loader and 0 or 3)
    end
    loaded[name] = result
    return result, about
  end
  begin(name, load)
  local result
  if IS_OLD then
    result = run(loader, name)
  else
    result = run(loader, name, extra)
  end
  depths[name] = nil
  if result ~= nil then
    loaded[name] = result
  elseif loaded[name] == nil or loaded[name] == LOADING then
    loaded[name] = true
  end
  return loaded[name], extra
end

--- Makes a function that requires. As the interpreter's own, it tells from Lua 5.4 on what the searcher said.
---@param as string  its name in errors
local function requirer(as)
  return function(name)
    local module, extra = load(name, as)
    if extra == nil or not coroutine.close then -- luacheck: ignore 143
      return module
    end
    return module, extra
  end
end

environments.define("require", requirer "require")

if environment.module then
  environments.define("module", modules.module)
  rawset(environment.package, "seeall", modules.seeall)
end

--- Loads a module as `require` does, once for everybody who loads it by this function, and apart from
--- the one that `require` gives. In it, and in all that it requires, `require "socket"`, `"ssl"` and the
--- modules that belong to them give ours, which let other tasks run while they wait; `coroutine` is
--- `cosock.coroutine`, and on Lua 5.1 `pcall` and `xpcall` can be waited across.
---
--- Modules written in C are the same as for everybody. Raises what `require` would raise.
---@type fun(name: string): any, any  the module, and on Lua 5.4 what the searcher said if it was loaded now
return requirer "asyncify"
