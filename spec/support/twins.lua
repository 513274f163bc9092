--- A module of ours and the one that it replaces, called with the same arguments: what they return must be the
--- same, and if one raises, so must the other. What they raise is ours to word.
---
---     local twins = Twins.load("cosock.socket.url", "socket.url")   -- nil where LuaSocket is not installed
---     twins:same("escape", "a b")
---     twins:both("a title", function(module) return module.escape "a b" end)

local oracle = require "spec.support.oracle"
local peers = require "spec.support.peers"

local pack = peers.pack

local Twins = {}
Twins.__index = Twins

--- Loads both.
---@param ours string  the name of our module
---@param theirs string  the name of LuaSocket's
---@return table? twins
function Twins.load(ours, theirs)
  local found, module = pcall(require, theirs)
  if not found then
    return nil
  end
  return setmetatable({ name = ours, ours = require(ours), theirs = module }, Twins)
end

local function equal(a, b)
  if a == b or a ~= a and b ~= b then
    return true
  elseif type(a) ~= type(b) then
    return false
  elseif type(a) ~= "table" then
    return type(a) == "function"
  end
  for key, value in pairs(a) do
    if not equal(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

local function show(results)
  if not results[1] then
    return "raises " .. oracle.show(results[2])
  end
  local parts = {}
  for index = 2, results.n do
    parts[#parts + 1] = oracle.show(results[index])
  end
  return table.concat(parts, ", ")
end

local function compare(self, theirs, ours, title, ...)
  if ours[1] == theirs[1] and (not ours[1] or ours.n == theirs.n and equal(ours, theirs)) then
    return
  end
  local arguments = {}
  for index = 1, select("#", ...) do
    arguments[index] = oracle.show((select(index, ...)))
  end
  error(("%s: %s(%s)\nLuaSocket: %s\ncosock: %s"):format(
    self.name, title, table.concat(arguments, ", "), show(theirs), show(ours)), 3)
end

--- Raises unless `name(...)` does the same in both.
---@param name string
---@param ... any
function Twins:same(name, ...)
  compare(self, pack(pcall(self.theirs[name], ...)), pack(pcall(self.ours[name], ...)), name, ...)
end

--- Raises unless `fn` returns or raises the same for both.
---@param title string
---@param fn fun(module: table): ...
function Twins:both(title, fn)
  compare(self, pack(pcall(fn, self.theirs)), pack(pcall(fn, self.ours)), title)
end

return Twins
