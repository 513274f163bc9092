--- Compares `cosock.socket`, or another module, with LuaSocket, where that is installed: both make the same calls,
--- and what each call returned or raised must be the same.
---
--- A scenario is a function that gets the `socket` table (or the other module) under test and a recorder:
---
---     function(socket, record)
---       local tcp = socket.tcp4()
---       record:method(tcp, "bind", "127.0.0.1", 0)   -- tcp:bind("127.0.0.1", 0)
---       record:call("skip", 1, "a", "b")             -- socket.skip(1, "a", "b")
---     end
---
--- What legitimately differs between two runs is replaced before comparing: descriptors, ports that the system
--- chose, addresses in `tostring`, ages, positions in error messages. Numbers compare by value.

local cosock = require "cosock"
local run = require "spec.support.run"

local M = {}

local load = loadstring or load
local unpack = table.unpack or unpack -- luacheck: ignore 143

--- A module of LuaSocket, or nil where it is not installed. Loaded when first asked for, because loading it changes
--- the process (it ignores SIGPIPE).
---@param name string?  default "socket"
---@return any
function M.luasocket(name)
  local found, luasocket = pcall(require, name or "socket")
  return found and luasocket or nil
end

--- Whether LuaSocket is installed, or a module of it; does not load it.
---@param name string?  default "socket"
---@return boolean
function M.available(name)
  if package.loaded[name or "socket"] then
    return true
  end
  for _, searcher in ipairs(package.searchers or package.loaders) do -- luacheck: ignore 143
    if type((searcher(name or "socket"))) == "function" then -- a searcher may return nothing at all
      return true
    end
  end
  return false
end

