-- Runs specs where busted does not load, which is so on Lua 5.5: what it is made of assigns to loop variables. Takes
-- the options that script/test gives to busted, and writes the same events as script/busted_output.lua. The assertions
-- are busted's own, luassert. What `describe` and `it` do here is no more than our specs ask for.

--- One `describe`, or one file.
---@class (exact) Block
---@field name string
---@field parent Block|nil
---@field elements function[]  what runs its tests and inner blocks, in their order
---@field before fun()[]
---@field after fun()[]
---@field first fun()[]
---@field last fun()[]

local options = { paths = {} }
do
  local valued = { ["--output"] = true, ["-Xoutput"] = true, ["--cpath"] = true, ["--filter"] = true }
  local index = 1
  while arg[index] do
    if valued[arg[index]] then
      options[arg[index]] = assert(arg[index + 1], arg[index] .. " has no value")
      index = index + 2
    else
      options.paths[#options.paths + 1] = arg[index]
      index = index + 1
    end
  end
end

local events = assert(io.open(assert(options["-Xoutput"], "-Xoutput is missing"), "w"))
local function write(event, name)
  events:write(event, " ", (name:gsub("\n", " ")), "\n")
  events:flush()
end

package.cpath = assert(options["--cpath"], "--cpath is missing") .. ";" .. package.cpath
package.path = "./?.lua;" .. package.path

-- Of the folder where luassert is, specs see nothing else: it holds modules for another version.
do
  local path = package.path
  package.path = "/usr/share/lua/5.4/?.lua;/usr/share/lua/5.4/?/init.lua;" .. path
  assert = require "luassert" -- luacheck: ignore 121
  package.path = path
end

-- What `pending` raises.
local PENDING = {}

local block -- the one that is being defined
local cleanups -- of the test that runs

local function failed(kind, name, message)
  write("failed", name)
  print(("%s: %s\n%s\n"):format(kind, name, message))
  io.flush()
end

local function explain(err)
  return err == PENDING and PENDING or debug.traceback(tostring(err), 2)
end

local function full_name(name, within)
  while within and within.name ~= "" do
    name, within = within.name .. " " .. name, within.parent
  end
  return name
end

--- Calls all, each protected. Returns the first error.
local function call_all(list)
  local first
  for _, fn in ipairs(list) do
    local ok, err = xpcall(fn, explain)
    first = first or (not ok and err or nil)
  end
  return first
end

local function before(within)
  if within then
    before(within.parent)
    for _, fn in ipairs(within.before) do
      fn()
    end
  end
end

local function run_test(name, body, within)
  write("started", name)
  cleanups = {}
  local ok, err = xpcall(function()
    before(within)
    body()
  end, explain)
  local cleanup_error = call_all(cleanups)
  local ancestor = within
  while ancestor do
    cleanup_error = call_all(ancestor.after) or cleanup_error
    ancestor = ancestor.parent
  end
  if cleanup_error then
    failed("error", name, tostring(cleanup_error))
  elseif not ok and err ~= PENDING then
    failed("failure", name, err)
  else
    write(ok and "success" or "pending", name)
  end
end

--- Runs what defines a block, then the block.
local function run_block(name, define, parent)
  local new = { name = name, parent = parent, elements = {}, before = {}, after = {}, first = {}, last = {} }
  block = new
  local ok, err = xpcall(define, explain)
  block = parent
  if not ok then
    return failed("error", full_name(name, parent), tostring(err))
  end
  local setup_error = call_all(new.first)
  if setup_error then
    failed("error", full_name(name, parent), tostring(setup_error))
  else
    for _, element in ipairs(new.elements) do
      element()
    end
  end
  local teardown_error = call_all(new.last)
  if teardown_error then
    failed("error", full_name(name, parent), tostring(teardown_error))
  end
end

local function adder(field)
  return function(fn)
    block[field][#block[field] + 1] = fn
  end
end

local vocabulary = {
  before_each = adder "before",
  after_each = adder "after",
  setup = adder "first",
  teardown = adder "last",
  describe = function(name, define)
    local within = block
    within.elements[#within.elements + 1] = function()
      run_block(name, define, within)
    end
  end,
  it = function(name, body)
    local within = block
    local full = full_name(name, within)
    if not options["--filter"] or full:find(options["--filter"]) then
      within.elements[#within.elements + 1] = function()
        run_test(full, body, within)
      end
    end
  end,
  finally = function(fn)
    cleanups[#cleanups + 1] = fn
  end,
  pending = function()
    error(PENDING, 0)
  end,
}
for name, fn in pairs(vocabulary) do
  rawset(_G, name, fn)
end

local function copy(from)
  local to = {}
  for key, value in pairs(from) do
    to[key] = value
  end
  return to
end

local function restore(to, from)
  for key in pairs(copy(to)) do
    to[key] = from[key]
  end
end

--- Every file starts with the globals and the modules of the first one.
local function run_file(path)
  local globals, loaded = copy(_G), copy(package.loaded)
  run_block("", function()
    assert(loadfile(path))()
  end)
  restore(_G, globals)
  restore(package.loaded, loaded)
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

for _, path in ipairs(options.paths) do
  local list = assert(io.popen("find " .. quote(path) .. " -name '*_spec.lua' | sort"))
  local files = {}
  for file in list:lines() do
    files[#files + 1] = file
  end
  list:close()
  assert(#files > 0, "no specs in " .. path)
  for _, file in ipairs(files) do
    run_file(file)
  end
end

write("finished", "")
events:close()
