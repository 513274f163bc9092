-- What bench/tls.lua needs, from cosock.

local cosock = require "cosock"
local socket = require "cosock.socket"
local ssl = require "cosock.ssl"

local M = { ssl = ssl, gettime = socket.gettime, spawn = cosock.spawn, run = cosock.run }

local function secured(plain, ctx)
  plain:setoption("tcp-nodelay", true)
  local connection = assert(ssl.wrap(plain, ctx))
  return connection:dohandshake() and connection
end

function M.serve(ctx, handler)
  local server = assert(socket.bind("127.0.0.1", 0, 1024))
  cosock.spawn(function()
    while true do
      local client = assert(server:accept())
      cosock.spawn(function()
        local connection = secured(client, ctx)
        if connection then
          handler(connection)
        end
      end)
    end
  end)
  local _, port = server:getsockname()
  return port
end

function M.connect(host, port, ctx)
  return assert(secured(assert(socket.connect(host, port)), ctx))
end

return M
