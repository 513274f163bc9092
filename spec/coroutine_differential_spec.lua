-- `cosock.coroutine` against the interpreter's own `coroutine`: generated programs do the same with both, outside of
-- tasks, in a task, and in a task where they wait in the midst of everything.

local cosock = require "cosock"
local programs = require "spec.support.coroutine_programs"
local run = require "spec.support.run"
local socket = require "cosock.socket"

local PROGRAMS = 400

local load = loadstring or load

-- Lua 5.1 cannot: what a program did there would fail with the interpreter's own, and work with ours.
local pcall_can_yield = coroutine.wrap(function()
  return pcall(coroutine.yield)
end)() == nil

local function show(value, objects)
  if type(value) == "table" then
    return value == objects[1] and "object 1" or value == objects[2] and "object 2" or "a table"
  elseif type(value) == "function" or type(value) == "thread" then
    return "a " .. type(value)
  elseif type(value) == "string" then
    -- Addresses differ from run to run.
    return ("%q"):format((value:gsub("0x%x+", "address")))
  end
  return tostring(value)
end

--- What a program is called with, and what it wrote down.
local function environment(wait)
  local log, objects = {}, { {}, {} }
  local self = { objects = objects, wait = wait }
  function self.log(...)
    local parts = {}
    for index = 1, select("#", ...) do
      parts[index] = show((select(index, ...)), objects)
    end
    log[#log + 1] = table.concat(parts, ", ")
  end
  function self.close_later(kind)
    return setmetatable({}, {
      __close = function(_, err)
        self.log("closing", kind, err)
        if kind == "raises" then
          error(objects[1])
        elseif kind == "string" then
          error("while closing", 0)
        end
      end,
    })
  end
  return self, log
end

local function no_wait() end

-- What tells other tasks apart from this one: they run while it waits.
local function wait()
  socket.sleep(0)
end

--- The program with the interpreter's own coroutines. It runs in a coroutine, as it does in a task.
local function expected(text)
  local chunk = assert(load(text, "=program"))
  local given, log = environment(no_wait)
  coroutine.wrap(chunk)(given)
  return log
end

local loaded = 0

--- The program with `cosock.coroutine`, and on Lua 5.1 with our pcall and xpcall.
local function ours(text)
  loaded = loaded + 1
  local name = "coroutine_program_" .. loaded
  package.preload[name] = assert(load("return function(...) " .. text .. " end", "=program"))
  local chunk = cosock.asyncify(name)
  package.preload[name] = nil
  return chunk
end

-- What cannot be the same. Lua 5.2 and 5.3 call a coroutine dead that is not, when its C function has nothing on its
-- stack, and what that has is not the same while it waits. On 5.1, one that runs in our pcall is not the one that the
-- interpreter takes for running.
local other_words = ({
  ["Lua 5.1"] = "resume running",
  ["Lua 5.2"] = "resume dead",
  ["Lua 5.3"] = "resume dead",
})[_VERSION]

local function without_that(log)
  local lines = {}
  for index, line in ipairs(log) do
    lines[index] = other_words and line:gsub(other_words, "resume normal"):gsub("resume non.suspended", "resume normal")
      or line
  end
  return lines
end

local function compare(title, seed, text, want, got)
  for index = 1, math.max(#want, #got) do
    if want[index] ~= got[index] then
      local before = table.concat(got, "\n", math.max(1, index - 5), index - 1)
      error(("program %d, %s, differs after\n%s\ninterpreter: %s\ncosock:      %s\n%s"):format(
        seed, title, before, tostring(want[index]), tostring(got[index]), text), 2)
    end
  end
end

describe("cosock.coroutine, compared with the interpreter's own,", function()
  before_each(cosock.reset)

  -- Every program is long; several in one test, so that a failure names only a few.
  for first = 1, PROGRAMS, 50 do
    it(("does the same in programs %d to %d"):format(first, first + 49), function()
      local waited = 0
      for seed = first, first + 49 do
        local text = programs.generate(seed, pcall_can_yield)
        local want = expected(text)
        assert.is_true(#want > 20, "the program did nothing")
        local chunk = ours(text)

        local given, log = environment(no_wait)
        coroutine.wrap(chunk)(given)
        compare("outside of tasks", seed, text, want, log)

        given, log = environment(no_wait)
        run.task(chunk, given)
        compare("in a task", seed, text, pcall_can_yield and want or without_that(want),
          pcall_can_yield and log or without_that(log))

        local waits = 0
        given, log = environment(function()
          waits = waits + 1
          wait()
        end)
        run.task(chunk, given)
        compare("in a task that waits", seed, text, without_that(want), without_that(log))
        waited = waited + waits
      end
      assert.is_true(waited > 0)
    end)
  end
end)
