--- What the two ends of a channel share: its messages, and who waits for them.

local _, native = ...

local wake = native.task.wake

--- Stands for nil among the messages.
local NIL = {}

--- What both ends share.
---@class cosock.Link
---@field queue table  holds something if messages wait, nothing otherwise: `#queue > 0`
---@field closed boolean
---@field package messages table  the messages: a ring of `room` places, `count` in use from `first` on
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

--- How many messages a channel has room for at first; more room is made when it is needed.
local ROOM = 8

--- Puts a message behind the others.
---@param message any
function Link:push(message)
  if self.count == self.room then
    self:grow()
  end
  local position = self.first + self.count
  if position > self.room then
    position = position - self.room
  end
  self.messages[position] = message == nil and NIL or message
  self.count = self.count + 1
  self.queue[1] = true
end

--- Doubles the room. The messages are a ring, so that no table is ever rehashed while they move
--- through it.
function Link:grow()
  local old, messages = self.messages, {}
  for index = 1, self.count do
    messages[index] = old[(self.first + index - 2) % self.room + 1]
  end
  for index = self.count + 1, 2 * self.room do
    messages[index] = false
  end
  self.messages, self.first, self.room = messages, 1, 2 * self.room
end

--- Takes the first message.
---@return any message
function Link:pop()
  local first = self.first
  local message = self.messages[first]
  self.messages[first] = false
  self.first = first < self.room and first + 1 or 1
  self.count = self.count - 1
  if self.count == 0 then
    self.queue[1] = nil
    if self.room > 1024 then
      self.messages, self.first, self.room = {}, 1, ROOM
    end
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
  return self.count > self.woken
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
    count = 0,
    room = ROOM,
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
