--- Sockets that speak TLS as soon as they are connected: what `create` makes for a client that knows only TCP.

local require = ...

local closing = require "cosock.socket.closing"
local settings = require "cosock.ssl.https.settings"
local socket = require "cosock.socket"

local try = socket.try

local M = {}

--- Such a socket. Besides these methods it has all of those that its `sock` has.
---@class cosock.https.Socket
---@field sock any  a TCP object; once it is connected, the TLS connection
---@field package profile cosock.https.Profile
---@field package timeouts table<string, number>  by mode
---@field package names table<string, table>  what methods said that TLS connections do not have
local Socket = {}

--- Sets how long each step may take, before and after connecting. (LuaSec takes `https.TIMEOUT` instead, up to then.)
---@param seconds? number  nil or negative for no limit
---@param mode? "b"|"t"
---@return 1
function Socket:settimeout(seconds, mode)
  self.sock:settimeout(seconds, mode)
  self.timeouts[mode or "b"] = seconds or -1
  return 1
end

--- Makes a method that tells an address. After connecting, it is the one from before TLS.
local function address_method(name)
  return function(self)
    local known = self.names[name]
    if known then
      return known[1], known[2], known[3]
    end
    return self.sock[name](self.sock)
  end
end

--- The server's address.
---@type fun(self): string?, integer|string, string?
Socket.getpeername = address_method "getpeername"

--- This side's address.
---@type fun(self): string?, integer|string, string?
Socket.getsockname = address_method "getsockname"

--- The steps of `connect`.
local function connect(self, host, port)
  try(self.profile:prepare())
  try(self.sock:connect(host, port))
  if self.sock.setoption then
    self.sock:setoption("tcp-nodelay", true)
  end
  self.names = { getpeername = { self:getpeername() }, getsockname = { self:getsockname() } }
  self.sock = try(self.profile:wrap(self.sock, host))
  for mode, seconds in pairs(self.timeouts) do
    self.sock:settimeout(seconds, mode)
  end
  try(self.profile:shake_hands(self.sock, host))
  return 1
end

--- Connects to a server, and agrees with it on keys.
---
--- Raises what fails, for `socket.protect`, as LuaSec does; it is closed then.
---@param host string
---@param port integer|string
---@return 1
function Socket:connect(host, port)
  return closing.if_raised(self, connect, self, host, port)
end

--- Closes it.
---@return 1
function Socket:close()
  self.sock:close()
  return 1
end

--- The methods of `sock`, called on it.
local forwards = setmetatable({}, {
  __index = function(methods, name)
    local function forward(self, ...)
      local sock = self.sock
      return sock[name](sock, ...)
    end
    methods[name] = forward
    return forward
  end,
})

local metatable = {
  __index = function(self, name)
    local own = Socket[name]
    if own then
      return own
    end
    local value = rawget(self, "sock")[name]
    return type(value) == "function" and forwards[name] or value
  end,
}

--- Makes one.
---@param profile cosock.https.Profile
---@return cosock.https.Socket? socket
---@return string? error  as of `socket.tcp`
function M.new(profile)
  local sock, err = socket.tcp()
  if not sock then
    return nil, err
  end
  local self = setmetatable({ sock = sock, profile = profile, timeouts = {}, names = {} }, metatable)
  self:settimeout(settings.TIMEOUT)
  return self
end

return M
