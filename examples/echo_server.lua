-- An echo server: sends every line back to the client it came from, for any number of clients.
--
--   lua examples/echo_server.lua [port] [--connections N]
--
-- Without a port, the system picks one. Serves until Ctrl-C, or ends after N connections.
-- Try it with `nc 127.0.0.1 PORT`.

local cosock = require "cosock"
local socket = require "cosock.socket"

local IDLE = 300 -- seconds after which a silent client is dropped

local words = table.concat(arg, " ")
local port = tonumber(words:match "^%d+") or 0
local connections = tonumber(words:match "%-%-connections (%d+)") or math.huge

-- One client's task. When it waits, the others run.
local function serve(client)
  client:settimeout(IDLE)
  local line, err = client:receive()
  while line do
    local sent
    sent, err = client:send(line .. "\n")
    line = sent and client:receive()
  end
  if err == "timeout" then
    client:send "good bye\n"
  end
  client:close()
end

-- A mistake in one client's task is reported and leaves the others alone.
cosock.set_error_handler(function(_, task, traceback)
  io.stderr:write(("task %s failed: %s\n"):format(tostring(task), traceback))
end)

cosock.spawn(function()
  local server, problem = socket.bind("127.0.0.1", port)
  if not server then
    io.stderr:write(("cannot listen on port %d: %s\n"):format(port, problem))
    os.exit(1)
  end
  print(("listening on %s:%d"):format(server:getsockname()))

  local accepted = 0
  while accepted < connections do
    local client, err = server:accept()
    if client then
      accepted = accepted + 1
      cosock.spawn(serve, "client from " .. (client:getpeername() or "nowhere"), client)
    else
      io.stderr:write("accept: ", err, "\n") -- the system is short of something; the next may succeed
    end
  end
  server:close()
end, "listener")

cosock.run()
