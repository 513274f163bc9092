-- The TLS server and client of the benchmarks. Runs on cosock and on LuaSec in copas alike.
--
--   lua bench/tls.lua MODULE CERTIFICATE KEY VERSION echo               lines, back and forth
--   lua bench/tls.lua MODULE CERTIFICATE KEY VERSION greet              one byte to each client, until it closes
--   lua bench/tls.lua MODULE CERTIFICATE KEY VERSION send BYTES PIECE   so much to the first client, in such pieces
--   lua bench/tls.lua MODULE CERTIFICATE KEY VERSION receive PATTERN    from the first client, until it closes
--   lua bench/tls.lua MODULE CERTIFICATE KEY VERSION client PORT COUNT TASKS
--
-- MODULE is bench.tls_cosock or bench.peers.copas_tls, VERSION is 1.2 or 1.3. Servers print their port. What is over by
-- itself prints connections or bytes a second, and the same by CPU time.

package.path = "./?.lua;" .. package.path

local runtime = require(arg[1])
local certificate, key, version, role = arg[2], arg[3], arg[4], arg[5]
local protocol = "tlsv" .. version:gsub("%.", "_")

local function context(mode)
  return assert(runtime.ssl.newcontext {
    mode = mode,
    protocol = protocol,
    certificate = mode == "server" and certificate or nil,
    key = mode == "server" and key or nil,
    verify = "none",
    options = "all",
  })
end

local function report(amount, began, busy)
  print(("%.0f %.0f"):format(amount / (runtime.gettime() - began), amount / (os.clock() - busy)))
  os.exit(0) -- loops may not end by themselves
end

local handlers = {}

function handlers.echo(client)
  local line = client:receive()
  while line and client:send(line .. "\n") do
    line = client:receive()
  end
  client:close()
end

function handlers.greet(client)
  client:send "."
  client:receive()
  client:close()
end

local piece = role == "send" and ("x"):rep(tonumber(arg[7]))

function handlers.send(client)
  local bytes = tonumber(arg[6])
  local began, busy = runtime.gettime(), os.clock()
  for _ = 1, bytes / #piece do
    assert(client:send(piece))
  end
  client:close()
  report(bytes, began, busy)
end

function handlers.receive(client)
  local pattern = tonumber(arg[6]) or arg[6]
  local began, busy, bytes = runtime.gettime(), os.clock(), 0
  repeat
    local data, _, partial = client:receive(pattern)
    if pattern == "*l" and data then
      bytes = bytes + 1
    end
    bytes = bytes + #(data or partial or "")
  until not data or pattern == "*a"
  client:close()
  report(bytes, began, busy)
end

if role == "client" then
  local port, count, tasks = tonumber(arg[6]), tonumber(arg[7]), tonumber(arg[8])
  local ctx = context "client"
  local began, busy, left, done = runtime.gettime(), os.clock(), count, 0
  for _ = 1, tasks do
    runtime.spawn(function()
      while left > 0 do
        left = left - 1
        local server = runtime.connect("127.0.0.1", port, ctx)
        assert(server:receive(1) == ".")
        server:close()
        done = done + 1
        if done == count then
          report(count, began, busy)
        end
      end
    end)
  end
else
  io.write(("port %d\n"):format(runtime.serve(context "server", handlers[role])))
  io.flush()
end
runtime.run()
