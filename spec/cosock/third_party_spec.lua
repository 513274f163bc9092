-- Objects that other libraries build on the wait protocol: a bounded channel and a bus.

local cosock = require "cosock"
local socket = require "cosock.socket"
local run = require "spec.support.run"

--- A queue that holds at most `limit` messages. Its two ends are wakeable, one in each direction.
local function bounded(limit)
  local queue, wakers = {}, {}
  local closed = false

  local function wake(kind)
    if wakers[kind] then
      wakers[kind]()
    end
  end

  local receiver = {}
  function receiver:setwaker(kind, waker)
    assert(self == receiver and kind == "recvr", "a receiver is waited for in the first list")
    assert(waker or wakers.recvr, "there is no waker to take back")
    wakers.recvr = waker
    if waker and (#queue > 0 or closed) then
      waker()
    end
  end
  function receiver:receive()
    while #queue == 0 do
      if closed then
        return nil, "closed"
      end
      socket.select({ self })
    end
    local value = table.remove(queue, 1)
    wake "sendr"
    return value
  end

  local sender = {}
  function sender:setwaker(kind, waker)
    assert(self == sender and kind == "sendr", "a sender is waited for in the second list")
    assert(waker or wakers.sendr, "there is no waker to take back")
    wakers.sendr = waker
    if waker and #queue < limit then
      waker()
    end
  end
  function sender:send(value, timeout)
    while #queue >= limit do
      local recvr, sendr, err = socket.select(nil, { self }, timeout)
      if not recvr and not sendr then
        return nil, err
      end
    end
    queue[#queue + 1] = value
    wake "recvr"
    return true
  end
  function sender.close()
    closed = true
    wake "recvr"
  end

  return sender, receiver, queue
end

--- Hands each message to every subscriber. A subscriber that leaves takes its waker along.
local function bus()
  local subscribers = {}

  local Subscriber = {}
  Subscriber.__index = Subscriber
  function Subscriber:setwaker(kind, waker)
    assert(kind == "recvr")
    assert((waker == nil) ~= (self.waker == nil), "a waker comes once and goes once")
    self.waker = waker
    if waker and (#self.queue > 0 or self.closed) then
      waker()
    end
  end
  function Subscriber:next(timeout)
    if #self.queue == 0 and not self.closed then
      local ready, _, err = coroutine.yield({ self }, {}, timeout)
      if not ready then
        return nil, err
      end
    end
    local message = table.remove(self.queue, 1)
    return message, not message and "closed" or nil
  end

  local function each(step)
    for _, subscriber in ipairs(subscribers) do
      step(subscriber)
      if subscriber.waker then
        subscriber.waker()
      end
    end
  end

  local self = {}
  function self.subscribe()
    local subscriber = setmetatable({ queue = {} }, Subscriber)
    subscribers[#subscribers + 1] = subscriber
    return subscriber
  end
  function self.publish(message)
    each(function(subscriber)
      subscriber.queue[#subscriber.queue + 1] = message
    end)
  end
  function self.close()
    each(function(subscriber)
      subscriber.closed = true
    end)
  end
  return self
end

describe("a bounded channel built on select", function()
  before_each(cosock.reset)

  it("hands over every message in order and never holds more than its limit", function()
    local sender, receiver, queue = bounded(3)
    local got, expected, most = {}, {}, 0
    run.tasks(function()
      for index = 1, 200 do
        expected[index] = index
        assert(sender:send(index))
        most = math.max(most, #queue)
      end
      sender.close()
    end, function()
      while true do
        local value, err = receiver:receive()
        if err then
          return
        end
        got[#got + 1] = value
      end
    end)
    assert.same(expected, got)
    assert.equal(3, most)
  end)

  it("lets a sender give up", function()
    local sender, receiver = bounded(1)
    local ok, err = run.task(function()
      sender:send "fills it"
      return sender:send("too much", 0.001)
    end)
    assert.is_nil(ok)
    assert.equal("timeout", err)
    assert.equal("fills it", run.task(receiver.receive, receiver))
  end)

  it("wakes a receiver that waits when it is closed", function()
    local sender, receiver = bounded(1)
    local err
    run.tasks(function()
      err = select(2, receiver:receive())
    end, sender.close)
    assert.equal("closed", err)
  end)
end)

describe("a bus built on the raw yield", function()
  before_each(cosock.reset)

  it("wakes all of its many subscribers with each message, and with its end", function()
    local center = bus()
    local SUBSCRIBERS, MESSAGES = 200, 5
    local received, ended = 0, 0
    for _ = 1, SUBSCRIBERS do
      local subscriber = center.subscribe()
      cosock.spawn(function()
        local expected = 1
        while true do
          local message, err = subscriber:next()
          if err then
            ended = ended + 1
            return
          end
          assert(message == expected)
          expected = expected + 1
          received = received + 1
        end
      end)
    end
    cosock.spawn(function()
      for index = 1, MESSAGES do
        center.publish(index)
        if index % 2 == 0 then
          socket.sleep(0)
        end
      end
      center.close()
    end)
    cosock.run()
    assert.equal(SUBSCRIBERS * MESSAGES, received)
    assert.equal(SUBSCRIBERS, ended)
  end)

  it("can be closed under subscribers that wait", function()
    local center = bus()
    local subscriber = center.subscribe()
    local err
    run.tasks(function()
      err = select(2, subscriber:next(10))
    end, center.close)
    assert.equal("closed", err)
    assert.is_nil(subscriber.waker)
  end)

  it("lets a subscriber give up and come back", function()
    local center = bus()
    local subscriber = center.subscribe()
    local first, second
    run.tasks(function()
      first = select(2, subscriber:next(0.001))
      second = subscriber:next()
    end, function()
      while not first do
        socket.sleep(0.001)
      end
      center.publish "welcome back"
    end)
    assert.equal("timeout", first)
    assert.equal("welcome back", second)
  end)
end)
