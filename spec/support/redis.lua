--- A redis server for specs, on a port of 127.0.0.1 that is free.

local socket = require "cosock.socket"
local files = require "spec.support.files"
local process = require "spec.support.process"

local M = {}

-- Debian's redis-tools hold the server's program, but under the name of a tool; the package redis-server would have the
-- system start one of its own. The name under which it is called says what it does.
local START = [[if command -v redis-server >/dev/null; then exec redis-server "$@"; fi
exec -a redis-server redis-check-rdb "$@"]]

local ATTEMPTS = 20

local Server = {}
Server.__index = Server

--- Ends the server.
function Server:stop()
  self.child:stop()
  self.folder:remove()
end

local function free_port()
  local probe = assert(socket.bind("127.0.0.1", 0))
  local _, port = probe:getsockname()
  probe:close()
  return port
end

--- Starts a server, and returns when it answers.
---@return table server  with its `port`
function M.start()
  local folder = files.folder()
  for _ = 1, ATTEMPTS do
    local port = free_port()
    local child = process.command("bash", "-c", START, "bash", "--bind", "127.0.0.1", "--port", port, "--dir",
      folder.path, "--save", "", "--appendonly", "no", "--daemonize", "no")
    -- Somebody else may have taken the port meanwhile.
    if pcall(child.expect, child, "Ready to accept connections") then
      return setmetatable({ port = port, child = child, folder = folder }, Server)
    end
  end
  error("redis does not start", 2)
end

return M
