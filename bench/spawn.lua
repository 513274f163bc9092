-- What it costs to start and end a task, and what is left of it: spawn.lua [TASKS]

local cosock = require "cosock"
local socket = require "cosock.socket"

local TASKS = tonumber(arg[1]) or 100000
local ROUNDS = 5

local finished = 0

local function task()
  finished = finished + 1
end

-- Microseconds per task; all of them are alive before the first one runs.
local function round(tasks)
  local start = socket.gettime()
  for _ = 1, tasks do
    cosock.spawn(task, "short")
  end
  cosock.run()
  return (socket.gettime() - start) / tasks * 1e6
end

-- KiB in use by Lua, after everything that can be collected was.
local function memory()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

-- KiB the process holds, or nil where the system does not tell in this way.
local function resident()
  local file = io.open "/proc/self/status"
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  return text and tonumber(text:match "VmRSS:%s*(%d+)")
end

-- What is loaded or allocated only once is no task's.
round(100)

local memory_before, resident_before = memory(), resident()
local times, residents = {}, {}
for number = 1, ROUNDS do
  times[number] = round(TASKS)
  memory()
  residents[number] = resident()
end
local memory_after = memory()
assert(finished == 100 + ROUNDS * TASKS, "a task was lost")
table.sort(times)

print(("spawn: %d tasks, %d rounds"):format(TASKS, ROUNDS))
print(("  us per task: %.2f (%.2f-%.2f)"):format(times[math.ceil(ROUNDS / 2)], times[1], times[ROUNDS]))
print(("  Lua memory after/before: %.2f (%.0f KiB, %.0f KiB)"):format(
  memory_after / memory_before, memory_after, memory_before))
if resident_before then
  -- The allocator keeps what the largest round needed; a leak would show between the first round and the last.
  print(("  resident KiB: %d before, %d after round 1, %d after round %d"):format(
    resident_before, residents[1], residents[ROUNDS], ROUNDS))
end
