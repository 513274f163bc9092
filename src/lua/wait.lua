--- Waiting for any of several objects: the wait protocol.
---
--- An object can be waited for if it is a socket, or borrows one through a field `inner_sock`, or has
--- a method `setwaker(kind, waker)`: that is called with a function when the wait begins, and with nil
--- when it ends; calling the function says that the object is ready.

local require, native = ...

local links = require "cosock.link"
local waiting = require "cosock.waiting"

local scheduler = native.task
local clock, wake, is_socket = scheduler.clock, scheduler.wake, scheduler.is_socket
local poll, park_any = native.select.poll, native.select.park_any

local M = {}

--- One wait of a task.
---@class cosock.Wait
---@field package task cosock.Task
---@field package lists table[]  the objects to receive from and those to send to
---@field package sockets table[]  for each list, the sockets in it
---@field package owners table[]  for each socket, the object that stands for it
---@field package ready table[]  for each list, the set of objects that are ready
---@field package watched table<function, cosock.Link>  the wakers that channels were given
---@field package deadline number?  on the scheduler's clock
---@field package active boolean  whether it has not ended
local Wait = {}
Wait.__index = Wait

local KINDS = { "recvr", "sendr" }

--- What `object` offers to wait by.
---@return any socket  the socket itself, or the one it borrows
---@return boolean has_setwaker
local function inspect(object)
  if is_socket(object) then
    return object, false
  end
  local kind = type(object)
  if kind ~= "table" and kind ~= "userdata" then
    return nil, false
  end
  local borrowed = object.inner_sock
  return is_socket(borrowed) and borrowed or nil, object.setwaker ~= nil
end

--- Reads an argument that is a list of objects.
local function check_list(list, position)
  if list ~= nil and type(list) ~= "table" then
    error(("bad argument #%d to 'select' (table expected, got %s)"):format(position, type(list)), 0)
  end
  return list or {}
end

--- Reads an argument that is a time in seconds.
local function check_timeout(timeout)
  local seconds = tonumber(timeout)
  if timeout ~= nil and not seconds then
    error(("bad argument #3 to 'select' (number expected, got %s)"):format(type(timeout)), 0)
  end
  -- Negative, and not a number: no limit.
  return seconds and seconds >= 0 and seconds or nil
end

--- Begins a wait.
---
--- Raises, without a position, if an argument is wrong, and whatever a `setwaker` raises.
---@param task cosock.Task
---@param recvt table?  objects to receive from
---@param sendt table?  objects to send to
---@param timeout number?  seconds; nil or negative for no limit
---@return cosock.Wait
function M.new(task, recvt, sendt, timeout)
  local lists = { check_list(recvt, 1), check_list(sendt, 2) }
  local seconds = check_timeout(timeout)
  local self = setmetatable({
    task = task,
    lists = lists,
    sockets = { {}, {} },
    owners = { {}, {} },
    ready = { {}, {} },
    watched = {},
    deadline = seconds and clock() + seconds,
    active = true,
  }, Wait)
  local ok, err = pcall(self.subscribe, self)
  if not ok then
    self:release()
    error(err, 0)
  end
  return self
end

