--- `select` and `sleep` as LuaSocket has them, for programs that know nothing of tasks: in a task others
--- run meanwhile, and outside of tasks the program waits.

local require, native = ...

local cosock_select = require "cosock.socket.select"
local selections = require "cosock.luasocket.selection"
local tasks = require "cosock.task"
local wait = require "cosock.wait"
local waiting = require "cosock.waiting"

local scheduler = native.task
local clock, in_task, is_outside = scheduler.clock, scheduler.in_task, scheduler.is_outside
local is_socket = scheduler.is_socket
local has_only_sockets, poll = native.select.has_only_sockets, native.select.poll
local let_others_run, sleep = waiting.let_others_run, cosock_select.sleep

local M = {}

--- Blocks the program until one of the sockets is ready or the time is up.
---@param readers table
---@param writers table
---@param seconds number?
---@return integer[]? readers  the positions of those that are ready
---@return integer[]? writers
---@return string? error
local function block(readers, writers, seconds)
  local deadline = seconds and clock() + seconds
  local first, second = poll(readers, writers, seconds)
  while first == nil and second == nil do
    -- A signal came, and the interpreter has had its chance to raise.
    first, second = poll(readers, writers, deadline and math.max(deadline - clock(), 0))
  end
  return first, second
end

--- The objects of a list that report at once that they are ready.
local function ready_at_once(objects, kind)
  local ready = {}
  for _, object in ipairs(objects) do
    if not is_socket(object) then
      local function waker()
        ready[#ready + 1] = object
      end
      object:setwaker(kind, waker)
      object:setwaker(kind, nil)
    end
  end
  return ready
end

--- Waits as the program does outside of tasks. Nothing else runs, so that objects which are no sockets
--- are ready now or not at all.
local function wait_outside(waited, seconds)
  local ready = { ready_at_once(waited[1], "recvr"), ready_at_once(waited[2], "sendr") }
  if ready[1][1] or ready[2][1] then
    seconds = 0
  end
  local readers, writers = block(waited[1], waited[2], seconds)
  if not readers then
    return nil, nil, writers
  end
  for list, positions in ipairs { readers, writers } do
    for _, position in ipairs(positions) do
      table.insert(ready[list], waited[list][position])
    end
  end
  if ready[1][1] or ready[2][1] then
    return ready[1], ready[2]
  end
  return nil, nil, "timeout"
end

--- Reads an argument that is a list of objects.
local function check_list(list, position)
  if list ~= nil and type(list) ~= "table" then
    error(("bad argument #%d to 'select' (table expected, got %s)"):format(position, type(list)), 3)
  end
  return list or {}
end

--- Reads an argument that is a time in seconds. Negative, and not a number: no limit.
local function check_timeout(timeout)
  local seconds = tonumber(timeout)
  if timeout ~= nil and not seconds then
    error(("bad argument #3 to 'select' (number expected, got %s)"):format(type(timeout)), 3)
  end
  return seconds and seconds >= 0 and seconds or nil
end

--- Makes what the program gets out of what a wait found.
local function report(selection, recvr, sendr, err)
  selection:close()
  if err and err ~= "timeout" then
    error("select failed", 0)
  end
  local readable, writable = selection:report(1, recvr), selection:report(2, sendr)
  if readable[1] == nil and writable[1] == nil then
    return readable, writable, "timeout"
  end
  return readable, writable
end

--- The table that the program gets for a list of sockets.
---@param list table
---@param positions integer[]  of those that are ready, in the order in which they are reported
local function pick(list, positions)
  local result = {}
  for _, position in ipairs(positions) do
    local socket = list[position]
    if not result[socket] then
      result[#result + 1] = socket
      result[socket] = #result
    end
  end
  return result
end

--- Looks at lists of sockets of ours alone, without waiting in a task. That is what most programs have,
--- and it takes none of the care that other objects need.
---@return table? recvr  nil if it does not do: there are others, or a task has to wait
---@return table? sendr
---@return string? error
local function look(recvt, sendt, seconds)
  if getmetatable(recvt) or getmetatable(sendt) or not has_only_sockets(recvt, sendt) then
    return nil
  end
  local outside = is_outside()
  local readers, writers = block(recvt, sendt, not outside and 0 or seconds)
  if not readers then
    error("select failed", 0)
  elseif readers[1] or writers[1] then
    return pick(recvt, readers), pick(sendt, writers)
  elseif outside or seconds == 0 then
    return {}, {}, "timeout"
  end
end

--- Waits until one of the objects is ready.
---
--- Objects are sockets, anything with a method `getfd` (and perhaps `dirty`), receiving ends of channels,
--- and whatever follows the wait protocol; others are never ready. Raises if an argument is wrong,
--- `select failed` if a descriptor is not open, and whatever an object's methods raise.
---@param recvt table?  objects to receive from
---@param sendt table?  objects to send to
---@param timeout number?  seconds; nil or negative for no limit
---@return table recvr  those of `recvt` that are ready: `[k] = object` and `[object] = k`
---@return table sendr  those of `sendt`, likewise
---@return string? error  "timeout"
function M.select(recvt, sendt, timeout)
  recvt, sendt = check_list(recvt, 1), check_list(sendt, 2)
  local seconds = check_timeout(timeout)
  let_others_run()
  local recvr, sendr, err = look(recvt, sendt, seconds)
  if recvr then
    if err then
      return recvr, sendr, err
    end
    return recvr, sendr
  end
  local selection = selections.new(recvt, sendt)
  if selection.dirty then
    seconds = 0
  end
  local waited = selection.waited
  if in_task() then
    return report(selection, wait.wait(tasks.current(), waited[1], waited[2], seconds))
  elseif is_outside() then
    return report(selection, wait_outside(waited, seconds))
  end
  -- In a coroutine that cannot wait it can still look.
  recvr, sendr, err = wait_outside(waited, 0)
  if err == "timeout" and seconds ~= 0 then
    selection:close()
    tasks.current() -- raises, and says why
  end
  return report(selection, recvr, sendr, err)
end

--- Waits for a time; not at all if it is negative. In a task, others run meanwhile even then.
---
--- Raises if `seconds` is not a number.
---@param seconds number
function M.sleep(seconds)
  local time = tonumber(seconds)
  if not time or time ~= time or not is_outside() then
    return sleep(seconds)
  elseif time > 0 then
    block({}, {}, time)
  end
end

return M
