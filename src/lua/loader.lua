--- `require` written in Lua: what a module does while it is loaded may wait, and it may be given another
--- environment.

local require, native = ...

local select_module = require "cosock.socket.select"
local tasks = require "cosock.task"

local getinfo, getlocal = debug.getinfo, debug.getlocal
local pcall, standard_require = pcall, _G.require
local running, status = coroutine.running, coroutine.status
local in_task = native.task.in_task

--- Lua 5.1 and LuaJIT: a module gets its name alone, and to require it again while it is loaded, or after
--- it raised an error, is an error.
local IS_OLD = rawget(_G, "setfenv") ~= nil

--- From Lua 5.4 on, `require` tells what the searcher said of a module that it has loaded.
local TELLS = coroutine.close ~= nil -- luacheck: ignore 143

--- What stands for a module meanwhile: where the interpreter's own `require` has something for that
--- (Lua 5.1 and LuaJIT), the same, so that either knows a module that the other has begun.
local LOADING
do
  local name = "cosock.loader"
  local function probe()
    LOADING = package.loaded[name]
  end
  local former = package.preload[name]
  package.preload[name] = probe
  pcall(standard_require, name)
  package.preload[name], package.loaded[name] = former, nil
  if LOADING == nil then
    LOADING = probe
  end
end

--- How deep modules may require each other, where a cycle is no error by itself: as deep as the
--- interpreter's own `require` gets.
local DEEPEST = 190

--- Seconds between two looks at a module that another task loads. Nothing tells when that ended with an error.
local PAUSE = 0.001

--- The task that each task waits for, because it loads a module.
---@type table<cosock.Task, cosock.Task>
local waits_for = setmetatable({}, { __mode = "kv" })

local M = {}

--- Finds the function that loads a module.
---@param name string
---@return function? loader  nil if there is none
---@return any extra  what the searcher said of it
function M.find(name)
  for _, searcher in ipairs(package.searchers or package.loaders) do -- luacheck: ignore 143
    local ok, loader, extra = pcall(searcher, name)
    if not ok then
      error(loader, 0) -- a file that does not compile
    elseif type(loader) == "function" then
      return loader, extra
    end
  end
end

--- Whether a function is written in C.
---@param fn function
---@return boolean
function M.is_native(fn)
  return getinfo(fn, "S").what == "C"
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

--- A module that a task loads.
---@class (exact) cosock.Loading
---@field task cosock.Task?  nil once it was collected
---@field thread thread?  the coroutine in which it does so, likewise
---@field load function  what it calls for that, with the module's name

local Loading = { __mode = "v" }

--- Whether another task is about to load a module.
---@param loading cosock.Loading?
---@param name string
local function is_under_way(loading, name)
  local thread = loading and loading.task and loading.task:is_alive() and loading.thread
  if not thread or status(thread) == "dead" then
    return false
  end
  local level = 0
  local info = getinfo(thread, level, "f")
  while info do
    if info.func == loading.load and select(2, getlocal(thread, level, 1)) == name then
      return true
    end
    level = level + 1
    info = getinfo(thread, level, "f")
  end
  return false
end

--- Whether a task waits for another one, perhaps by way of more.
local function depends(one, other)
  while one and one ~= other do
    one = waits_for[one]
  end
  return one ~= nil
end

--- Waits until no other task loads a module, unless that waits for this one.
---@param all table<string, cosock.Loading>
---@param name string
local function await(all, name)
  if not all[name] or not in_task() then
    return
  end
  local own = tasks.current()
  while is_under_way(all[name], name) and not depends(all[name].task, own) do
    waits_for[own] = all[name].task
    select_module.sleep(PAUSE)
  end
  waits_for[own] = nil
end

--- How modules are loaded.
---@class cosock.Loader
---@field loaded table<string, any>  what is loaded, as `package.loaded`
---@field loading table<string, cosock.Loading>  what tasks load
---@field call fun(loader: function, name: string, extra: any): any  calls the function that loads a module
---@field provide fun(name: string): any  a module that need not be searched for, or nil
---@field find fun(name: string): function?, any  as `M.find`

--- Makes a function that requires.
---@param options cosock.Loader
---@param as string  its name in errors
---@return fun(name: string): any, any
function M.requirer(options, as)
  local loaded, loading = options.loaded, options.loading
  --- How many times the loading of each module has begun and not ended.
  local depths = {}

  --- Notes that the loading of a module begins. Raises if that can never end.
  local function begin(name, load)
    if in_task() then
      loading[name] = setmetatable({ task = tasks.current(), thread = running(), load = load }, Loading)
    end
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

  local function load(name)
    await(loading, name)
    local module = loaded[name]
    if module == LOADING then
      error(("loop or previous error loading module '%s'"):format(name), 3)
    elseif module then
      return module
    end
    module = options.provide(name)
    if module ~= nil then
      loaded[name] = module
      return module
    end
    local loader, extra = options.find(name)
    if not loader then
      -- The error is the interpreter's. Or the program has put the module into `package.loaded` by itself.
      local ok, result, about = pcall(standard_require, name)
      if not ok then
        error(result, 3)
      end
      loaded[name] = result
      return result, about
    end
    begin(name, load)
    local result
    if IS_OLD then
      result = options.call(loader, name)
    else
      result = options.call(loader, name, extra)
    end
    depths[name], loading[name] = nil, nil
    if result ~= nil then
      loaded[name] = result
    elseif loaded[name] == nil or loaded[name] == LOADING then
      loaded[name] = true
    end
    return loaded[name], extra
  end

  return function(...)
    local name = ...
    if type(name) ~= "string" and type(name) ~= "number" then
      local given = select("#", ...) == 0 and "no value" or type(name)
      error(("bad argument #1 to '%s' (string expected, got %s)"):format(as, given), 2)
    end
    local module, extra = load(tostring(name))
    if extra == nil or not TELLS then
      return module
    end
    return module, extra
  end
end

return M
