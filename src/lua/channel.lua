--- Channels: queues that carry values from task to task.

local require, native = ...

local tasks = require "cosock.task"
local waiting = require "cosock.waiting"

local yield = coroutine.yield
local park, wake, check_task = native.task.park, native.task.wake, native.task.check_task
local PARK, let_others_run = waiting.PARK, waiting.let_others_run

--- Stands for nil among the messages.
local NIL = {}

--- What both ends share.
---@class cosock.Link
---@field queue table  holds something if messages wait, nothing otherwise: `#queue > 0`
---@field closed boolean
---@field package messages table  the messages, from `first` to `last`
---@field package receivers table  who waits for messages, from `first_receiver` to `last_receiver`
---@field package woken integer  how many were woken and have not taken their message yet
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

--- Adds one who waits, behind the others.
function Link:enlist(receiving)
  local position = self.last_receiver + 1
  self.last_receiver = position
  self.receivers[position] = receiving
  receiving.position = position
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

--- Says that there is a message, to the one who has waited longest and to whoever set a waker.
function Link:notify()
  local receiving = self:next_receiver()
  if receiving then
    receiving:wake()
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
  local waker = self.waker
  if waker then
    waker()
  end
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

--- The sending end of a channel.
---@class cosock.Sender
---@field link cosock.Link
local Sender = {}
Sender.__index = Sender

--- Sends a message. Never waits.
---@param message any  nil included
---@return boolean sent
---@return string? error  "closed"
function Sender:send(message)
  local link = self.link
  if link.closed then
    return false, "closed"
  end
  link:push(message)
  link:notify()
  return true
end

--- Closes the channel. Messages that were sent can still be received.
function Sender:close()
  self.link:close()
end

--- The receiving end of a channel. Several tasks may receive: first come, first served.
---@class cosock.Receiver
---@field link cosock.Link
---@field timeout number?
local Receiver = {}
Receiver.__index = Receiver

--- Sets how long `receive` waits.
---@param seconds number?  nil for as long as it takes
function Receiver:settimeout(seconds)
  self.timeout = seconds
end

--- Takes the next message, waiting for one if there is none.
---
--- Raises if it has to wait outside a task.
---@return any message
---@return string? error  "closed", once all messages are received, or "timeout"
function Receiver:receive()
  let_others_run()
  local link = self.link
  if link.last - link.first >= link.woken then
    return link:pop()
  elseif link.closed then
    return nil, "closed"
  end
  check_task()
  local timeout = self.timeout
  if timeout and timeout < 0 then
    timeout = nil
  end
  local task = tasks.running
  local receiving = setmetatable({ link = link, task = task }, Receiving)
  link:enlist(receiving)
  task._wait = receiving
  park(timeout)
  yield(PARK)
  task._wait = nil
  receiving:leave()
  if not receiving.is_woken then
    return nil, "timeout"
  elseif link.first <= link.last then
    return link:pop()
  end
  return nil, "closed"
end

--- Closes the channel: sending fails from then on.
function Receiver:close()
  self.link:close()
end

--- Closes the channel if the sending end is garbage.
---@return boolean closed
function Receiver:close_if_orphaned()
  return self.link:close_if_orphaned()
end

--- The wait protocol: `waker` is called as soon as there is a message or the channel is closed.
---@param kind string  "recvr"
---@param waker function?  nil to be told no more
function Receiver:setwaker(kind, waker)
  if kind ~= "recvr" then
    error("a channel's receiving end can only be waited for to receive, not as '" .. tostring(kind) .. "'", 2)
  end
  local link = self.link
  link.waker = waker
  if waker and (link.first <= link.last or link.closed) then
    waker()
  end
end

local M = {}

--- Makes a channel.
---@return cosock.Sender
---@return cosock.Receiver
function M.new()
  local link = setmetatable({
    queue = {},
    closed = false,
    messages = {},
    first = 1,
    last = 0,
    receivers = {},
    first_receiver = 1,
    last_receiver = 0,
    woken = 0,
    ends = setmetatable({}, { __mode = "v" }),
  }, Link)
  local sender = setmetatable({ link = link }, Sender)
  local receiver = setmetatable({ link = link }, Receiver)
  link.ends.sender, link.ends.receiver = sender, receiver
  return sender, receiver
end

return M
