--- Where a connection leads and how it was made: what decides which requests may share it.

local require = ...

local socket = require "cosock.socket"

---@class cosock.HttpOrigin
---@field key string  scheme, host and port
---@field package maker function  what made the socket: the `create` of the scheme
---@field package tcp function  `socket.tcp` at that time, which a program may replace
---@field package parameters table?  what the request said about TLS
local Origin = {}
Origin.__index = Origin

--- Whether two values say the same. Tables are compared by what they hold.
local function same(one, other)
  if type(one) ~= "table" or type(other) ~= "table" then
    return one == other
  end
  for key, value in pairs(one) do
    if not same(value, other[key]) then
      return false
    end
  end
  for key in pairs(other) do
    if one[key] == nil then
      return false
    end
  end
  return true
end

--- A copy that stays as it is, whatever becomes of the original.
local function copy(value)
  if type(value) ~= "table" then
    return value
  end
  local result = {}
  for key, item in pairs(value) do
    result[key] = copy(item)
  end
  return result
end

--- Whether a connection made for one serves the other as well.
---@param other cosock.HttpOrigin
---@return boolean
function Origin:equals(other)
  return self.key == other.key
    and self.maker == other.maker
    and self.tcp == other.tcp
    and same(self.parameters, other.parameters)
end

local M = {}

--- Describes connections to a place.
---@param scheme string
---@param host string
---@param port string|integer
---@param maker function
---@param parameters? table  what else the request holds, for the scheme's `create`
---@return cosock.HttpOrigin
function M.new(scheme, host, port, maker, parameters)
  return setmetatable({
    key = scheme .. "://" .. host:lower() .. ":" .. port,
    maker = maker,
    tcp = socket.tcp,
    parameters = copy(parameters),
  }, Origin)
end

return M
