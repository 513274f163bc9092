--- TCP objects. Those of the methods that wait do so in the task.

local require, native = ...

local class = require "cosock.socket.class"
local make = require "cosock.socket.method"
local option = require "cosock.socket.option"

local tcp = native.tcp

--- The methods of TCP objects. Calling the table makes one.
---@class cosock.Tcp
---@field class string  "tcp{master}", "tcp{client}" or "tcp{server}"
---@field close fun(self): 1  closes it, and wakes whoever waits for it
---@field dirty fun(self): boolean  whether something has been received and not handed out
---@field getfamily fun(self): "inet4"|"inet6"
---@field getfd fun(self): integer  the descriptor, -1 if there is none
---@field getoption fun(self, name: string): any  what an option is set to, or `nil, error`
---@field getpeername fun(self): string?, integer|string, string?  the peer's address, port and family, or `nil, error`
---@field getsockname fun(self): string?, integer|string, string?  the same of this side
---@field getstats fun(self): integer, integer, number  bytes received, bytes sent, and seconds of age
---@field gettimeout fun(self): number, number  seconds: at a time, and in all; -1 for no limit
---@field listen fun(self, backlog?: integer): 1?, string?  takes connections, so many (32) before they are accepted
---@field setfd fun(self, descriptor: integer)  replaces the descriptor, without closing it
---@field setstats fun(self, received?: integer, sent?: integer, age?: number): 1  what `getstats` is to count from
---@field settimeout fun(self, seconds?: number, mode?: "b"|"t"): 1  how long an operation may wait, nil or negative for
---  no limit: in mode "t" in all, else at a time
---@field shutdown fun(self, direction?: "send"|"receive"|"both"): 1?, string?  ends what it sends, receives, or both
---  (the default)
local M = {}

for _, name in ipairs {
  "close", "dirty", "getfamily", "getfd", "getoption", "getpeername", "getsockname", "getstats",
  "gettimeout", "listen", "setfd", "setstats", "settimeout", "shutdown",
} do
  M[name] = tcp[name]
end

--- Receives by a pattern, waiting until there is enough.
---@param pattern? "*l"|"*a"|integer  a line (the default), everything up to the end, or so many bytes
---@param prefix? string  put in front of the result; a number of bytes counts it
---@param most? integer  the most bytes that may come: a line with more is an error; with a number of bytes,
---  what has arrived beyond it comes too. LuaSocket has no such argument.
---@return string? data
---@return string? error  "timeout", "closed", "line too long", or the system's
---@return string? partial  what has arrived, which will not come again
M.receive = make.receive(tcp.receive)

--- Sends bytes `i` to `j` of a string, counted as `string.sub` does. Returns when all are out.
---@param data string|number
---@param i? integer
---@param j? integer
---@return integer? last  the index of the last byte sent
---@return string? error  "timeout", "closed", or the system's
---@return integer? sent  if it failed, the index of the last byte sent
M.send = make.send(tcp.send)

--- Waits for a connection.
---@return cosock.Tcp? client
---@return string? error  "timeout", "closed", or the system's
M.accept = make.accept(tcp.accept)

--- Binds to a local address. The name is resolved without blocking other tasks.
---@param host string  a name or address; "*" for every interface
---@param port integer|string  a number or a service's name; 0 lets the system choose
---@return 1? ok
---@return string? error
M.bind = make.opening(tcp.bind)
M.setsockname = M.bind

--- Connects to a peer, trying its addresses in turn. The timeout covers resolving the name too.
---@param host string  a name or address
---@param port integer|string  a number or a service's name
---@return 1? ok
---@return string? error  "timeout", "connection refused", or another
M.connect = make.opening(tcp.connect)
M.setpeername = M.connect

--- Sets an option.
---@param name string  as in LuaSocket's manual
---@param value any
---@return 1? ok
---@return string? error
M.setoption = option.setter(tcp.setoption)

return class.define(M, { "tcp{master}", "tcp{client}", "tcp{server}" }, tcp.tcp)
