-- A proxy for HTTP: forwards each request, and tells in the reply by x-proxy what it was asked and by whom. A program
-- of its own. Prints its port.

local cosock = require "cosock"
local socket = require "cosock.socket"
local url = require "cosock.socket.url"

local function forward(client)
  local line = client:receive()
  local method, target = (line or ""):match "^(%S+) (http://.*) HTTP/1%.1$"
  if not method then
    client:send "HTTP/1.1 400 Not For A Proxy\r\nConnection: close\r\n\r\n"
    return
  end
  local parts = url.parse(target)
  local lines = { method .. " " .. url.build { path = parts.path, query = parts.query } .. " HTTP/1.1" }
  local credentials = "none"
  line = client:receive()
  while line ~= "" do
    credentials = line:match "^Proxy%-Authorization: (.*)" or credentials
    if not line:match "^Proxy%-" and not line:match "^Connection:" then
      lines[#lines + 1] = line
    end
    line = client:receive()
  end
  lines[#lines + 1] = "Connection: close\r\n\r\n"

  local upstream = assert(socket.connect(parts.host, parts.port))
  upstream:send(table.concat(lines, "\r\n"))
  local status = upstream:receive()
  client:send(("%s\r\nX-Proxy: %s by %s\r\nConnection: close\r\n"):format(status, target, credentials))
  client:send(upstream:receive "*a")
  upstream:close()
end

cosock.spawn(function()
  local server = assert(socket.bind("127.0.0.1", 0))
  local _, port = server:getsockname()
  print("port " .. port)
  while true do
    local client = assert(server:accept())
    cosock.spawn(function()
      forward(client)
      client:close()
    end, "client")
  end
end, "listener")

cosock.run()
