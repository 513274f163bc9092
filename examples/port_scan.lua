-- A port scanner: many connection attempts at once, each with a time limit.
--
--   lua examples/port_scan.lua HOST PORT|FIRST-LAST ...
--   lua examples/port_scan.lua 127.0.0.1 22 8000-8100

local cosock = require "cosock"
local socket = require "cosock.socket"

local ATTEMPTS = 100 -- at once
local PATIENCE = 0.5 -- seconds for each

local host = arg[1]
local ports = {}
for index = 2, #arg do
  local first, last = arg[index]:match "^(%d+)%-?(%d*)$"
  if not first then
    host = nil
    break
  end
  for port = tonumber(first), tonumber(last) or tonumber(first) do
    ports[#ports + 1] = port
  end
end
if not host or #ports == 0 then
  io.stderr:write "usage: lua port_scan.lua HOST PORT|FIRST-LAST ...\n"
  os.exit(1)
end

local counts = { open = 0, closed = 0, silent = 0 }
local problem -- ends the scan

local function scan(port)
  local client = socket.tcp()
  client:settimeout(PATIENCE)
  local connected, err = client:connect(host, port)
  client:close()
  if connected then
    counts.open = counts.open + 1
    print(("%s:%d is open"):format(host, port))
  elseif err == "timeout" then
    counts.silent = counts.silent + 1
  elseif err == "connection refused" or err == "closed" then -- the second if its server ended just now
    counts.closed = counts.closed + 1
  else
    problem = ("%s:%d: %s\n"):format(host, port, err)
  end
end

-- The tasks share the list: each takes the next port when it is done with its last. No two tasks ever
-- run at the same moment, so that `taken` needs no lock.
local taken = 0
local start = socket.gettime()
for _ = 1, math.min(ATTEMPTS, #ports) do
  cosock.spawn(function()
    while taken < #ports and not problem do
      taken = taken + 1
      scan(ports[taken])
    end
  end, "scanner")
end

cosock.run()

if problem then
  io.stderr:write(problem)
  os.exit(1)
end
print(("%d ports in %.1f seconds: %d open, %d closed, %d silent"):format(
  #ports, socket.gettime() - start, counts.open, counts.closed, counts.silent
))
