-- What a resume and a yield cost in cosock.coroutine, against the interpreter's own, and what a wait costs in
-- coroutines inside a task, against one in the task itself: coroutine.lua [COUNT]
-- Both sides of a comparison are measured by the same code inside a task, in turn.

local cosock = require "cosock"
local socket = require "cosock.socket"

local COUNT = tonumber(arg[1]) or 300000
local DEPTH = 10
local REPETITIONS = 15

local standard, ours = coroutine, cosock.coroutine

local function endless(library)
  local yield = library.yield
  return function(value)
    while true do
      value = yield(value)
    end
  end
end

-- Each returns nanoseconds for one time.

local function resume_and_yield(library)
  local resume, thread = library.resume, library.create(endless(library))
  local start = socket.gettime()
  for index = 1, COUNT do
    resume(thread, index)
  end
  return (socket.gettime() - start) / COUNT * 1e9
end

local function call_and_yield(library)
  local call = library.wrap(endless(library))
  local start = socket.gettime()
  for index = 1, COUNT do
    call(index)
  end
  return (socket.gettime() - start) / COUNT * 1e9
end

local function wait(depth)
  if depth > 0 then
    return ours.wrap(wait)(depth - 1)
  end
  local count = COUNT / 10
  local start = socket.gettime()
  for _ = 1, count do
    socket.sleep(0)
  end
  return (socket.gettime() - start) / count * 1e9
end

local function median(numbers)
  table.sort(numbers)
  return numbers[math.ceil(#numbers / 2)]
end

local function compare(title, measure, reference, contestant)
  local before, after, ratios = {}, {}, {}
  for repetition = 1, REPETITIONS do
    before[repetition] = measure(reference)
    after[repetition] = measure(contestant)
    ratios[repetition] = after[repetition] / before[repetition]
  end
  print(("  %s: %.0f ns against %.0f ns"):format(title, median(after), median(before)))
  -- The median sorts them.
  print(("  ratio: %.2f (%.2f-%.2f)"):format(median(ratios), ratios[1], ratios[REPETITIONS]))
end

cosock.spawn(function()
  print(("coroutine: %d times, %d repetitions"):format(COUNT, REPETITIONS))
  compare("resume and yield", resume_and_yield, standard, ours)
  compare("wrap and yield", call_and_yield, standard, ours)
  compare(("a wait in %d coroutines"):format(DEPTH), wait, 0, DEPTH)
end, "coroutine")

cosock.run()
