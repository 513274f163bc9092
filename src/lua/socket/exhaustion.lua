--- When the system gives no descriptor: sockets that nobody holds any more keep theirs until the garbage is
--- collected. LuaSocket's are so large that the collector comes often enough; ours are not, so it is called.

local _, native = ...

local clock, is_exhausted = native.task.clock, native.task.is_exhausted

local M = {}

--- After collecting in vain, how long not to do so again, in seconds: it takes time, and a server that has as many
--- clients as it can have would do little else.
local PAUSE = 1

--- When it may be of use again.
local earliest = 0

--- Collects garbage if an attempt failed for want of a descriptor. The caller then repeats it, and says how that went.
---@param err any  what it failed with
---@return boolean collected
function M.collect(err)
  if not is_exhausted(err) or clock() < earliest then
    return false
  end
  collectgarbage()
  return true
end

--- Learns whether collecting helped.
---@param result any  of the attempt that was repeated; nil if it failed
function M.settle(result)
  earliest = result == nil and clock() + PAUSE or 0
end

--- Makes a function that opens a descriptor out of one that tries once.
---@param open fun(): any, string?
---@return fun(): any, string?
function M.opener(open)
  return function()
    local object, err = open()
    if object == nil and M.collect(err) then
      object, err = open()
      M.settle(object)
    end
    if object == nil then
      return nil, err
    end
    return object
  end
end

return M
