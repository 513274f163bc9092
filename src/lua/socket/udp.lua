--- UDP objects. Those of the methods that wait do so in the task.

local require, native = ...

local class = require "cosock.socket.class"
local make = require "cosock.socket.method"
local option = require "cosock.socket.option"
local waiting = require "cosock.waiting"

local udp = native.udp
local attempt, method = waiting.attempt, waiting.method
local try_receive_from = udp.receivefrom

--- The methods of UDP objects. Calling the table makes one.
---@class cosock.Udp
---@field class string  "udp{unconnected}" or "udp{connected}"
---@field close fun(self): 1  closes it, and wakes whoever waits for it
---@field dirty fun(self): boolean  false: nothing is received before it is asked for
---@field getfamily fun(self): "inet4"|"inet6"
---@field getfd fun(self): integer  the descriptor, -1 if there is none
---@field getoption fun(self, name: string): any  what an option is set to, or `nil, error`
---@field getpeername fun(self): string?, integer|string, string?  the peer's address, port and family, or `nil, error`
---@field getsockname fun(self): string?, integer|string, string?  the same of this side
---@field gettimeout fun(self): number, number  seconds: at a time, and in all; -1 for no limit
---@field setfd fun(self, descriptor: integer)  replaces the descriptor, without closing it
---@field settimeout fun(self, seconds?: number, mode?: "b"|"t"): 1  how long an operation may wait, nil or negative for
---  no limit: in mode "t" in all, else at a time
local M = {}

for _, name in ipairs {
  "close", "dirty", "getfamily", "getfd", "getoption", "getpeername", "getsockname", "gettimeout",
  "setfd", "settimeout",
} do
  M[name] = udp[name]
end

--- Receives a datagram.
---@param size? integer  the most bytes to return (8192); what is beyond is lost
---@return string? datagram
---@return string? error  "timeout", "closed", "connection refused", or another
M.receive = method(udp.receive)

--- Receives a datagram and tells who sent it.
---@param size? integer  the most bytes to return (8192); what is beyond is lost
---@return string? datagram
---@return string? address  the sender's, in numbers; or the error
---@return integer? port  the sender's
function M:receivefrom(size)
  local datagram, address, port = attempt(try_receive_from, self, size)
  if datagram == nil then
    return nil, address
  end
  return datagram, address, port
end

--- Sends a datagram to the peer set by `setpeername`.
---@param datagram string
---@return integer? count  the bytes sent
---@return string? error  "timeout", "refused", "connection refused", or another
M.send = method(udp.send)

--- Sends a datagram to an address. The address must be in numbers.
---@param datagram string
---@param ip string
---@param port integer
---@return integer? count  the bytes sent
---@return string? error  "timeout", "refused", or another
M.sendto = make.opening(udp.sendto)

--- Binds to a local address.
---@param host string  a name or address; "*" for every interface
---@param port integer|string  0 lets the system choose
---@return 1? ok
---@return string? error
M.setsockname = make.opening(udp.setsockname)

--- Sets the peer, or dissolves the connection.
---@param host string  a name or address; "*" to have no peer any more
---@param port? integer|string
---@return 1? ok
---@return string? error
M.setpeername = make.opening(udp.setpeername)

--- Sets an option.
---@param name string  as in LuaSocket's manual
---@param value any
---@return 1? ok
---@return string? error
M.setoption = option.setter(udp.setoption)

return class.define(M, { "udp{unconnected}", "udp{connected}" }, udp.udp)
