-- Speaks TLS in front of a server that does not: whatever clients say is passed on to it, and the reverse. A program of
-- its own. Prints its port.
--
--     tls_front.lua CERTIFICATES PORT

local cosock = require "cosock"
local socket = require "cosock.socket"
local ssl = require "cosock.ssl"

local context = assert(ssl.newcontext {
  mode = "server", protocol = "any", key = arg[1] .. "/server.key", certificate = arg[1] .. "/server.pem",
})

local function pass_on(from, to)
  local data, err, partial
  repeat
    data, err, partial = from:receive(1, nil, 65536)
    data = data or partial
  until err or not to:send(data)
  to:close()
end

local function serve(client)
  client:setoption("tcp-nodelay", true)
  client = assert(ssl.wrap(client, context))
  local server = assert(socket.connect("127.0.0.1", tonumber(arg[2])))
  if not client:dohandshake() then
    client:close()
    server:close()
    return
  end
  cosock.spawn(pass_on, "back", server, client)
  pass_on(client, server)
end

local listener = assert(socket.bind("127.0.0.1", 0))
local _, port = listener:getsockname()
print("port " .. port)
cosock.spawn(function()
  while true do
    cosock.spawn(serve, "client", assert(listener:accept()))
  end
end, "listener")
cosock.run()
