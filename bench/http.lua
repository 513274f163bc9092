-- Fetches a file of 1 KiB so many times, by so many tasks. Prints requests a second, and seconds of CPU time for each.
--
--   lua bench/http.lua URL COUNT TASKS

local cosock = require "cosock"
local http = require "cosock.socket.http"
local socket = require "cosock.socket"

local address, count, tasks = arg[1], tonumber(arg[2]), tonumber(arg[3])

local began, busy = socket.gettime(), os.clock()
local left = count
for _ = 1, tasks do
  cosock.spawn(function()
    while left > 0 do
      left = left - 1
      local body, code = http.request(address)
      assert(code == 200 and #body == 1024, code)
    end
  end)
end
cosock.run()
print(count / (socket.gettime() - began), (os.clock() - busy) / count)
