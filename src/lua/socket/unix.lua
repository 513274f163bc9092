--- LuaSocket's unix sockets, waiting in the task.

local require = ...

--- Calling the table makes a stream, as programs did before there were datagrams.
---@class cosock.socket.unix
---@operator call: cosock.UnixStream
local M = {}

--- Makes an unconnected stream.
---@return cosock.UnixStream? master
---@return string? error
M.stream = require "cosock.socket.unix.stream"
M.tcp = M.stream

--- Makes a datagram socket that has no peer.
---@return cosock.UnixDatagram? socket
---@return string? error
M.dgram = require "cosock.socket.unix.datagram"
M.udp = M.dgram

function M.__call()
  return M.stream()
end

return setmetatable(M, M)
