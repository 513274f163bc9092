--- Scenarios for the oracle of what every connected byte stream does, whatever it is a stream of.
---
--- Each takes a function `receiver_of(socket, bytes)`, which gives a stream that receives, whose peer has sent those
--- bytes, and the peer.

local M = {}

-- What the peer sends in each of the scenarios of receive; the patterns are tried on all of them.
local inputs = {
  { "two lines", "first\nsecond\n" },
  { "lines with CR", "a\r\nb\rc\r\r\n\r\n" },
  { "a line without end", "no end" },
  { "only line ends", "\n\n\r\n" },
  { "binary bytes", "\0\1\255\n\0tail" },
  { "nothing", "" },
  { "more than one buffer", ("0123456789"):rep(1000) .. "\n" .. ("x"):rep(9000) },
}

local reads = {
  { "lines", { "*l" }, { "*l" }, { "*l" }, { "*l" } },
  { "lines by default", {}, { nil, "p" }, {}, {} },
  { "lines with a prefix", { "*l", ">" }, { "*l", "" }, { "*l", 5 }, { "*l", "x\r" } },
  { "everything", { "*a" }, { "*a" }, { "*l" } },
  { "everything with a prefix", { "*a", "<" }, { "*a", "<" } },
  { "counts", { 1 }, { 2.9 }, { "3" }, { "0x2" }, { 0 }, { 20000 }, { 1 } },
  { "counts with a prefix", { 3, "ab" }, { 2, "ab" }, { 1, "abc" }, { 0, "a" }, { 0, "" }, { 20000, "xyz" } },
  { "a mixture", { 2 }, { "*l" }, { "*a" }, { 0 } },
}

-- Sends the bytes, closes, and reads until there is nothing left.
local function reading(receiver_of, bytes, calls)
  return function(socket, record)
    local receiver, sender = receiver_of(socket, bytes)
    sender:close()
    for index = 2, #calls do
      record:method(receiver, "receive", calls[index][1], calls[index][2])
    end
    record:method(receiver, "dirty")
    receiver:close()
  end
end

-- Reads with the connection still open and no patience.
local function reading_impatiently(receiver_of, bytes, calls)
  return function(socket, record)
    local receiver, sender = receiver_of(socket, bytes)
    receiver:settimeout(0.002)
    for index = 2, #calls do
      record:method(receiver, "receive", calls[index][1], calls[index][2])
    end
    record:method(receiver, "dirty")
    sender:close()
    receiver:close()
  end
end

local function counting(receiver_of)
  return function(socket, record)
    local receiver, sender = receiver_of(socket, "one\r\ntwo\r\nthree")
    record:method(receiver, "receive", "*l")
    record:method(receiver, "getstats")
    record:method(receiver, "dirty")
    record:method(receiver, "receive", 2)
    record:method(receiver, "getstats")
    record:method(sender, "getstats")
    record:method(receiver, "setstats", 100, 200)
    record:method(receiver, "receive", "*l")
    record:method(receiver, "send", "abc", 2)
    record:method(receiver, "getstats")
    sender:close()
    receiver:close()
  end
end

local function sending_ranges(receiver_of)
  return function(socket, record)
    local receiver, sender = receiver_of(socket, "")
    local ranges = { {}, { 2 }, { 2, 4 }, { -3 }, { -3, -2 }, { 0, 0 }, { 7 }, { 3, 1 }, { 1.9, 2.9 }, { -100, 100 } }
    for _, range in ipairs(ranges) do
      record:method(sender, "send", "abcdef", range[1], range[2])
      record:method(sender, "send", "\n")
      record:method(receiver, "receive")
    end
    record:method(sender, "send", 3.25)
    record:method(sender, "send", 12, 2)
    sender:close()
    record:method(receiver, "receive", "*a")
    receiver:close()
  end
end

local function after_the_peer_closed(receiver_of)
  return function(socket, record)
    local receiver, sender = receiver_of(socket, "tail")
    sender:close()
    record:method(receiver, "receive")
    record:method(receiver, "receive")
    record:method(receiver, "receive", 5)
    record:method(receiver, "receive", "*a")
    record:method(receiver, "receive", 0)
    record:method(receiver, "shutdown")
    record:method(receiver, "send", "x")
    record:method(receiver, "close")
    record:method(receiver, "close")
    record:value("class", receiver.class)
  end
end

local function half_closed(receiver_of)
  return function(socket, record)
    local receiver, sender = receiver_of(socket, "request\n")
    record:method(sender, "shutdown", "send")
    record:method(sender, "send", "more")
    record:method(receiver, "receive", "*a")
    record:method(receiver, "receive", "*a")
    record:method(receiver, "send", "answer\n")
    record:method(sender, "receive")
    record:method(receiver, "shutdown", "receive")
    record:method(receiver, "receive")
    sender:close()
    receiver:close()
  end
end

--- Receiving by every pattern, to the end and with the connection still open.
---@param receiver_of fun(socket: any, bytes: string): table, table
---@return table[] scenarios  `{ title, scenario }` each
function M.receiving(receiver_of)
  local scenarios = {}
  for _, input in ipairs(inputs) do
    local name, bytes = input[1], input[2]
    for _, calls in ipairs(reads) do
      scenarios[#scenarios + 1] = {
        ("reads %s from %s"):format(calls[1], name), reading(receiver_of, bytes, calls),
      }
      if bytes ~= "" and #bytes < 1000 then -- so that all has arrived when the first byte has
        scenarios[#scenarios + 1] = {
          ("reads %s from %s and runs out of time"):format(calls[1], name),
          reading_impatiently(receiver_of, bytes, calls),
        }
      end
    end
  end
  return scenarios
end

--- What else a connection does.
---@param receiver_of fun(socket: any, bytes: string): table, table
---@return table[] scenarios  `{ title, scenario }` each
function M.talking(receiver_of)
  return {
    { "counts its bytes", counting(receiver_of) },
    { "sends parts of strings", sending_ranges(receiver_of) },
    { "goes on after the peer has closed", after_the_peer_closed(receiver_of) },
    { "can be closed in one direction", half_closed(receiver_of) },
  }
end

return M
