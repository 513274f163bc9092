-- Channels: `require "cosock.channel"`.

local channel = require "cosock.channel"
local cosock = require "cosock"
local socket = require "cosock.socket"
local run = require "spec.support.run"

--- Receives until there is an error; returns the messages and the error.
local function drain(rx)
  local got = {}
  while true do
    local value, err = rx:receive()
    if err then
      return got, err
    end
    got[#got + 1] = value
  end
end

describe("a channel", function()
  local tx, rx

  before_each(function()
    cosock.reset()
    tx, rx = channel.new()
  end)

  after_each(function()
    tx:close()
    rx:close()
  end)

  it("hands over messages in the order in which they were sent", function()
    local got, expected = {}, {}
    run.tasks(function()
      got = drain(rx)
    end, function()
      for index = 1, 100 do
        expected[index] = index
        assert.is_true(tx:send(index))
        if index % 7 == 0 then
          socket.sleep(0)
        end
      end
      tx:close()
    end)
    assert.same(expected, got)
  end)

  it("keeps messages until somebody receives", function()
    tx:send "one"
    tx:send "two"
    local first, second = run.task(function()
      return rx:receive(), rx:receive()
    end)
    assert.equal("one", first)
    assert.equal("two", second)
  end)

  it("wakes a receiver that waits", function()
    local order = {}
    run.tasks(function()
      local value = rx:receive()
      order[#order + 1] = value
    end, function()
      order[#order + 1] = "sends"
      tx:send "received"
    end)
    assert.same({ "sends", "received" }, order)
  end)

  it("carries every kind of value, nil and false among them", function()
    local values = { n = 8, "text", 42, nil, false, true, {}, print, nil }
    run.tasks(function()
      for index = 1, values.n do
        assert.is_true(tx:send(values[index]))
      end
      tx:send()
    end, function()
      for index = 1, values.n + 1 do
        local value, err = rx:receive()
        assert.equal(values[index], value)
        assert.is_nil(err)
      end
    end)
  end)

  it("wakes a receiver that waits for a nil", function()
    local value, err = "untouched", "untouched"
    run.tasks(function()
      value, err = rx:receive()
    end, function()
      tx:send(nil)
    end)
    assert.is_nil(value)
    assert.is_nil(err)
  end)

  it("serves two receivers in the order in which they came", function()
    local order = {}
    local function receives(name)
      return function()
        for _ = 1, 2 do
          local value = rx:receive()
          order[#order + 1] = name .. " " .. value
        end
      end
    end
    run.tasks(receives "a", receives "b", function()
      for index = 1, 4 do
        tx:send(index)
        socket.sleep(0)
      end
    end)
    assert.same({ "a 1", "b 2", "a 3", "b 4" }, order)
  end)

  it("wakes one receiver for each message sent in one turn", function()
    local got = {}
    local function receives()
      local value = rx:receive()
      got[#got + 1] = value
    end
    run.tasks(receives, receives, receives, function()
      tx:send(1)
      tx:send(2)
      tx:send(3)
    end)
    table.sort(got)
    assert.same({ 1, 2, 3 }, got)
  end)

  it("gives one message to one receiver, and the other keeps waiting", function()
    local got = {}
    rx:settimeout(0.01)
    local function receives()
      local value, err = rx:receive()
      got[#got + 1] = value or err
    end
    run.tasks(receives, receives, function()
      tx:send "message"
    end)
    assert.same({ "message", "timeout" }, got)
  end)

  it("gives the message to the next receiver when the one it woke is cancelled", function()
    local got
    local first = cosock.spawn(function()
      rx:receive()
    end)
    cosock.spawn(function()
      got = rx:receive()
    end)
    cosock.spawn(function()
      tx:send "not lost"
      first:cancel()
    end)
    cosock.run()
    assert.equal("not lost", got)
  end)

  it("has several senders, each with its own order", function()
    local got
    local function sends(name)
      return function()
        for index = 1, 3 do
          tx:send(name .. index)
          socket.sleep(0)
        end
      end
    end
    run.tasks(sends "a", sends "b", function()
      got = {}
      for index = 1, 6 do
        got[index] = rx:receive()
      end
    end)
    assert.equal(6, #got)
    local positions = {}
    for index, name in ipairs(got) do
      positions[name] = index
    end
    assert.is_true(positions.a1 < positions.a2 and positions.a2 < positions.a3)
    assert.is_true(positions.b1 < positions.b2 and positions.b2 < positions.b3)
  end)
end)

describe("closing a channel", function()
  local tx, rx

  before_each(function()
    cosock.reset()
    tx, rx = channel.new()
  end)

  it("lets the messages sent before be received", function()
    tx:send "one"
    tx:send(nil)
    tx:send "three"
    tx:close()
    local values = run.task(function()
      return { { rx:receive() }, { rx:receive() }, { rx:receive() }, { rx:receive() }, { rx:receive() } }
    end)
    assert.same({ { "one" }, {}, { "three" }, { nil, "closed" }, { nil, "closed" } }, values)
  end)

  it("at the sender's side wakes a receiver that waits", function()
    local value, err
    run.tasks(function()
      value, err = rx:receive()
    end, function()
      tx:close()
    end)
    assert.is_nil(value)
    assert.equal("closed", err)
  end)

  it("at the sender's side wakes every receiver that waits", function()
    local closed = 0
    local function receives()
      if select(2, rx:receive()) == "closed" then
        closed = closed + 1
      end
    end
    run.tasks(receives, receives, receives, function()
      tx:close()
    end)
    assert.equal(3, closed)
  end)

  it("at the sender's side wakes a receiver that waits in select", function()
    local recvr, err
    run.tasks(function()
      recvr = socket.select({ rx }, nil, 10)
      err = select(2, rx:receive())
    end, function()
      tx:close()
    end)
    assert.equal(rx, recvr[1])
    assert.equal("closed", err)
  end)

  it("at the receiver's side wakes a receiver that waits", function()
    local err
    run.tasks(function()
      err = select(2, rx:receive())
    end, function()
      rx:close()
    end)
    assert.equal("closed", err)
  end)

  it("at either side ends sending", function()
    tx:close()
    assert.same({ false, "closed" }, { tx:send "late" })
    local other_tx, other_rx = channel.new()
    other_rx:close()
    assert.same({ false, "closed" }, { other_tx:send "late" })
  end)

  it("may happen twice", function()
    for _ = 1, 2 do
      tx:close()
      rx:close()
    end
  end)
end)

describe("a channel's timeout", function()
  local tx, rx

  before_each(function()
    cosock.reset()
    tx, rx = channel.new()
  end)

  after_each(function()
    tx:close()
  end)

  it("ends a receive that got nothing", function()
    rx:settimeout(0.02)
    local value, err, elapsed = run.task(function()
      local start = socket.gettime()
      local value, err = rx:receive()
      return value, err, socket.gettime() - start
    end)
    assert.is_nil(value)
    assert.equal("timeout", err)
    assert.is_true(elapsed >= 0.018)
  end)

  it("holds for each receive anew", function()
    rx:settimeout(0.001)
    local log = run.task(function()
      local log = {}
      for index = 1, 3 do
        log[index] = select(2, rx:receive())
      end
      tx:send "still there"
      log[4] = rx:receive()
      return log
    end)
    assert.same({ "timeout", "timeout", "timeout", "still there" }, log)
  end)

  it("holds while other tasks are ready all the time", function()
    rx:settimeout(0.02)
    local err
    run.tasks(function()
      err = select(2, rx:receive())
    end, function()
      local turns = 0
      while not err and turns < 1e7 do
        turns = turns + 1
        socket.sleep(0)
      end
      tx:close()
    end)
    assert.equal("timeout", err)
  end)

  it("ends a receive whose messages another receiver takes", function()
    rx:settimeout(0.02)
    local ended = false
    local turns = 0
    run.tasks(function()
      rx:receive()
      ended = true
    end, function()
      while not ended and turns < 1e6 do
        turns = turns + 1
        tx:send "taken"
        rx:receive()
      end
      tx:close()
    end)
    assert.is_true(turns < 1e6)
  end)

  it("of zero takes what is there and waits for nothing", function()
    rx:settimeout(0)
    local err, value = run.task(function()
      local err = select(2, rx:receive())
      tx:send "there"
      return err, (rx:receive())
    end)
    assert.equal("timeout", err)
    assert.equal("there", value)
  end)

  it("is none after settimeout(nil)", function()
    rx:settimeout(0.001)
    rx:settimeout(nil)
    local value
    run.tasks(function()
      value = rx:receive()
    end, function()
      socket.sleep(0.02)
      tx:send "late"
    end)
    assert.equal("late", value)
  end)

  it("loses no message that arrives after it", function()
    rx:settimeout(0.001)
    local value = run.task(function()
      rx:receive()
      tx:send "next"
      return (rx:receive())
    end)
    assert.equal("next", value)
  end)
end)
