--- Where a connection leads and how it was made: what decides which requests may share it.

local require = ...

local deep = require "cosock.deep"
local socket = require "cosock.socket"

---@class cosock.HttpOrigin
---@field key string  scheme, host and port, and the proxy if a tunnel of one leads there
---@field package maker function  what made the socket: the `create` of the scheme
---@field package tcp function  `socket.tcp` at that time, which a program may replace
---@field package parameters table?  what the request said about TLS
local Origin = {}
Origin.__index = Origin

--- Whether a connection made for one serves the other as well.
---@param other cosock.HttpOrigin
---@return boolean
function Origin:equals(other)
  return self.key == other.key
    and self.maker == other.maker
    and self.tcp == other.tcp
    and deep.equal(self.parameters, other.parameters)
end

local M = {}

--- Describes connections to a place.
---@param scheme string
---@param host string
---@param port string|integer
---@param maker function
---@param parameters? table  what is asked of TLS; must not change any more
---@param via? string  the proxy whose tunnel leads there
---@return cosock.HttpOrigin
function M.new(scheme, host, port, maker, parameters, via)
  local key = scheme .. "://" .. host:lower() .. ":" .. port
  return setmetatable({
    key = via and key .. " via " .. via or key,
    maker = maker,
    tcp = socket.tcp,
    parameters = parameters,
  }, Origin)
end

return M
