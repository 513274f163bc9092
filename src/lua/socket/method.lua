--- Methods that objects of several families have and that wait in the task. Each is made of a native function
--- that tries once; or is that function, where it waits by itself (`native.waits`).

local require, native = ...

local exhaustion = require "cosock.socket.exhaustion"
local waiting = require "cosock.waiting"

local yield = coroutine.yield
local in_task, park = native.task.in_task, native.task.park
local attempt, PARK = waiting.attempt, waiting.PARK

--- How long an `accept` waits in vain for want of descriptors, in seconds: programs accept in a loop,
--- and would do nothing else until somebody closes one.
local EXHAUSTED_PAUSE = 0.05

local M = {}

--- Makes the method that receives from a stream by a pattern, waiting until there is enough.
---@param try function
---@return fun(self: any, pattern?: string|integer, prefix?: string, most?: integer): string?, string?, string?
function M.receive(try)
  if native.waits then
    return try
  end
  return function(self, pattern, prefix, most)
    local data, err, partial, blocked
    if prefix == nil and most == nil then
      -- Native functions take their time to look at an argument, though it be nil.
      data, err, partial, blocked = try(self, pattern)
    else
      data, err, partial, blocked = try(self, pattern, prefix, most)
    end
    while data == nil and err == nil do
      if not blocked then
        yield(PARK)
      end
      data, err, partial, blocked = try(self, pattern, prefix, most, partial)
    end
    return data, err, partial
  end
end

--- Makes the method that sends a string, or bytes `i` to `j` of it, to a stream. It returns when all are out.
---@param try function
---@return fun(self: any, data: string|number, i?: integer, j?: integer): integer?, string?, integer?
function M.send(try)
  if native.waits then
    return try
  end
  return function(self, data, i, j)
    local last, err, began, blocked, sent
    if i == nil and j == nil then
      last, err, began, blocked, sent = try(self, data)
    else
      last, err, began, blocked, sent = try(self, data, i, j)
    end
    while last == nil and err == nil do
      if not blocked then
        yield(PARK)
      end
      last, err, began, blocked, sent = try(self, data, i, j, began, sent)
    end
    return last, err, began
  end
end

--- Makes a method that may open the socket's descriptor. It returns one value, or `nil, error`.
---@param try function
---@return function
function M.opening(try)
  return function(self, a, b, c)
    local value, err = attempt(try, self, a, b, c)
    if value == nil and exhaustion.collect(err) then
      value, err = attempt(try, self, a, b, c)
      exhaustion.settle(value)
    end
    if value == nil then
      return nil, err
    end
    return value
  end
end

--- Makes the method that waits for a connection.
---@param try function
---@return fun(self: any): any, string?
function M.accept(try)
  return function(self)
    local client, err, exhausted = attempt(try, self)
    if exhausted and exhaustion.collect(err) then
      client, err, exhausted = attempt(try, self)
      exhaustion.settle(client)
    end
    if client then
      return client
    elseif exhausted and in_task() then
      park(EXHAUSTED_PAUSE)
      yield(PARK)
    end
    return nil, err
  end
end

return M
