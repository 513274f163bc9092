-- A client and a server in one program: two tasks that play ping-pong over a socket.
--
--   lua examples/client_server.lua [rounds]      5 rounds unless told otherwise

local cosock = require "cosock"
local socket = require "cosock.socket"

local rounds = tonumber(arg[1] or 5)
if not rounds then
  io.stderr:write "usage: lua client_server.lua [rounds]\n"
  os.exit(1)
end

-- The system picks the server's port. The channel carries its number to the client, and makes the
-- client wait until the server listens.
local port_tx, port_rx = cosock.channel.new()

cosock.spawn(function()
  local server = assert(socket.bind("127.0.0.1", 0))
  local _, port = server:getsockname()
  port_tx:send(port)

  local client = assert(server:accept())
  server:close()
  local request = client:receive() -- nil once the client has closed
  while request do
    local round = request:match "^ping (%d+)$"
    print("sending pong " .. round)
    assert(client:send("pong " .. round .. "\n"))
    request = client:receive()
  end
  client:close()
end, "server")

cosock.spawn(function()
  local port = port_rx:receive()
  local client = assert(socket.connect("127.0.0.1", port))
  for round = 1, rounds do
    print("sending ping " .. round)
    assert(client:send("ping " .. round .. "\n"))
    local response = assert(client:receive())
    assert(response == "pong " .. round)
  end
  client:close()
end, "client")

-- Runs both tasks until they have ended.
cosock.run()
