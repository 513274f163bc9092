-- The echo server in cosock, one task a client. Runs on the pure-Lua cosock as well, to compare with it.

local cosock = require "cosock"
local socket = require "cosock.socket"

local function serve(client)
  client:setoption("tcp-nodelay", true)
  local line = client:receive()
  while line and client:send(line .. "\n") do
    line = client:receive()
  end
  client:close()
end

cosock.spawn(function()
  local server = socket.tcp()
  assert(server:bind("127.0.0.1", 0))
  assert(server:listen(1024))
  local _, port = server:getsockname()
  io.write(("port %d\n"):format(port))
  io.flush()
  while true do
    local client = assert(server:accept())
    cosock.spawn(function()
      serve(client)
    end, "client")
  end
end, "listener")

cosock.run()
