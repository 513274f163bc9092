-- Fetches a large file and throws it away. Prints its bytes, bytes a second, and how many bytes the process has grown
-- by at most.
--
--   lua bench/body.lua URL MODULE     MODULE is cosock.socket.http, or LuaSocket's socket.http

local address, module = arg[1], arg[2]
local http = require(module)
local socket = require(module == "socket.http" and "socket" or "cosock.socket")

--- The most memory that the process has ever had, in bytes.
local function most()
  local status = assert(io.open "/proc/self/status")
  local kilobytes = status:read "*a":match "VmHWM:%s*(%d+)"
  status:close()
  return tonumber(kilobytes) * 1024
end

local function fetch()
  local before, began, bytes = most(), socket.gettime(), 0
  local ok, code = http.request {
    url = address,
    sink = function(data)
      bytes = bytes + #(data or "")
      return 1
    end,
  }
  assert(ok and code == 200, code)
  print(("%.0f %.0f %.0f"):format(bytes, bytes / (socket.gettime() - began), most() - before))
end

if module == "socket.http" then
  fetch()
else
  local cosock = require "cosock"
  cosock.spawn(fetch)
  cosock.run()
end
