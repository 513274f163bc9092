-- The echo server in cqueues, one coroutine a client.

local cqueues = require "cqueues"
local socket = require "cqueues.socket"

-- Binary and unbuffered: the fastest way it has to answer line by line.
local MODE = "bn"

-- Else a client that has gone would raise.
local function error_code(_, _, code)
  return code
end

local function serve(client)
  client:onerror(error_code)
  client:setmode(MODE, MODE)
  local line = client:xread "*L"
  while line and client:xwrite(line, MODE) do
    line = client:xread "*L"
  end
  client:close()
end

local loop = cqueues.new()
local server = assert(socket.listen { host = "127.0.0.1", port = 0, nodelay = true })

loop:wrap(function()
  assert(server:listen())
  local _, _, port = server:localname()
  io.write(("port %d\n"):format(port))
  io.flush()
  for client in server:clients() do
    loop:wrap(serve, client)
  end
end)

assert(loop:loop())
