--- Unix stream objects: this makes them. Those of the methods that wait do so in the task.

local require, native = ...

local class = require "cosock.socket.class"
local exhaustion = require "cosock.socket.exhaustion"
local make = require "cosock.socket.method"
local option = require "cosock.socket.option"
local waiting = require "cosock.waiting"

local stream = native.unix_stream

--- The methods of unix stream objects.
---@class cosock.UnixStream
---@field class string  "unixstream{master}", "unixstream{client}" or "unixstream{server}"
---@field close fun(self): 1  closes it, and wakes whoever waits for it
---@field dirty fun(self): boolean  whether something has been received and not handed out
---@field getfd fun(self): integer  the descriptor, -1 if there is none
---@field getsockname fun(self): string?, string?  the path that it is bound to, or `nil, error`
---@field getstats fun(self): integer, integer, number  bytes received, bytes sent, and seconds of age
---@field listen fun(self, backlog?: integer): 1?, string?  takes connections, so many (32) before they are accepted
---@field setfd fun(self, descriptor: integer)  replaces the descriptor, without closing it
---@field setstats fun(self, received?: integer, sent?: integer, age?: number): 1  what `getstats` is to count from
---@field settimeout fun(self, seconds?: number, mode?: "b"|"t"): 1  how long an operation may wait, nil or negative for
---  no limit: in mode "t" in all, else at a time
---@field shutdown fun(self, direction?: "send"|"receive"|"both"): 1?, string?  ends what it sends, receives, or both
---  (the default)
local M = {}

for _, name in ipairs {
  "close", "dirty", "getfd", "getsockname", "getstats", "listen", "setfd", "setstats", "settimeout", "shutdown",
} do
  M[name] = stream[name]
end

--- Receives by a pattern, waiting until there is enough.
---@param pattern? "*l"|"*a"|integer  a line (the default), everything up to the end, or so many bytes
---@param prefix? string  put in front of the result; a number of bytes counts it
---@return string? data
---@return string? error  "timeout", "closed", or the system's
---@return string? partial  what has arrived, which will not come again
M.receive = make.receive(stream.receive)

--- Sends bytes `i` to `j` of a string, counted as `string.sub` does. Returns when all are out.
---@param data string|number
---@param i? integer
---@param j? integer
---@return integer? last  the index of the last byte sent
---@return string? error  "timeout", "closed", or the system's
---@return integer? sent  if it failed, the index of the last byte sent
M.send = make.send(stream.send)

--- Waits for a connection.
---@return cosock.UnixStream? client
---@return string? error  "timeout", "closed", or the system's
M.accept = make.accept(stream.accept)

--- Binds to a path: makes a file there, which stays when the socket is closed. If that fails, the socket is
--- closed, unless it was the path that cannot be one.
---@param path string  on Linux, one that begins with a NUL is an abstract name
---@return 1? ok
---@return string? error  "path too long", "path contains a NUL", "address already in use", or the system's
M.bind = stream.bind
M.setsockname = M.bind

--- Connects to the server bound to a path, waiting if it has too many connections to accept already. If that
--- fails, the socket is closed, unless it was the path that cannot be one.
---@param path string  on Linux, one that begins with a NUL is an abstract name
---@return 1? ok
---@return string? error  "timeout", "closed", "connection refused", "path too long", "path contains a NUL", or the
---  system's
M.connect = waiting.method(stream.connect)
M.setpeername = M.connect

--- Sets an option.
---@param name "reuseaddr"|"keepalive"|"linger"
---@param value any
---@return 1? ok
---@return string? error
M.setoption = option.setter(stream.setoption)

class.define(M, { "unixstream{master}", "unixstream{client}", "unixstream{server}" }, stream.stream)

return exhaustion.opener(stream.stream)
