--- TCP objects. Those of the methods that wait do so in the task.

local require, native = ...

local class = require "cosock.socket.class"
local option = require "cosock.socket.option"
local waiting = require "cosock.waiting"

local yield = coroutine.yield
local tcp = native.tcp
local in_task, park = native.task.in_task, native.task.park
local try_accept, try_receive, try_send = tcp.accept, tcp.receive, tcp.send
local attempt, method, PARK = waiting.attempt, waiting.method, waiting.PARK

--- How long an `accept` waits in vain for want of descriptors, in seconds: programs accept in a loop,
--- and would do nothing else until somebody closes one.
local EXHAUSTED_PAUSE = 0.05

--- The methods of TCP objects. Calling the table makes one.
---@class cosock.Tcp
---@field class string  "tcp{master}", "tcp{client}" or "tcp{server}"
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
function M:receive(pattern, prefix, most)
  local data, err, partial, blocked = try_receive(self, pattern, prefix, most)
  while data == nil and err == nil do
    if not blocked then
      yield(PARK)
    end
    data, err, partial, blocked = try_receive(self, pattern, prefix, most, partial)
  end
  return data, err, partial
end

--- Sends bytes `i` to `j` of a string, counted as `string.sub` does. Returns when all are out.
---@param data string|number
---@param i? integer
---@param j? integer
---@return integer? last  the index of the last byte sent
---@return string? error  "timeout", "closed", or the system's
---@return integer? sent  if it failed, the index of the last byte sent
function M:send(data, i, j)
  local last, err, began, blocked, sent = try_send(self, data, i, j)
  while last == nil and err == nil do
    if not blocked then
      yield(PARK)
    end
    last, err, began, blocked, sent = try_send(self, data, i, j, began, sent)
  end
  return last, err, began
end

if native.waits then
  -- The native functions wait by themselves.
  M.receive, M.send = try_receive, try_send
end

--- Waits for a connection.
---@return cosock.Tcp? client
---@return string? error  "timeout", "closed", or the system's
function M:accept()
  local client, err, exhausted = attempt(try_accept, self)
  if client then
    return client
  elseif exhausted and in_task() then
    park(EXHAUSTED_PAUSE)
    yield(PARK)
  end
  return nil, err
end

--- Binds to a local address. The name is resolved without blocking other tasks.
---@param host string  a name or address; "*" for every interface
---@param port integer|string  a number or a service's name; 0 lets the system choose
---@return 1? ok
---@return string? error
M.bind = method(tcp.bind)
M.setsockname = M.bind

--- Connects to a peer, trying its addresses in turn. The timeout covers resolving the name too.
---@param host string  a name or address
---@param port integer|string  a number or a service's name
---@return 1? ok
---@return string? error  "timeout", "connection refused", or another
M.connect = method(tcp.connect)
M.setpeername = M.connect

--- Sets an option.
---@param name string  as in LuaSocket's manual
---@param value any
---@return 1? ok
---@return string? error
M.setoption = option.setter(tcp.setoption)

return class.define(M, { "tcp{master}", "tcp{client}", "tcp{server}" }, tcp.tcp)
