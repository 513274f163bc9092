--- Modules that specs write, for `require` and `cosock.asyncify` to find.

local cosock = require "cosock"
local files = require "spec.support.files"
local oracle = require "spec.support.oracle"
local luassert = require "luassert"
local peers = require "spec.support.peers"

local M = {}

local Modules = {}
Modules.__index = Modules

-- Loading a module a second time would find it loaded, so every spec uses names of its own.
local used = 0
local unique = os.tmpname()
os.remove(unique)
unique = unique:match "%w+$"

--- A name that no module has.
---@param prefix string?
---@return string
function M.fresh(prefix)
  used = used + 1
  return ("%s_%s_%d"):format(prefix or "asyncified", unique, used)
end

-- Makes a folder for modules, in front of all others in `package.path`.
function Modules:make()
  self.folder, self.path = files.folder(), package.path
  package.path = self.folder.path .. "/?.lua;" .. self.folder.path .. "/?/init.lua;" .. self.path
  if not oracle.available() then
    -- What plain require finds must be something else than ours.
    package.preload.socket = function()
      return { "another socket" }
    end
  end
end

--- Gives each spec of a block a folder for modules of its own, in front of all others in `package.path`, and no tasks.
---@param before_each fun(fn: fun())  busted's
---@param after_each fun(fn: fun())
---@return fun(text: string, name?: string): string module  writes a module and returns its name
---@return table modules  with the `folder`
function M.around(before_each, after_each)
  local self = setmetatable({}, Modules)
  before_each(function()
    cosock.reset()
    self:make()
  end)
  after_each(function()
    self:remove()
  end)
  return function(text, name)
    return self:write(text, name)
  end, self
end

--- Writes a module.
---@param text string
---@param name string?  default a fresh one
---@return string name
function Modules:write(text, name)
  name = name or M.fresh()
  self.folder:write(name:gsub("%.", "/") .. ".lua", text)
  return name
end

--- What require does, asyncify does. Each module is loaded by both, in files of their own.
---@param texts table<string, string>  of modules, by what they are called here; `{name}` in a text is such a name
---@param calls fun(load: fun(name: string, ...): table): any  loads; gets what `pcall` returned
---@return any outcome  what `calls` returned, for both the same
function Modules:as_require(texts, calls)
  local outcomes = {}
  for index, load in ipairs { require, cosock.asyncify } do
    local names, written = {}, {}
    for key in pairs(texts) do
      names[key] = M.fresh((index == 1 and "plain_" or "async_") .. key)
    end
    for key, text in pairs(texts) do
      written[#written + 1] = self:write(text:gsub("{(%a+)}", names), names[key])
    end
    outcomes[index] = calls(function(key, ...)
      local results = peers.pack(pcall(load, names[key] or key, ...))
      for position = 1, results.n do
        if type(results[position]) == "string" then
          results[position] = results[position]:gsub("%a+_(%a+)_" .. unique .. "_%d+", "%1")
        end
      end
      return results
    end)
    for _, name in ipairs(written) do
      package.loaded[name] = nil
    end
  end
  luassert.same(outcomes[1], outcomes[2])
  return outcomes[2]
end

-- Removes the folder, and what `make` has changed.
function Modules:remove()
  package.path = self.path
  if package.preload.socket then
    package.preload.socket, package.loaded.socket = nil, nil
  end
  self.folder:remove()
end

return M
