--- What the specs of the runtime share: wakeable objects and source lines.

local support = {}

local Gate = {}
Gate.__index = Gate

function Gate:__tostring()
  return self.name
end

--- Keeps the waker and writes down that it came or went.
function Gate:setwaker(kind, waker)
  self.log[#self.log + 1] = kind .. " " .. type(waker)
  self.wakers[kind] = waker
end

--- Calls the waker that is set now, if one is.
function Gate:open(kind)
  local waker = self.wakers[kind or "recvr"]
  if waker then
    waker()
  end
end

--- Makes a wakeable object of the plainest kind. Its `log` holds a line such as `recvr function` or
--- `recvr nil` for each call of `setwaker`.
---@param name string|nil  what `tostring` gives
---@return table
function support.gate(name)
  return setmetatable({ name = name or "gate", log = {}, wakers = {} }, Gate)
end

--- Names the line below the one of the caller, as error messages do: `some_spec.lua:12`.
---@return string
function support.next_line()
  local caller = debug.getinfo(2, "Sl")
  return ("%s:%d"):format(caller.short_src:match "[^/]+$", caller.currentline + 1)
end

--- Whether a plain `pcall` can be waited across: not on the original 5.1.
support.pcall_yields = rawget(_G, "jit") ~= nil or _VERSION ~= "Lua 5.1"

--- Whether the language has to-be-closed variables.
support.has_close = _VERSION >= "Lua 5.4"

--- Returns a function that holds a to-be-closed variable while it runs `body`, and that calls `closed`
--- when the variable is closed. In a string, because only some interpreters can read it.
---@param body fun()
---@param closed fun()
---@return fun()
function support.guarded(body, closed)
  return assert(load [[
    local body, closed = ...
    return function()
      local guard <close> = setmetatable({}, { __close = closed })
      body(guard)
    end
  ]])(body, closed)
end

return support
