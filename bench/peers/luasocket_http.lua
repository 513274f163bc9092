-- The client of bench/http.lua in LuaSocket: one request after the other.

local http = require "socket.http"
local socket = require "socket"

local address, count = arg[1], tonumber(arg[2])

local began, busy = socket.gettime(), os.clock()
for _ = 1, count do
  local body, code = http.request(address)
  assert(code == 200 and #body == 1024, code)
end
print(count / (socket.gettime() - began), (os.clock() - busy) / count)
