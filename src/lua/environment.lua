--- The global variables of programs that were loaded by `cosock.asyncify`.
---
--- They are the program's, but for those by which a module gets at what waits: `require`, `package`,
--- `coroutine`, and the functions that load more code. What such a module stores in a global variable
--- everybody sees, unless it is something of ours: the rest of the program keeps its own `socket`.

local require = ...

local coroutines = require "cosock.coroutine"
local protected = require "cosock.protected"

local globals = _G
local rawequal, rawget, rawset = rawequal, rawget, rawset
local getmetatable, setmetatable = getmetatable, setmetatable
local load, loadstring, loadfile = load, rawget(_G, "loadstring"), loadfile
local setfenv = rawget(_G, "setfenv")
local next, pairs, select, type = next, pairs, select, type

local M = {}

--- What modules get from us: never to be stored in a global variable of the rest of the program.
---@type table<any, true>
local ours = setmetatable({}, { __mode = "k" })

--- The environment.
---@type table<string, any>
local environment = setmetatable({}, {
  __index = globals,
  __pairs = function(self)
    return self.next, self, nil
  end,
  __newindex = function(self, name, value)
    if value ~= nil and ours[value] then
      rawset(self, name, value)
    else
      globals[name] = value
    end
  end,
})
M.environment = environment

--- The modules that were loaded for this environment, by name: its `package.loaded`.
---@type table<string, any>
M.loaded = {}

--- Notes that something is ours.
---@generic T
---@param value T
---@return T
function M.own(value)
  if value ~= nil then
    ours[value] = true
  end
  return value
end

--- Gives the environment a variable of its own.
---@param name string
---@param value any
function M.define(name, value)
  rawset(environment, name, M.own(value))
end

-- A module that looks at the table of global variables itself, `_G`, sees the program's.

M.define("_G", environment)

M.define("rawget", function(table, name)
  if rawequal(table, environment) and rawget(environment, name) == nil then
    return rawget(globals, name)
  end
  return rawget(table, name)
end)

M.define("rawset", function(table, name, value)
  if rawequal(table, environment) and rawget(environment, name) == nil and not (value ~= nil and ours[value]) then
    rawset(globals, name, value)
    return table
  end
  return rawset(table, name, value)
end)

M.define("getmetatable", function(value)
  if rawequal(value, environment) then
    return getmetatable(globals)
  end
  return getmetatable(value)
end)

M.define("setmetatable", function(table, metatable)
  if rawequal(table, environment) then
    setmetatable(globals, metatable)
    return table
  end
  return setmetatable(table, metatable)
end)

--- As `next` for all global variables that a module sees: the program's, with those of this environment
--- in their place, and then those that are in it alone.
local function next_global(name)
  if name == nil or rawget(globals, name) ~= nil or rawget(environment, name) == nil then
    name = next(globals, name)
    if name ~= nil then
      return name, environment[name]
    end
  end
  local value
  repeat
    name, value = next(environment, name)
  until name == nil or rawget(globals, name) == nil
  return name, value
end

--- Raises what the interpreter raises for a first argument that is no table.
local function check_table(as, ...)
  if type((...)) ~= "table" then
    local given = select("#", ...) == 0 and "no value" or type((...))
    error(("bad argument #1 to '%s' (table expected, got %s)"):format(as, given), 3)
  end
end

M.define("next", function(...)
  local table, name = ...
  if rawequal(table, environment) then
    return next_global(name)
  end
  check_table("next", ...)
  return next(table, name)
end)

-- From Lua 5.2 on there is a metamethod.
if setfenv then
  M.define("pairs", function(...)
    local table = ...
    if rawequal(table, environment) then
      return environment.next, table, nil
    end
    check_table("pairs", ...)
    return pairs(table)
  end)
end

-- Code that a module loads itself.

if setfenv then
  --- Makes a function that loads code put it into this environment.
  local function within(loader)
    local function settle(chunk, ...)
      if chunk then
        setfenv(chunk, environment)
      end
      return chunk, ...
    end
    return loader and function(...)
      return settle(loader(...))
    end
  end
  M.define("load", within(load))
  M.define("loadstring", within(loadstring))
  M.define("loadfile", within(loadfile))
else
  local function load_here(...)
    if select("#", ...) < 4 then
      local chunk, name, mode = ...
      return load(chunk, name, mode, environment)
    end
    return load(...)
  end
  M.define("load", load_here)
  M.define("loadstring", loadstring and load_here)
  M.define("loadfile", function(...)
    if select("#", ...) < 3 then
      local file, mode = ...
      return loadfile(file, mode, environment)
    end
    return loadfile(...)
  end)
end

M.define("dofile", function(file)
  local chunk, err = environment.loadfile(file)
  if not chunk then
    error(err, 0)
  end
  return chunk()
end)

-- The libraries.

for _, name in ipairs {
  "string", "table", "math", "io", "os", "debug", "bit32", "utf8", "bit", "jit", "jit.opt", "jit.util",
} do
  M.loaded[name] = package.loaded[name]
end
M.loaded._G = environment

--- Gives the environment a library of its own.
local function define_library(name, library)
  M.define(name, library)
  M.loaded[name] = library
end

define_library("coroutine", coroutines)
define_library("package", setmetatable({ loaded = M.loaded }, { __index = package, __newindex = package }))

-- Where the interpreter's `pcall` allows no waiting, so that ours have to be used.
if protected.pcall ~= pcall then
  M.define("pcall", protected.pcall)
  M.define("xpcall", protected.xpcall)
  local library = {}
  for name, value in pairs(debug) do
    library[name] = value
  end
  library.traceback = protected.traceback
  define_library("debug", library)
end

return M
