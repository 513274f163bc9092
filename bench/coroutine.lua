-- What a resume and a yield cost in cosock.coroutine, against the interpreter's own: coroutine.lua [COUNT]
-- Both are measured by the same code inside a task, in turn. `wrap` is compared likewise.

local cosock = require "cosock"
local socket = require "cosock.socket"

local COUNT = tonumber(arg[1]) or 300000
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

-- Nanoseconds per resume with its yield.
local measured = {
  ["resume/yield"] = function(library)
    local resume, thread = library.resume, library.create(endless(library))
    local start = socket.gettime()
    for index = 1, COUNT do
      resume(thread, index)
    end
    return (socket.gettime() - start) / COUNT * 1e9
  end,
  ["wrap/yield"] = function(library)
    local call = library.wrap(endless(library))
    local start = socket.gettime()
    for index = 1, COUNT do
      call(index)
    end
    return (socket.gettime() - start) / COUNT * 1e9
  end,
}

local function median(numbers)
  table.sort(numbers)
  return numbers[math.ceil(#numbers / 2)]
end

local function compare(name)
  local measure = measured[name]
  local plain, nesting, ratios = {}, {}, {}
  for repetition = 1, REPETITIONS do
    plain[repetition] = measure(standard)
    nesting[repetition] = measure(ours)
    ratios[repetition] = nesting[repetition] / plain[repetition]
  end
  print(("  %s: %.0f ns plain, %.0f ns here"):format(name, median(plain), median(nesting)))
  -- The median sorts them.
  print(("  ratio: %.2f (%.2f-%.2f)"):format(median(ratios), ratios[1], ratios[REPETITIONS]))
end

cosock.spawn(function()
  print(("coroutine: %d times, %d repetitions"):format(COUNT, REPETITIONS))
  compare "resume/yield"
  compare "wrap/yield"
end, "coroutine")

cosock.run()
