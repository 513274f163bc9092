--- Channels: queues that carry values from task to task.

local require, native = ...

local links = require "cosock.link"
local tasks = require "cosock.task"
local waiting = require "cosock.waiting"

local yield = coroutine.yield
local park = native.task.park
local current = tasks.current
local PARK, let_others_run = waiting.PARK, waiting.let_others_run

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
---
--- Raises if `seconds` is neither a number nor nil.
---@param seconds number?  nil for as long as it takes
function Receiver:settimeout(seconds)
  local timeout = tonumber(seconds)
  if seconds ~= nil and not timeout then
    error(("bad argument #1 to 'settimeout' (number expected, got %s)"):format(type(seconds)), 2)
  end
  self.timeout = timeout
end

--- Takes the next message, waiting for one if there is none.
---
--- Raises if it has to wait outside a task.
---@return any message
---@return string? error  "closed", once all messages are received, or "timeout"
function Receiver:receive()
  let_others_run()
  local link = self.link
  if link.count > link.woken then
    return link:pop()
  elseif link.closed then
    return nil, "closed"
  end
  local task = current()
  local timeout = self.timeout
  if timeout and timeout < 0 then
    timeout = nil
  end
  local receiving = link:enlist(task)
  task._wait = receiving
  park(timeout)
  yield(PARK)
  task._wait = nil
  receiving:leave()
  if not receiving.is_woken then
    return nil, "timeout"
  elseif link.count > 0 then
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
  self.link.waker = waker
  if waker and self.link:is_ready() then
    waker()
  end
end

local M = {}

--- Makes a channel.
---@return cosock.Sender
---@return cosock.Receiver
function M.new()
  local link = links.new()
  local sender = setmetatable({ link = link }, Sender)
  local receiver = setmetatable({ link = link }, Receiver)
  link.ends.sender, link.ends.receiver = sender, receiver
  return sender, receiver
end

return M
