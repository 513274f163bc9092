--- Channels: queues that carry values from task to task.

local require, native = ...

local tasks = require "cosock.task"
local waiting = require "cosock.waiting"

local yield = coroutine.yield
local park, wake, check_task, clock = native.task.park, native.task.wake, native.task.check_task, native.task.clock
local PARK, let_others_run = waiting.PARK, waiting.let_others_run

--- Stands for nil among the messages.
local NIL = {}

--- What both ends share.
---@class cosock.Link
---@field queue table  holds something if messages wait, nothing otherwise: `#queue > 0`
---@field closed boolean
---@field package messages table  the messages, from `first` to `last`
---@field package receivers table  who waits for messages, from `first_receiver` to `last_receiver`
---@field package ends table  the two ends, held weakly
local Link = {}
Link.__index = Link

--- One who waits for a message: a task, or an object's waker.
---@class cosock.Receiving
---@field package link cosock.Link
---@field package position integer
---@field package task cosock.Task?
---@field package waker function?
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

--- Says that there is a message: to all who only look, up to one who takes it.
function Link:notify()
  local receiving = self:next_receiver()
  while receiving do
    receiving:wake()
    if receiving.task then
      return
    end
    receiving = self:next_receiver()
  end
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

--- Whether nobody can send any more because the sending end is garbage.
---@return boolean
function Link:is_orphaned()
  return not self.closed and self.ends.sender == nil
end

function Receiving:wake()
  if self.task then
    wake(self.task._id)
  else
    self.waker()
  end
end

function Receiving:release()
  local link = self.link
  if link.receivers[self.position] == self then
    link.receivers[self.position] = nil
  end
end

function Receiving:counts() -- luacheck: ignore 212
  return 1, 0
end

function Receiving:describe()
  return ("for a message on channel %s"):format(tostring(self.link):match("0x%x+") or "?")
end

function Receiving:is_orphaned()
  return self.link:is_orphaned()
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
  if link.last_receiver > 0 then
    link:notify()
  end
  local waker = link.waker
  if waker then
    waker()
  end
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
  if link.first <= link.last and link.last_receiver == 0 then
    return link:pop()
  end
  local deadline, receiving
  while true do
    if link.first <= link.last then
      if receiving and link.first < link.last and link.last_receiver > 0 then
        -- More messages than this one: the next in line need not wait for another to be sent.
        local message = link:pop()
        link:notify()
        return message
      end
      return link:pop()
    elseif link.closed then
      return nil, "closed"
    end
    check_task()
    local timeout = self.timeout
    if timeout and not deadline then
      deadline = clock() + timeout
    end
    local left = deadline and deadline - clock()
    if left and left <= 0 then
      return nil, "timeout"
    end
    local task = tasks.running
    receiving = setmetatable({ link = link, task = task }, Receiving)
    link:enlist(receiving)
    task._wait = receiving
    park(left)
    yield(PARK)
    task._wait = nil
    receiving:release()
  end
end

--- Closes the channel: sending fails from then on.
function Receiver:close()
  self.link:close()
end

--- Whether nobody can send any more because the sending end is garbage.
---@return boolean
function Receiver:is_orphaned()
  return self.link:is_orphaned()
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
    ends = setmetatable({}, { __mode = "v" }),
  }, Link)
  local sender = setmetatable({ link = link }, Sender)
  local receiver = setmetatable({ link = link }, Receiver)
  link.ends.sender, link.ends.receiver = sender, receiver
  return sender, receiver
end

return M
