--- Generates programs full of coroutines that resume, wrap, close and watch each other, to compare what two
--- `coroutine` tables make of them.
---
--- A program is Lua text. It is called with a table of functions: `log(...)` writes down what happened, `wait()` may
--- wait, `close_later(name)` makes a variable to be closed. The same seed gives the same program on every
--- interpreter of one version, and a program ends by itself: there are no loops, and its coroutines resume each
--- other at most so many times.

local M = {}

local SLOTS = 4 -- coroutines of a program
local STATEMENTS = 7 -- of a coroutine, at most
local DEPTH = 2 -- of functions in functions

local has_close = coroutine.close ~= nil -- luacheck: ignore 143
local has_isyieldable = coroutine.isyieldable ~= nil -- luacheck: ignore 143

--- A sequence of whole numbers from 1 to a limit that depends on the seed alone.
local function sequence(seed)
  local state = seed * 7919 % 2147483647 + 1
  return function(limit)
    state = state * 16807 % 2147483647
    return math.floor(state / 2147483647 * limit) + 1
  end
end

local Generator = {}
Generator.__index = Generator

function Generator:pick(list)
  return list[self.random(#list)]
end

function Generator:emit(text, ...)
  self.lines[#self.lines + 1] = ("  "):rep(self.depth) .. text:format(...)
end

--- Values to be passed: none, some, nils among them.
function Generator:values()
  local list = {}
  for index = 1, self.random(4) - 1 do
    list[index] = self:pick { "1", "'text'", "nil", "false", "objects[1]", "print", "3.5" }
  end
  return table.concat(list, ", ")
end

function Generator:slot()
  return self.random(SLOTS)
end

--- Functions that write one statement each.
local statements = {
  function(self)
    if self.can_yield then
      self:emit("log('yielded', coroutine.yield(%s))", self:values())
    end
  end,
  function(self)
    local values = self:values()
    self:emit("log('resumed', resume(%d%s))", self:slot(), values ~= "" and ", " .. values or "")
  end,
  function(self)
    self:emit("log('called', pcall(wraps[%d], %s))", self:slot(), self:values() ~= "" and "1, nil" or "2")
  end,
  function(self)
    -- Without protection: the error goes on outward, with a position in front.
    self:emit("do local value = spend() and wraps[%d](%d) log('got', value) end", self:slot(), self.random(9))
  end,
  function(self)
    self:emit "wait()"
  end,
  function(self)
    self:emit("log('status', status(%d), status(%d))", self:slot(), self:slot())
  end,
  function(self)
    self:emit "log('running', name_of(coroutine.running()), select('#', coroutine.running()))"
  end,
  function(self)
    -- Our pcall for Lua 5.1 runs its function in a coroutine of its own: the traceback of one that runs ends there.
    if self.pcall_can_yield then
      self:emit("log('traceback', traceback(%d))", self:slot())
    end
  end,
  function(self)
    if has_isyieldable then
      self:emit "log('isyieldable', coroutine.isyieldable())"
    end
  end,
  function(self)
    self:emit("if spend() then error(%s) end", self:pick {
      "'an error'", "'an error', 0", "'an error', 2", "objects[2]", "nil", "42",
    })
  end,
  function(self)
    if has_close then
      self:emit("log('closed', pcall(close, %d))", self:slot())
    end
  end,
  function(self)
    if has_close then
      self:emit("local variable_%d <close> = close_later('%s')", #self.lines, self:pick { "quiet", "raises", "string" })
    end
  end,
  function(self)
    if self.depth <= DEPTH then
      self:emit "log('protected', pcall(function(...)"
      self:block(3, self.can_yield and self.pcall_can_yield)
      self:emit("end, %d))", self.random(9))
    end
  end,
  function(self)
    if self.depth <= DEPTH then
      self:emit "log('handled', xpcall(function(...)"
      self:block(3, self.can_yield and self.pcall_can_yield)
      self:emit("end, function(err) log('handling', err) return 'handled', 2 end))")
    end
  end,
  function(self)
    if self.depth <= DEPTH then
      self:emit "log('inner', select('#', ...), coroutine.wrap(function(...)"
      self:block(3, true)
      self:emit("return %s end)(...))", self:values())
    end
  end,
}

--- Writes up to `most` statements into a function.
function Generator:block(most, can_yield)
  local could_yield = self.can_yield
  self.can_yield = can_yield
  self.depth = self.depth + 1
  for _ = 1, self.random(most) do
    self:pick(statements)(self)
  end
  self.depth = self.depth - 1
  self.can_yield = could_yield
end

local HEAD = [[
local environment = ...
local log, wait, close_later = environment.log, environment.wait, environment.close_later
local objects, threads, wraps, names = environment.objects, {}, {}, {}
local fuel = 60
local function spend() fuel = fuel - 1 return fuel > 0 end
local function name_of(thread) return thread == nil and "none" or names[thread] or "another" end
local function status(slot) return coroutine.status(threads[slot]) end
local function resume(slot, ...)
  if not spend() then return "out of fuel" end
  return coroutine.resume(threads[slot], ...)
end
local function traceback(slot)
  local lines = {}
  for line in debug.traceback(threads[slot]):gmatch "[^\n]+" do
    -- C functions have other names, and what stands for pcall is another function.
    if not line:find "%[C%]" and not line:find "%[builtin" and not line:find "cosock" and not line:find "tail call" then
      lines[#lines + 1] = line:gsub("0x%x+", "address"):gsub("in %S+ <?[^<]*$", "")
    end
  end
  return table.concat(lines, "|")
end
]]

--- Generates a program.
---@param seed integer
---@param pcall_can_yield boolean  whether a program may yield in a protected call
---@return string text
function M.generate(seed, pcall_can_yield)
  local self = setmetatable({
    random = sequence(seed),
    lines = {},
    depth = 0,
    pcall_can_yield = pcall_can_yield,
  }, Generator)
  if has_close then
    self:emit "local function close(slot) return coroutine.close(threads[slot]) end"
  end
  for slot = 1, SLOTS do
    for _, kind in ipairs { "thread", "wrap" } do
      self:emit("local function %s_%d(...)", kind, slot)
      self:emit("  log('%s %d begins', ...)", kind, slot)
      self:block(STATEMENTS, true)
      self:emit("  return %s", self:values())
      self:emit "end"
    end
    self:emit("threads[%d] = coroutine.create(thread_%d)", slot, slot)
    self:emit("names[threads[%d]] = 'thread %d'", slot, slot)
    self:emit("local call_%d = coroutine.wrap(wrap_%d)", slot, slot)
    self:emit("wraps[%d] = function(...)", slot)
    self:emit "  if not spend() then return 'out of fuel' end"
    self:emit("  local a, b = call_%d(...)", slot)
    self:emit "  return a, b"
    self:emit "end"
  end
  for _ = 1, 12 do
    local values = self:values()
    self:emit("log('main resumed', resume(%d%s))", self:slot(), values ~= "" and ", " .. values or "")
    self:emit("log('main called', pcall(wraps[%d]))", self:slot())
  end
  for slot = 1, SLOTS do
    self:emit("log('at the end', status(%d), traceback(%d))", slot, slot)
  end
  return HEAD .. table.concat(self.lines, "\n") .. "\n"
end

return M
