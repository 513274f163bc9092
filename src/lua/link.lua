--- What the two ends of a channel share: its messages, and who waits for them.

local _, native = ...

local wake = native.task.wake

--- Stands for nil among the messages.
local NIL = {}

--- What both ends share.
---@class cosock.Link
---@field queue table  holds something if messages wait, nothing otherwise: `#queue > 0`
---@field closed boolean
---@field package messages table  the messages, from `first` to `last`
---@field package receivers table  who waits for messages, from `first_receiver` to `last_receiver`
---@field package woken integer  how many were woken and have not taken their message yet
---@field package wakers table<function, true>  to be called when there is a message
---@field package waker function?  likewise, set by `setwaker`
---@field package ends table  the two ends, held weakly
local Link = {}
Link.__index = Link

--- A task that waits for a message.
---@class cosock.Receiving
---@field package link cosock.Link
---@field package position integer
---@field package task cosock.Task
---@field package is_woken boolean?
local Receiving = {}
Receiving.__index = Receiving

function Link:push(message)
  local last = self.last + 1
  self.last = last
  self.messages[last] = message == nil and NIL or message
  self.queue[1] = true
end

function Link:pop()
  local first = self.first
  local message = self.messages[first]
  self.messages[first] = nil
  if first == self.last then
    self.first, self.last = 1, 0
    self.queue[1] = nil
  else
    self.first = first + 1
  end
  if message == NIL then
    return nil
  end
  return message
end

--- Puts a task that waits for a message behind the others.
---@param task cosock.Task
---@return cosock.Receiving
function Link:enlist(task)
  local position = self.last_receiver + 1
  local receiving = setmetatable({ link = self, task = task, position = position }, Receiving)
  self.last_receiver = position
  self.receivers[position] = receiving
  return receiving
end

--- The one who has waited longest, who waits no more.
function Link:next_receiver()
  local receivers = self.receivers
  for position = self.first_receiver, self.last_receiver do
    local receiving = receivers[position]
    if receiving then
      receivers[position] = nil
      self.first_receiver = position + 1
      return receiving
    end
  end
  self.first_receiver, self.last_receiver = 1, 0
end

--- Says that there is a message: to the task that has waited longest to take one, and to all who
--- only look.
function Link:notify()
  local receiving = self:next_receiver()
  if receiving then
    receiving:wake()
  end
  self:call_wakers()
end

--- Calls every waker.
function Link:call_wakers()
  for waker in pairs(self.wakers) do
    waker()
  end
  local waker = self.waker
  if waker then
    waker()
  end
end

--- Whether there is a message that nobody was woken for.
---@return boolean
function Link:has_spare_message()
  return self.last - self.first >= self.woken
end

--- Closes both ends and wakes all who wait.
function Link:close()
  self.closed = true
  local receiving = self:next_receiver()
  while receiving do
    receiving:wake()
    receiving = self:next_receiver()
  end
  self:call_wakers()
end

--- Closes the channel if the sending end is garbage, so that nobody can send any more.
---@return boolean closed
function Link:close_if_orphaned()
  local orphaned = not self.closed and self.ends.sender == nil
  if orphaned then
    self:close()
  end
  return orphaned
end

--- Makes the task ready: a message is its own from now on.
function Receiving:wake()
  self.is_woken = true
  self.link.woken = self.link.woken + 1
  wake(self.task._id)
end

--- Takes it out of the line, or gives back the message that it was woken for.
function Receiving:leave()
  local link = self.link
  if self.is_woken then
    link.woken = link.woken - 1
  else
    link.receivers[self.position] = nil
  end
end

--- The task ended while it waited.
function Receiving:release()
  self:leave()
  if self.is_woken and self.link:has_spare_message() then
    self.link:notify()
  end
end

function Receiving:counts() -- luacheck: ignore 212
  return 1, 0
end

function Receiving:describe()
  return ("for a message on channel %s"):format(tostring(self.link):match("0x%x+") or "?")
end

--- Closes what only garbage could have sent to.
---@return boolean closed
function Receiving:close_orphans()
  return self.link:close_if_orphaned()
end

--- Whether receiving would not wait.
---@return boolean
function Link:is_ready()
  return self.closed or self:has_spare_message()
end

--- Has `waker` called as soon as receiving would not wait. Several may watch.
---@param waker function
function Link:watch(waker)
  self.wakers[waker] = true
  if self:is_ready() then
    waker()
  end
end

--- Calls it no more.
---@param waker function
function Link:unwatch(waker)
  self.wakers[waker] = nil
end

local M = {}

--- Makes a link whose `ends` the caller fills.
---@return cosock.Link
function M.new()
  return setmetatable({
    queue = {},
    closed = false,
    messages = {},
    first = 1,
    last = 0,
    receivers = {},
    first_receiver = 1,
    last_receiver = 0,
    woken = 0,
    wakers = {},
    ends = setmetatable({}, { __mode = "v" }),
  }, Link)
end

--- The link of which `object` is the receiving end, if it is one.
---@param object any
---@return cosock.Link?
function M.of(object)
  local link = type(object) == "table" and rawget(object, "link")
  if link and getmetatable(link) == Link and link.ends.receiver == object then
    return link
  end
end

return M
