--- Functions to be called at a time.

local _, native = ...

local scheduler = native.task

local M = {}

--- What each alarm is for, by its id.
---@type table<integer, {callback: function, ref: any}>
local alarms = {}
--- The alarm of each reference.
---@type table<any, integer>
local by_ref = {}

--- Has `callback` called by the loop in `seconds` from now, once. It must not wait.
---
--- Raises if an argument is of the wrong type.
---@param seconds number
---@param callback fun()
---@param ref? any  what to cancel it by; setting another with the same one cancels this
function M.set(seconds, callback, ref)
  if type(seconds) ~= "number" then
    error(("bad argument #1 to 'set' (number expected, got %s)"):format(type(seconds)), 2)
  elseif type(callback) ~= "function" then
    error(("bad argument #2 to 'set' (function expected, got %s)"):format(type(callback)), 2)
  end
  M.cancel(ref)
  local alarm = scheduler.set_alarm(seconds)
  if not alarm then
    return -- so far off that it never comes
  end
  alarms[alarm] = { callback = callback, ref = ref }
  if ref ~= nil then
    by_ref[ref] = alarm
  end
end

--- Cancels what was set with this reference, if it has not been called yet.
---@param ref any
function M.cancel(ref)
  local alarm = ref ~= nil and by_ref[ref]
  if alarm then
    local entry = alarms[alarm]
    if entry and entry.ref == ref then -- else the id is another one's by now
      scheduler.cancel_alarm(alarm)
      alarms[alarm] = nil
    end
    by_ref[ref] = nil
  end
end

--- Calls what an alarm is for.
---@param alarm integer
function M.fire(alarm)
  local entry = alarms[alarm]
  if not entry then
    return -- an error came between in `set`, as from a signal's hook
  end
  alarms[alarm] = nil
  if entry.ref ~= nil and by_ref[entry.ref] == alarm then
    by_ref[entry.ref] = nil
  end
  entry.callback()
end

--- Calls everything that is due. The loop does so by itself.
---@return number? seconds  until the next one; nil if there is none
function M.run()
  local alarm = scheduler.next_alarm()
  while alarm do
    M.fire(alarm)
    alarm = scheduler.next_alarm()
  end
  return scheduler.next_alarm_in()
end

return M
