--- Unix sockets that talk to each other, as `spec.support.peers` has them over loopback.
---
--- Each function takes the module whose sockets it shall use, `cosock.socket.unix` or LuaSocket's.

local M = {}

-- All paths begin with this one. It is short, as paths of sockets must be.
local base = os.tmpname()
local made, paths = {}, 0

-- The sockets made last. A spec may drop a socket that its peer still needs to be open, and collecting it would
-- close the connection under that peer.
local recent, RECENT = {}, 256 -- luacheck: ignore 241
local count = 0

local function keep(sock)
  count = count + 1
  recent[count % RECENT] = sock
  return sock
end

--- A path at which there is nothing.
---@param name string?  the same name gives the same path, default another one each time
---@return string
function M.path(name)
  paths = paths + 1
  local path = base .. "." .. (name or paths)
  os.remove(path)
  made[path] = true
  return path
end

--- An abstract name that nobody else has.
---@param name string
---@return string
function M.abstract(name)
  return "\0" .. base .. "." .. name
end

--- Removes all files; for `teardown`.
function M.remove_files()
  for path in pairs(made) do
    os.remove(path)
  end
  os.remove(base)
end

--- Whether there is something at a path.
---@param path string
---@return boolean
function M.exists(path)
  return os.rename(path, path) == true
end

--- A listening stream socket.
---
--- What this function and the following ones return stays open for the rest of the spec, held or not.
---@param path string?  default a fresh one
---@param backlog integer?
---@return table server
---@return string path
function M.server(unix, path, backlog)
  local server = keep(assert(unix.stream()))
  path = path or M.path()
  assert(server:bind(path))
  assert(server:listen(backlog))
  return server, path
end

--- Two connected stream sockets: the one that connected and the one that was accepted.
---@param path string?  default a fresh one
---@return table client
---@return table peer
function M.pair(unix, path)
  local server
  server, path = M.server(unix, path)
  local client = keep(assert(unix.stream()))
  assert(client:connect(path))
  local peer = keep(assert(server:accept()))
  server:close()
  return client, peer
end

--- A receiver whose peer has sent `data`, with the peer. The bytes have arrived.
---@param data string
---@param path string?  default a fresh one
---@return table receiver
---@return table sender
function M.receiver(unix, data, path)
  local sender, receiver = M.pair(unix, path)
  assert(sender:send(data))
  return receiver, sender
end

--- A stream server that accepts nobody and whose backlog is full, so that a further `connect` has to wait.
---@return table server
---@return string path
---@return table[] clients  those that fill its backlog, the oldest first
function M.full_server(unix)
  local server, path = M.server(unix, nil, 0)
  local clients = {}
  while true do
    local client = keep(assert(unix.stream()))
    client:settimeout(0)
    if not client:connect(path) then
      return server, path, clients
    end
    clients[#clients + 1] = client
  end
end

--- A datagram socket bound to a path.
---@param path string?  default a fresh one
---@return table socket
---@return string path
function M.datagram(unix, path)
  local socket = keep(assert(unix.dgram()))
  path = path or M.path()
  assert(socket:bind(path))
  return socket, path
end

--- Two datagram sockets: one connected to the other, and that other, which is bound to the path.
---@param path string?  default a fresh one
---@return table sender
---@return table receiver
---@return string path
function M.datagram_pair(unix, path)
  local receiver
  receiver, path = M.datagram(unix, path)
  local sender = keep(assert(unix.dgram()))
  assert(sender:connect(path))
  return sender, receiver, path
end

--- Fills the queue of a datagram socket: a further datagram has to wait until it receives.
---@param path string
---@return integer count  the datagrams that it holds now; the n-th is the text of n
function M.fill(unix, path)
  local sender = keep(assert(unix.dgram()))
  sender:settimeout(0)
  local sent = 0
  while sender:sendto(tostring(sent + 1), path) do
    sent = sent + 1
  end
  return sent
end

return M