--- Tells every object to report when it is ready.
function Wait:subscribe()
  for list = 1, 2 do
    local kind = KINDS[list]
    for index, object in ipairs(self.lists[list]) do
      local socket, has_setwaker = inspect(object)
      if not socket and not has_setwaker then
        error(("bad argument #%d to 'select' (element %d cannot be waited for: %s without setwaker)"):format(
          list, index, type(object)), 0)
      end
      local link = list == 1 and links.of(object)
      if link then
        local waker = self:waker(list, object)
        self.watched[waker] = link
        link:watch(waker)
      elseif has_setwaker then
        object:setwaker(kind, self:waker(list, object))
      end
      if socket then
        local sockets = self.sockets[list]
        sockets[#sockets + 1] = socket
        self.owners[list][#sockets] = object
      end
    end
  end
end

--- The function by which an object says that it is ready.
function Wait:waker(list, object)
  return function()
    if self.active then
      self.ready[list][object] = true
      wake(self.task._id)
    end
  end
end

--- Marks the sockets that are ready now; those that were closed meanwhile count.
function Wait:look()
  if #self.sockets[1] == 0 and #self.sockets[2] == 0 then
    return
  end
  local readers, writers = poll(self.sockets[1], self.sockets[2], 0)
  if not readers then
    return
  end
  for list, positions in ipairs({ readers, writers }) do
    for _, position in ipairs(positions) do
      self:mark(list, position)
    end
    local open = self.open and self.open[list]
    for position, socket in ipairs(self.sockets[list]) do
      if open and open[position] and socket:getfd() < 0 then
        self:mark(list, position)
      end
    end
  end
end

--- Marks the object that a ready socket stands for.
function Wait:mark(list, position)
  local object = self.owners[list][position]
  if object ~= self.sockets[list][position] and object._wake then
    -- It borrowed the socket, and wants to hear of it.
    object:_wake(KINDS[list])
  end
  self.ready[list][object] = true
end

--- The objects that are ready, in the order of the list.
function Wait:collect(list)
  local found, seen = {}, {}
  for _, object in ipairs(self.lists[list]) do
    if self.ready[list][object] and not seen[object] then
      seen[object] = true
      found[#found + 1] = object
    end
  end
  return found
end

--- Finds out whether the wait is over; if not, parks the task.
---@param timed_out boolean?  whether the task was resumed because its patience ended
---@return boolean done
---@return table? recvr  what is ready to receive from
---@return table? sendr  what is ready to send to
---@return string? error  "timeout", or why the wait is impossible
function Wait:advance(timed_out)
  self:look()
  if next(self.ready[1]) or next(self.ready[2]) then
    self:release()
    return true, self:collect(1), self:collect(2)
  end
  local left = self.deadline and self.deadline - clock()
  if timed_out or left and left <= 0 then
    self:release()
    return true, nil, nil, "timeout"
  end
  self:note_open_sockets()
  local parked, err = park_any(self.sockets[1], self.sockets[2], left, self.task._id)
  if not parked then
    self:release()
    return true, nil, nil, err
  end
  self.task._wait = self
  return false
end

--- Remembers which sockets are open, to notice those that are closed meanwhile.
function Wait:note_open_sockets()
  if self.open then
    return
  end
  self.open = { {}, {} }
  for list = 1, 2 do
    for position, socket in ipairs(self.sockets[list]) do
      self.open[list][position] = socket:getfd() >= 0
    end
  end
end

--- Ends the wait: no object will be asked to report any more.
function Wait:release()
  if not self.active then
    return
  end
  self.active = false
  if self.task._wait == self then
    self.task._wait = nil
  end
  for list = 1, 2 do
    for _, object in ipairs(self.lists[list]) do
      local _, has_setwaker = inspect(object)
      if has_setwaker and not (list == 1 and links.of(object)) then
        object:setwaker(KINDS[list], nil)
      end
    end
  end
  for waker, link in pairs(self.watched) do
    link:unwatch(waker)
  end
end

--- How many objects it is for.
---@return integer recvt
---@return integer sendt
function Wait:counts()
  return #self.lists[1], #self.lists[2]
end

--- What it is for, in words.
---@return string
function Wait:describe()
  local parts = {}
  for list, purpose in ipairs({ "to receive from ", "to send to " }) do
    local names = {}
    for _, object in ipairs(self.lists[list]) do
      names[#names + 1] = tostring(object)
    end
    if #names > 0 then
      parts[#parts + 1] = purpose .. table.concat(names, ", ")
    end
  end
  return #parts > 0 and table.concat(parts, " or ") or "for nothing at all"
end

--- Closes what only garbage could have reported.
---@return boolean closed
function Wait:close_orphans()
  local closed = false
  for _, object in ipairs(self.lists[1]) do
    if type(object) == "table" and type(object.close_if_orphaned) == "function" then
      closed = object:close_if_orphaned() or closed
    end
  end
  return closed
end

--- Waits, in the running task, for any of several objects.
---@param task cosock.Task
---@param recvt table?
---@param sendt table?
---@param timeout number?
---@return table? recvr
---@return table? sendr
---@return string? error
function M.wait(task, recvt, sendt, timeout)
  local self = M.new(task, recvt, sendt, timeout)
  local done, recvr, sendr, err = self:advance(false)
  while not done do
    done, recvr, sendr, err = self:advance(coroutine.yield(waiting.PARK))
  end
  return recvr, sendr, err
end

return M
