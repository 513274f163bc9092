-- The client of bench/http.lua in copas: LuaSocket's socket.http on its sockets. Newer copas has a module for it; with
-- an older one a request names them itself.

local copas = require "copas"
local socket = require "socket"

local address, count, tasks = arg[1], tonumber(arg[2]), tonumber(arg[3])

local has_module, http = pcall(require, "copas.http")
local request = has_module and http.request
if not has_module then
  http = require "socket.http"
  local function create()
    local sock = socket.tcp()
    sock:settimeout(0)
    return {
      settimeout = function() return 1 end,
      connect = function(_, host, port) return copas.connect(sock, host, port) end,
      send = function(_, data) return copas.send(sock, data) end,
      receive = function(_, pattern, prefix) return copas.receive(sock, pattern, prefix) end,
      close = function() return sock:close() end,
    }
  end
  function request(url)
    local parts = {}
    local ok, code = http.request {
      url = url,
      sink = function(data)
        parts[#parts + 1] = data
        return 1
      end,
      create = create,
    }
    return ok and table.concat(parts), code
  end
end

local began, busy = socket.gettime(), os.clock()
local left, done = count, 0
for _ = 1, tasks do
  copas.addthread(function()
    while left > 0 do
      left = left - 1
      local body, code = request(address)
      if code ~= 200 or #body ~= 1024 then
        io.stderr:write("failed: ", tostring(code), "\n")
        os.exit(1)
      end
      done = done + 1
    end
    if done == count then
      print(count / (socket.gettime() - began), (os.clock() - busy) / count)
      os.exit(0) -- the loop of an older one never ends
    end
  end)
end
copas.loop()
