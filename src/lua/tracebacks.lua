--- Tracebacks for the handler of an `xpcall` that runs its function in a coroutine of its own (see
--- `cosock.protected`): the handler runs when that coroutine has failed, not on top of its stack, and
--- its tracebacks are to show that stack all the same.

local getinfo, standard = debug.getinfo, debug.traceback
local standard_pcall = pcall

local M = {}

--- The coroutines whose failure is being handled, the last one innermost.
---@type thread[]
local failed = {}

--- What a traceback says above its lines.
local HEADING = "stack traceback:"

--- Calls a handler.
---@param thread thread  the coroutine that failed
---@param handler fun(err: any): any
---@param err any
---@return boolean ok
---@return any result  the handler's first, or what it raised
function M.handle(thread, handler, err)
  local count = #failed + 1
  failed[count] = thread
  local ok, result = standard_pcall(handler == standard and M.traceback or handler, err)
  failed[count] = nil
  return ok, result
end

--- Adds lines of a traceback to `list`: of those that follow the heading, the first `most`.
local function append(list, traceback, most)
  for line in traceback:gmatch "\n(\t[^\n]*)" do
    if most == 0 then
      return
    end
    most = most - 1
    list[#list + 1] = line
  end
end

--- The level of `M.handle` and of the first function outside of its `xpcall`, as seen by the caller.
local function levels()
  local handle = 2
  local info = getinfo(handle, "f")
  while info and info.func ~= M.handle do
    handle = handle + 1
    info = getinfo(handle, "f")
  end
  local outside = handle
  repeat
    outside = outside + 1
    info = getinfo(outside, "S")
  until not info or info.what ~= "tail" and info.source ~= "=cosock.protected"
  return handle - 1, outside - 1
end

--- As `debug.traceback`. In the handler of an `xpcall` the stack goes on with the functions that failed.
---@param ... any  thread?, message?, level?
---@return any traceback
function M.traceback(...)
  local count, thread = select("#", ...), failed[#failed]
  if type((...)) == "thread" then
    return (standard(...))
  end
  local message, level = ...
  level = tonumber(level) or 1
  if count > 0 and type(message) ~= "string" and type(message) ~= "number" then
    return message
  end
  local handle, outside = levels()
  local text = count > 0 and message .. "\n" or ""
  if not thread or not getinfo(handle, "f") then
    return text .. standard("", level + 1):sub(2)
  end
  -- Between this function and `M.handle` there are the handler's own and `pcall`.
  local own = handle - 3
  local list = { HEADING }
  if level == 0 then
    list[2] = "\t[C]: in function 'traceback'"
    level = 1
  end
  append(list, standard("", level + 1), math.max(own - level + 1, 0))
  append(list, standard(thread, "", math.max(level - own - 1, 0)), -1)
  list[#list + 1] = "\t[C]: in function 'xpcall'"
  append(list, standard("", outside), -1)
  return text .. table.concat(list, "\n")
end

return M
