--- Servers that do what a function tells them, in a task of the program that tests: for what no real server does.

local run = require "spec.support.run"
local socket = require "cosock.socket"

local unpack = table.unpack or unpack -- luacheck: ignore 143

local M = {}

--- Runs `client` as a task, against servers that are tasks too, each with a port of its own. Returns when all have
--- ended.
---@param servers (fun(peer: any, server: any))[]  get the connection of the first client; closed when they return
---@param client fun(...: integer)  gets the ports
function M.run(servers, client)
  local ports, tasks = {}, {}
  for index, serve in ipairs(servers) do
    local server = assert(socket.bind("127.0.0.1", 0))
    ports[index] = select(2, server:getsockname())
    tasks[index] = function()
      local peer = assert(server:accept())
      serve(peer, server)
      peer:close()
      server:close()
    end
  end
  tasks[#tasks + 1] = function()
    client(unpack(ports))
  end
  run.tasks(unpack(tasks))
end

--- Makes a server of replies: sends the first, and each of the others after it received a line, which it notes. After
--- the last, it receives until the client closes.
---@param replies string[]  without the last line end
---@param lines? string[]  gets what was received
---@return fun(peer: any)
function M.replies(replies, lines)
  lines = lines or {}
  return function(peer)
    for index, reply in ipairs(replies) do
      if index > 1 then
        lines[#lines + 1] = assert(peer:receive())
      end
      assert(peer:send(reply .. "\r\n"))
    end
    M.until_closed(peer, lines)
  end
end

--- Receives lines until the client closes the connection.
---@param peer any
---@param lines? string[]  gets what was received
function M.until_closed(peer, lines)
  local line, err = peer:receive()
  while line do
    if lines then
      lines[#lines + 1] = line
    end
    line, err = peer:receive()
  end
  assert(err == "closed", err)
end

return M