-- How a value reads in a transcript.
local function show(value, depth)
  depth = depth or 0
  if type(value) == "string" then
    local text = #value > 200 and ("%s...%s (%d bytes)"):format(value:sub(1, 100), value:sub(-50), #value) or value
    return '"' .. text:gsub("[%c\127-\255]", function(byte)
      return ("\\%d"):format(byte:byte())
    end) .. '"'
  elseif type(value) == "number" then
    return ("%.14g"):format(value)
  elseif type(value) == "function" or type(value) == "thread" then
    return "<" .. type(value) .. ">"
  end
  local class = tostring(value):match("^(%l+{%l+}): ")
  if class then
    return "<" .. class .. ">"
  elseif type(value) ~= "table" then
    return type(value) == "userdata" and "<userdata>" or tostring(value)
  elseif depth > 3 then
    return "<table>"
  end
  local parts = {}
  for key, item in pairs(value) do
    parts[#parts + 1] = ("[%s]=%s"):format(show(key, depth + 1), show(item, depth + 1))
  end
  table.sort(parts)
  return "{" .. table.concat(parts, ", ") .. "}"
end

-- What differs between two runs of the same call, by the name of the method.
local function hide_port(results)
  if results[1] ~= nil and tonumber(results[2]) ~= 0 then
    results[2] = "<port>"
  elseif results[1] ~= nil then
    results[2] = tonumber(results[2]) -- LuaSocket 3.1.0 has a string, later ones a number
  end
end

local hide = {
  getsockname = hide_port,
  getpeername = hide_port,
  getfd = function(results)
    if type(results[1]) == "number" and results[1] >= 0 then
      results[1] = "<descriptor>"
    end
  end,
  getstats = function(results)
    if type(results[3]) == "number" then
      results[3] = "<age>"
    end
  end,
  receivefrom = function(results)
    if results[1] ~= nil then
      results[3] = "<port>"
    end
  end,
  gettime = function(results)
    results[1] = "<time>"
  end,
}

-- A raised message without its position; what is missing and what is nil read the same.
local function plain_message(message)
  if type(message) ~= "string" then
    return show(message)
  end
  message = message:gsub("^[^:\n]+:%d+: ", ""):gsub("got no value", "got nil"):gsub("0x%x+", "<address>")
  return show(message)
end

local function show_all(values, count)
  local parts = {}
  for index = 1, count do
    parts[index] = show(values[index])
  end
  return table.concat(parts, ", ")
end

-- Compiles a call, so that the interpreter knows the name of the function when it writes its error messages.
local callers = {}
local function caller(template, name)
  local source = template:gsub("NAME", name)
  callers[source] = callers[source] or assert(load(source, "=call"))
  return callers[source]
end

local METHOD = "local self, keep, arguments, unpack = ... return keep(self:NAME(unpack(arguments, 1, arguments.n)))"
local FUNCTION = "local self, keep, arguments, unpack = ... return keep(self.NAME(unpack(arguments, 1, arguments.n)))"

local recorder = {}
recorder.__index = recorder

function recorder:write(label, outcome)
  self.lines[#self.lines + 1] = label .. "  ->  " .. outcome
end

function recorder:run(label, name, compiled, subject, ...)
  local arguments = { n = select("#", ...), ... }
  local results, count
  local function keep(...)
    results, count = { ... }, select("#", ...)
  end
  local ok, message = self.pcall(compiled, subject, keep, arguments, unpack)
  if not ok then
    self:write(label, "raises " .. plain_message(message))
    return
  end
  if hide[name] then
    hide[name](results)
  end
  self:write(label, show_all(results, count))
end

--- Calls `object:name(...)` and writes down what came of it. Returns nothing: a scenario that needs the results
--- makes the call itself.
---@param title string?  in place of the written call, where an argument differs from run to run
function recorder:method(object, name, ...)
  local title = self.title or ("%s:%s(%s)"):format(show(object), name, show_all({ ... }, select("#", ...)))
  self.title = nil
  self:run(title, name, caller(METHOD, name), object, ...)
end

--- Calls `socket.name(...)`; `name` may have dots, as in `"dns.toip"`.
function recorder:call(name, ...)
  local title = self.title or ("socket.%s(%s)"):format(name, show_all({ ... }, select("#", ...)))
  self.title = nil
  self:run(title, name, caller(FUNCTION, name), self.socket, ...)
end

--- Calls the function `name` found in `object` with whatever is given as self: `object.name(...)`.
function recorder:detached(object, name, ...)
  local title = self.title or (".%s(%s)"):format(name, show_all({ ... }, select("#", ...)))
  self.title = nil
  self:run(title, name, caller(FUNCTION, name), object, ...)
end

--- Gives the next recorded call a title of its own. A call whose arguments hold a port needs one.
---@return table recorder  itself: `record:as("connect to a server"):method(tcp, "connect", ip, port)`
function recorder:as(title)
  self.title = title
  return self
end

--- Writes down values that the scenario found out itself.
function recorder:value(title, ...)
  self:write(title, show_all({ ... }, select("#", ...)))
end

local function transcript(socket, scenario, protected_call)
  local record = setmetatable({ socket = socket, lines = {}, pcall = protected_call }, recorder)
  scenario(socket, record)
  return record.lines
end

-- A pcall that a task can wait in: on Lua 5.1 the standard one cannot be yielded across.
local function waiting_pcall(fn, ...)
  return cosock.coroutine.resume(cosock.coroutine.create(fn), ...)
end

local standard_pcall_can_wait = coroutine.wrap(function()
  return pcall(coroutine.yield)
end)() == nil

local function differences(expected, actual, place)
  local found = {}
  for index = 1, math.max(#expected, #actual) do
    if expected[index] ~= actual[index] then
      found[#found + 1] = ("LuaSocket: %s\ncosock %s: %s"):format(
        tostring(expected[index]), place, tostring(actual[index]))
    end
  end
  return found
end

--- Runs a scenario with LuaSocket and with ours, outside and inside a task.
---@param scenario fun(socket: any, record: table)
---@param name string?  the module that the scenario gets, as LuaSocket calls it ("socket")
---@param subject table?  compared in place of ours of that name
---@return string differences  one to a paragraph; empty when both did the same
function M.differences(scenario, name, subject)
  subject = subject or require("cosock." .. (name or "socket"))
  local expected = transcript(M.luasocket(name), scenario, pcall)
  assert(#expected > 0, "the scenario recorded nothing")
  local found = differences(expected, transcript(subject, scenario, pcall), "outside a task")
  local inside = run.task(transcript, subject, scenario, standard_pcall_can_wait and pcall or waiting_pcall)
  for _, difference in ipairs(differences(expected, inside, "inside a task")) do
    found[#found + 1] = difference
  end
  return table.concat(found, "\n\n")
end

--- Runs a scenario with LuaSocket alone, to see what it says.
---@param scenario fun(socket: table, record: table)
---@return string[] lines
function M.transcript(scenario)
  return transcript(M.luasocket(), scenario, pcall)
end

--- How a value reads in a transcript.
---@param value any
---@return string
function M.show(value)
  return show(value)
end

return M
