--- Unix datagram objects: this makes them. Those of the methods that wait do so in the task.

local require, native = ...

local class = require "cosock.socket.class"
local exhaustion = require "cosock.socket.exhaustion"
local option = require "cosock.socket.option"
local waiting = require "cosock.waiting"

local datagram = native.unix_datagram
local attempt = waiting.attempt
local try_receive_from = datagram.receivefrom

--- The methods of unix datagram objects.
---@class cosock.UnixDatagram
---@field class string  "unixdgram{unconnected}" or "unixdgram{connected}"
---@field close fun(self): 1  closes it, and wakes whoever waits for it
---@field dirty fun(self): boolean  false: nothing is received before it is asked for
---@field getfd fun(self): integer  the descriptor, -1 if there is none
---@field getsockname fun(self): string?, string?  the path that it is bound to, or `nil, error`
---@field gettimeout fun(self): number, number  seconds: at a time, and in all; -1 for no limit
---@field setfd fun(self, descriptor: integer)  replaces the descriptor, without closing it
---@field settimeout fun(self, seconds?: number, mode?: "b"|"t"): 1  how long an operation may wait, nil or negative for
---  no limit: in mode "t" in all, else at a time
local M = {}

for _, name in ipairs { "close", "dirty", "getfd", "getsockname", "gettimeout", "setfd", "settimeout" } do
  M[name] = datagram[name]
end

--- Receives a datagram.
---@param size? integer  the most bytes to return (8192); what is beyond is lost
---@return string? datagram
---@return string? error  "timeout", "closed", or another
M.receive = waiting.method(datagram.receive)

--- Receives a datagram and tells who sent it.
---@param size? integer  the most bytes to return (8192); what is beyond is lost
---@return string? datagram
---@return string? path  the sender's, "" if it is not bound; or the error
function M:receivefrom(size)
  local data, sender = attempt(try_receive_from, self, size)
  return data, sender
end

--- Sends a datagram to the peer set by `connect`, waiting while that has too many to receive.
---@param data string
---@return integer? count  the bytes sent
---@return string? error  "timeout", "refused", "connection refused", or another
M.send = waiting.method(datagram.send)

--- Sends a datagram to the socket bound to a path, waiting while that has too many to receive.
---@param data string
---@param path string  on Linux, one that begins with a NUL is an abstract name
---@return integer? count  the bytes sent
---@return string? error  "timeout", "refused", "connection refused", "path too long", "path contains a NUL", or
---  another
M.sendto = waiting.method(datagram.sendto)

--- Binds to a path: makes a file there, which stays when the socket is closed. If that fails, the socket is
--- closed, unless it was the path that cannot be one.
---@param path string  on Linux, one that begins with a NUL is an abstract name
---@return 1? ok
---@return string? error  "path too long", "path contains a NUL", "address already in use", or the system's
M.bind = datagram.bind
M.setsockname = M.bind

--- Sets the peer, or another one. If that fails, the socket is closed, unless it was the path that cannot be one.
---@param path string  on Linux, one that begins with a NUL is an abstract name
---@return 1? ok
---@return string? error  "closed", "connection refused", "path too long", "path contains a NUL", or another
M.connect = datagram.connect
M.setpeername = M.connect

--- Sets an option.
---@param name "reuseaddr"
---@param value any
---@return 1? ok
---@return string? error
M.setoption = option.setter(datagram.setoption)

class.define(M, { "unixdgram{unconnected}", "unixdgram{connected}" }, datagram.dgram)

return exhaustion.opener(datagram.dgram)
