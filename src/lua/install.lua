--- Our modules for a whole program: `cosock.install()` and back.

local require = ...

local coroutines = require "cosock.coroutine"
local loader = require "cosock.loader"
local protected = require "cosock.protected"
local replacements = require "cosock.replacements"

local globals, package = _G, package

local M = {}

--- What `uninstall` has to put back, in the order in which it was put away: each is a table, a key,
--- what was there and what is there now.
---@type {at: table, key: any, former: any, present: any}[]
local changes = {}

--- Changes a table until `uninstall`.
local function change(at, key, value)
  changes[#changes + 1] = { at = at, key = key, former = rawget(at, key), present = value }
  rawset(at, key, value)
end

--- What `require` calls for a module of ours.
local function load_ours(name)
  local module, sets_global = replacements.load(name)
  if sets_global then
    change(globals, name, module)
  end
  return module
end

--- Calls the function that loads a module.
local function call(fn, ...)
  return fn(...)
end

--- `require` for the whole program. The interpreter's own cannot be waited across.
local waiting_require = loader.requirer({
  loaded = package.loaded,
  loading = {},
  call = call,
  provide = function() end,
  find = loader.find,
}, "require")

--- `dofile`, where the interpreter's own cannot be waited across (Lua 5.1 and LuaJIT).
local function waiting_dofile(file)
  local chunk, err = loadfile(file)
  if not chunk then
    error(err, 0)
  end
  return chunk()
end

--- From now on `require "socket"`, `"ssl"` and the modules that belong to them give ours in the whole
--- program, and the functions of the table `coroutine` are those of `cosock.coroutine`. Modules may wait
--- while they are loaded, and on Lua 5.1 `pcall` and `xpcall` can be waited across. Modules that were
--- loaded before keep what they have got. Does nothing if it is so already.
function M.install()
  if changes[1] then
    return
  end
  for name in pairs(replacements.modules) do
    if replacements.has(name) then
      change(package.loaded, name, nil)
      change(package.preload, name, load_ours)
    end
  end
  for name, value in pairs(coroutines) do
    -- No more names than the program expects: tracebacks would find `pcall` in this table, too.
    if coroutine[name] ~= nil then
      change(coroutine, name, value)
    end
  end
  change(globals, "require", waiting_require)
  if rawget(globals, "setfenv") then
    change(globals, "dofile", waiting_dofile)
  end
  if protected.pcall ~= pcall then
    change(globals, "pcall", protected.pcall)
    change(globals, "xpcall", protected.xpcall)
    change(debug, "traceback", protected.traceback)
  end
end

--- Puts everything back that `install` changed, unless somebody else has changed it again. Modules that
--- were loaded meanwhile keep what they have got. Does nothing if nothing is installed.
function M.uninstall()
  for name in pairs(replacements.modules) do
    if changes[1] and replacements.has(name) then
      package.loaded[name] = nil
    end
  end
  for index = #changes, 1, -1 do
    local entry = changes[index]
    changes[index] = nil
    if rawequal(rawget(entry.at, entry.key), entry.present) then
      rawset(entry.at, entry.key, entry.former)
    end
  end
end

return M
