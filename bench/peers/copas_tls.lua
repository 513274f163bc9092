-- What bench/tls.lua needs, from LuaSec in copas. An older copas knows nothing of TLS: it gets an object that says
-- "timeout" where LuaSec says what it waits for.

local copas = require "copas"
local socket = require "socket"
local ssl = require "ssl"

local M = { ssl = ssl, gettime = socket.gettime, spawn = copas.addthread, run = copas.loop }

local Waiting = {}
Waiting.__index = Waiting

local function as_copas_has_it(err)
  return (err == "wantread" or err == "wantwrite") and "timeout" or err
end

function Waiting:getfd()
  return self.connection:getfd()
end

function Waiting:dirty()
  return self.connection:dirty()
end

function Waiting:close()
  return self.connection:close()
end

function Waiting:receive(pattern, prefix)
  local data, err, partial = self.connection:receive(pattern, prefix)
  return data, as_copas_has_it(err), partial
end

function Waiting:send(data, from, to)
  local last, err, sent = self.connection:send(data, from, to)
  return last, as_copas_has_it(err), sent
end

--- In the place of receiving, while the handshake lasts.
local Handshake = { getfd = Waiting.getfd, dirty = Waiting.dirty, close = Waiting.close }
Handshake.__index = Handshake

function Handshake:receive()
  local done, err = self.connection:dohandshake()
  return done or nil, as_copas_has_it(err)
end

local Client = {}
Client.__index = Client

function Client:receive(pattern)
  return copas.receive(self.waiting, pattern)
end

function Client:send(data)
  return copas.send(self.waiting, data)
end

function Client:close()
  return self.connection:close()
end

local function secured(plain, ctx)
  plain:setoption("tcp-nodelay", true)
  local connection = assert(ssl.wrap(plain, ctx))
  connection:settimeout(0)
  if copas.receive(setmetatable({ connection = connection }, Handshake)) then
    local waiting = setmetatable({ connection = connection }, Waiting)
    return setmetatable({ connection = connection, waiting = waiting }, Client)
  end
end

function M.serve(ctx, handler)
  local server = assert(socket.bind("127.0.0.1", 0, 1024))
  local _, port = server:getsockname()
  copas.addserver(server, function(plain)
    local client = secured(plain, ctx)
    if client then
      handler(client)
    end
  end)
  return port
end

function M.connect(host, port, ctx)
  local plain = socket.tcp()
  plain:settimeout(0)
  assert(copas.connect(plain, host, port))
  return assert(secured(plain, ctx))
end

return M
