-- What other libraries read of a channel: its link and its queue; and what a long queue costs.

local channel = require "cosock.channel"
local cosock = require "cosock"
local run = require "spec.support.run"

describe("a channel's link", function()
  before_each(cosock.reset)

  it("is the same table at both ends", function()
    local tx, rx = channel.new()
    assert.is_table(tx.link)
    assert.equal(tx.link, rx.link)
    local other = channel.new()
    assert.not_equal(tx.link, other.link)
  end)

  it("tells whether messages wait", function()
    local tx, rx = channel.new()
    assert.is_false(#tx.link.queue > 0)
    tx:send "message"
    assert.is_true(#tx.link.queue > 0)
    assert.is_true(#rx.link.queue > 0)
    run.task(function()
      return rx:receive()
    end)
    assert.is_false(#tx.link.queue > 0)
  end)

  it("tells it for messages that are nil or false", function()
    for count = 1, 5 do
      local tx, rx = channel.new()
      for _ = 1, count do
        tx:send(nil)
        tx:send(false)
      end
      run.task(function()
        for _ = 1, 2 * count do
          assert.is_true(#rx.link.queue > 0)
          rx:receive()
        end
      end)
      assert.is_false(#rx.link.queue > 0)
    end
  end)

  it("tells it at every point of any sequence of sends and receives", function()
    local tx, rx = channel.new()
    -- A fixed sequence of pseudo-random numbers: the same on every interpreter and in every run.
    local state = 1
    local function random(limit)
      state = state * 16807 % 2147483647
      return state % limit
    end
    run.task(function()
      local sent, received = 0, 0
      for round = 1, 400 do
        for _ = 1, random(round % 40 + 1) do
          sent = sent + 1
          tx:send(sent)
          assert(#tx.link.queue > 0)
        end
        for _ = 1, math.min(sent - received, random(round % 40 + 2)) do
          received = received + 1
          local value = rx:receive()
          assert(value == received)
          assert((#rx.link.queue > 0) == (sent > received))
        end
      end
    end)
  end)
end)

describe("a channel with 100,000 messages", function()
  local MANY = 100000

  before_each(cosock.reset)

  it("hands them all over in order from a queue that holds them all", function()
    local tx, rx = channel.new()
    for index = 1, MANY do
      tx:send(index)
    end
    run.task(function()
      for index = 1, MANY do
        local value = rx:receive()
        if value ~= index then
          error(("message %d was %s"):format(index, tostring(value)))
        end
      end
    end)
    assert.is_false(#tx.link.queue > 0)
  end)

  it("hands them over one by one to a task that waits for each", function()
    local there_tx, there_rx = channel.new()
    local back_tx, back_rx = channel.new()
    local last
    run.tasks(function()
      for index = 1, MANY do
        there_tx:send(index)
        last = back_rx:receive()
      end
      there_tx:close()
    end, function()
      while true do
        local value, err = there_rx:receive()
        if err then
          return
        end
        back_tx:send(value)
      end
    end)
    assert.equal(MANY, last)
  end)

  it("gives back what they took", function()
    local tx, rx = channel.new()
    local function pass_through()
      run.task(function()
        for _ = 1, MANY do
          tx:send(true)
        end
        for _ = 1, MANY do
          rx:receive()
        end
      end)
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    local first = pass_through()
    for _ = 1, 3 do
      pass_through()
    end
    assert.is_true(pass_through() - first < 512)
  end)
end)
