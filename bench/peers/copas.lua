-- The echo server in copas, one coroutine a client. Its select holds no descriptor over 1023.

local copas = require "copas"
local socket = require "socket"

local server = assert(socket.bind("127.0.0.1", 0, 1024))
local _, port = server:getsockname()

copas.addserver(server, function(client)
  client:setoption("tcp-nodelay", true)
  local line = copas.receive(client)
  while line and copas.send(client, line .. "\n") do
    line = copas.receive(client)
  end
  client:close()
end)

io.write(("port %d\n"):format(port))
io.flush()
copas.loop()
