--- What the objects of every family have in common on the Lua side.

local _, native = ...

local M = {}

--- The wait protocol. The runtime watches sockets by itself, so a socket keeps no waker; an object that
--- borrows one and copies this method does.
---@param self any
---@param kind string  "recvr" or "sendr"
---@param waker function?
local function setwaker(self, kind, waker)
  if type(self) == "table" then
    local wakers = rawget(self, "wakers") or {}
    wakers[kind] = waker
    rawset(self, "wakers", wakers)
  end
end

--- Says that the socket is ready, to the waker that an object which borrows it was given.
---@param self any
---@param kind string  "recvr" or "sendr"
local function wake(self, kind)
  local wakers = type(self) == "table" and rawget(self, "wakers")
  local waker = wakers and wakers[kind]
  if waker then
    waker()
  end
end

--- Gives the objects of these classes their methods.
---@param methods table<string, function>
---@param classes string[]
---@param make fun(...): any  makes an object: what calling the table does
---@return table methods
function M.define(methods, classes, make)
  methods.setwaker, methods._wake = setwaker, wake
  for _, class in ipairs(classes) do
    local own = native.classes[class]
    for name, method in pairs(methods) do
      own[name] = method
    end
  end
  return setmetatable(methods, {
    __call = function(_, ...)
      return make(...)
    end,
  })
end

return M
