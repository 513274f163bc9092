-- What a receive costs with few and with many messages waiting in the channel: channel.lua [MANY]
-- Both are measured by the same code: take a batch with the clock running, put as many back without it.

local cosock = require "cosock"
local socket = require "cosock.socket"

local FEW = 10
local MANY = tonumber(arg[1]) or 100000
local BATCH = 10 -- no more than FEW, for nobody waits here
local BATCHES = 10000
local REPETITIONS = 11

local function channel_holding(messages)
  local tx, rx = cosock.channel.new()
  for message = 1, messages do
    tx:send(message)
  end
  return tx, rx
end

-- Nanoseconds per receive.
local function measure(tx, rx)
  local spent = 0
  for _ = 1, BATCHES do
    local start = socket.gettime()
    for _ = 1, BATCH do
      rx:receive()
    end
    spent = spent + (socket.gettime() - start)
    for message = 1, BATCH do
      tx:send(message)
    end
  end
  return spent / (BATCHES * BATCH) * 1e9
end

local function median(numbers)
  table.sort(numbers)
  return numbers[math.ceil(#numbers / 2)]
end

cosock.spawn(function()
  local few_tx, few_rx = channel_holding(FEW)
  local many_tx, many_rx = channel_holding(MANY)
  local few, many, ratios = {}, {}, {}
  for repetition = 1, REPETITIONS do
    few[repetition] = measure(few_tx, few_rx)
    many[repetition] = measure(many_tx, many_rx)
    ratios[repetition] = many[repetition] / few[repetition]
  end
  print(("channel: %d receives, %d repetitions"):format(BATCHES * BATCH, REPETITIONS))
  print(("  ns per receive: %.0f with %d waiting, %.0f with %d"):format(median(few), FEW, median(many), MANY))
  -- The median sorts them.
  print(("  ratio: %.2f (%.2f-%.2f)"):format(median(ratios), ratios[1], ratios[REPETITIONS]))
end, "channel")

cosock.run()
