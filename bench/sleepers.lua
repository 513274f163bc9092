-- How late tasks wake when very many of them sleep: sleepers.lua [TASKS] [SLEEPS]
-- Each task sleeps SLEEPS times, from 0.1 to 2 seconds; late is what passed from the call to its return beyond that.

local cosock = require "cosock"
local socket = require "cosock.socket"

local TASKS = tonumber(arg[1]) or 50000
local SLEEPS = tonumber(arg[2]) or 5
local SHORTEST, LONGEST = 0.1, 2

math.randomseed(1) -- the same spans in every run

local lateness = {} -- milliseconds, of every single sleep

local function sleeper()
  for _ = 1, SLEEPS do
    local span = SHORTEST + math.random() * (LONGEST - SHORTEST)
    local start = socket.gettime()
    socket.sleep(span)
    lateness[#lateness + 1] = (socket.gettime() - start - span) * 1000
  end
end

for _ = 1, TASKS do
  cosock.spawn(sleeper, "sleeper")
end
cosock.run()

assert(#lateness == TASKS * SLEEPS, "a sleeper was lost")
table.sort(lateness)

local sum = 0
for _, late in ipairs(lateness) do
  sum = sum + late
end
local percentile99 = lateness[math.ceil(#lateness * 0.99)]

print(("sleepers: %d tasks, %d sleeps each"):format(TASKS, SLEEPS))
print(("  late in ms: mean %.2f, 99th percentile %.2f, max %.2f, min %.2f"):format(
  sum / #lateness, percentile99, lateness[#lateness], lateness[1]))
