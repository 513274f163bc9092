-- settimeout and gettimeout, and how long each call waits under them.

local cosock = require "cosock"
local socket = require "cosock.socket"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

local pack, raised = peers.pack, peers.raised

local LONG = 60 -- seconds; a spec that waits this long has failed

-- Sockets of every kind, each about to wait in the call that comes with it, and what a timeout gives there. Of
-- `send` only the first two results are told, for the third depends on the system.
local waits = {
  {
    "receive", function()
      local client = peers.pair(socket)
      return client, function() return client:receive() end
    end, { n = 3, nil, "timeout", "" },
  },
  {
    "send", function()
      local client = peers.pair(socket)
      return client, function()
        local sent, err = client:send(peers.too_much)
        return sent, err
      end
    end, { n = 2, nil, "timeout" },
  },
  {
    "accept", function()
      local server = peers.server(socket)
      return server, function() return server:accept() end
    end, { n = 2, nil, "timeout" },
  },
  {
    "connect", function()
      local tcp, port = socket.tcp(), peers.unanswering_port(socket)
      return tcp, function() return tcp:connect("127.0.0.1", port) end
    end, { n = 2, nil, "timeout" },
  },
  {
    "receive of UDP", function()
      local udp = peers.udp(socket)
      return udp, function() return udp:receive() end
    end, { n = 2, nil, "timeout" },
  },
  {
    "receivefrom", function()
      local udp = peers.udp(socket)
      return udp, function() return udp:receivefrom() end
    end, { n = 2, nil, "timeout" },
  },
}

-- Settings of the two timeouts that make a wait last 0.05 seconds.
local settings = {
  { "the block timeout alone", 0.05, -1 },
  { "the total timeout alone", -1, 0.05 },
  { "the smaller block timeout", 0.05, LONG },
  { "the smaller total timeout", LONG, 0.05 },
}

for place, it in peers.inside_and_outside(it) do
  describe("a wait " .. place, function()
    for _, wait in ipairs(waits) do
      local name, prepare, expected = wait[1], wait[2], wait[3]

      for _, setting in ipairs(settings) do
        it(("in %s is limited by %s"):format(name, setting[1]), function()
          local sock, call = prepare()
          sock:settimeout(setting[2], "b")
          sock:settimeout(setting[3], "t")
          local seconds = peers.seconds(function()
            assert.same(expected, pack(call()))
          end)
          assert.is_true(seconds >= 0.04)
          assert.is_true(seconds < LONG / 2)
        end)
      end

      it(("in %s does not happen with a block timeout of 0, whatever the total"):format(name), function()
        local sock, call = prepare()
        sock:settimeout(0)
        sock:settimeout(LONG, "t")
        local seconds = peers.seconds(function()
          assert.same(expected, pack(call()))
        end)
        assert.is_true(seconds < LONG / 2)
      end)

      it(("in %s ends at once with a total timeout of 0"):format(name), function()
        local sock, call = prepare()
        sock:settimeout(0, "t")
        local seconds = peers.seconds(function()
          assert.same(expected, pack(call()))
        end)
        assert.is_true(seconds < LONG / 2)
      end)
    end

    it("of less than a millisecond ends", function()
      local client = peers.pair(socket)
      client:settimeout(0.0005)
      assert.same({ n = 3, nil, "timeout", "" }, pack(client:receive()))
    end)

    it("does not happen when the data is there already", function()
      for _, limits in ipairs { { 0, -1 }, { -1, 0 }, { 0, 0 }, { 0.01, 0.01 } } do
        local receiver = peers.receiver(socket, "one\n")
        receiver:settimeout(limits[1], "b")
        receiver:settimeout(limits[2], "t")
        assert.equal("one", (receiver:receive()))
      end
    end)

    it("is counted anew by every call", function()
      local client = peers.pair(socket)
      client:settimeout(0.05, "t")
      for _ = 1, 3 do
        assert.is_true(peers.seconds(function()
          assert.same({ n = 3, nil, "timeout", "" }, pack(client:receive()))
        end) >= 0.04)
      end
    end)

    it("has no limit when the timeout is negative, huge or infinite", function()
      for _, limit in ipairs { -1, -0.001, 2 ^ 31, 2 ^ 53, math.huge } do
        local server, port = peers.server(socket)
        local program = peers.program_that_answers_one_line(port)
        server:settimeout(limit)
        local client = assert(server:accept())
        client:settimeout(limit, "t")
        client:send("hello\n")
        assert.equal("hello to you", (client:receive()))
        program:close()
      end
    end)
  end)
end

-- Lets `receiver` read a line of `count` bytes that its peer sends one by one, with a pause after each. The peer ends
-- when the receiver has. Returns what was read, and the longest time from one byte to the next.
local function receive_in_parts(receiver, peer, count, pause)
  local results
  local longest = 0
  run.tasks(function()
    for _ = 1, count do
      if not results then
        longest = math.max(longest, peers.seconds(function()
          peer:send(".")
          socket.sleep(pause)
        end))
      end
    end
    peer:send("\n")
  end, function()
    results = pack(receiver:receive())
  end)
  return results, longest
end

describe("data that comes in small parts", function()
  it("does not extend a block timeout that is alone: it is for the whole call", function()
    local client, peer = peers.pair(socket)
    client:settimeout(0.1)
    local results = receive_in_parts(client, peer, 100, 0.02)
    assert.equal("timeout", results[2])
    assert.matches("^%.*$", results[3])
  end)

  it("does not extend a total timeout", function()
    local client, peer = peers.pair(socket)
    client:settimeout(0.1, "t")
    client:settimeout(LONG, "b")
    local results = receive_in_parts(client, peer, 100, 0.02)
    assert.equal("timeout", results[2])
    assert.matches("^%.*$", results[3])
  end)

  it("extends a block timeout beside a total one: it is for each wait", function()
    local results, longest, seconds
    repeat -- on a busy machine one wait alone may last too long
      local client, peer = peers.pair(socket)
      client:settimeout(0.5, "b")
      client:settimeout(LONG, "t")
      seconds = peers.seconds(function()
        results, longest = receive_in_parts(client, peer, 30, 0.025)
      end)
    until longest < 0.25
    assert.same({ n = 3, ("."):rep(30), nil, nil }, results)
    assert.is_true(seconds >= 0.6) -- longer than the block timeout in all
  end)
end)

describe("a timeout inside a task", function()
  it("lets other tasks run meanwhile", function()
    local client = peers.pair(socket)
    client:settimeout(0.05)
    local turns, waiting = 0, true
    run.tasks(function()
      assert.same({ n = 3, nil, "timeout", "" }, pack(client:receive()))
      waiting = false
    end, function()
      while waiting do
        turns = turns + 1
        socket.sleep(0.001)
      end
    end)
    assert.is_true(turns > 1)
  end)

  it("that has passed leaves nothing behind that wakes the task later", function()
    local client, peer = peers.pair(socket)
    client:settimeout(0.02)
    run.tasks(function()
      assert.same({ n = 3, nil, "timeout", "" }, pack(client:receive()))
      cosock.spawn(function()
        peer:send("late\n")
      end)
      assert.is_true(peers.seconds(function()
        socket.sleep(0.05)
      end) >= 0.04)
      assert.equal("late", (client:receive()))
    end)
  end)

  it("of one of many sockets ends the wait for that one alone", function()
    local order = {}
    local tasks = {}
    for index, limit in ipairs { 0.15, 0.05, 0.1 } do
      local client = peers.pair(socket)
      client:settimeout(limit)
      tasks[index] = function()
        client:receive()
        order[#order + 1] = limit
      end
    end
    run.tasks(tasks[1], tasks[2], tasks[3])
    assert.same({ 0.05, 0.1, 0.15 }, order)
  end)
end)

-- Each class of socket that has settimeout.
local sockets = {
  ["tcp{master}"] = function() return socket.tcp() end,
  ["tcp{client}"] = function() return (peers.pair(socket)) end,
  ["tcp{server}"] = function() return (peers.server(socket)) end,
  ["udp{unconnected}"] = function() return socket.udp() end,
  ["udp{connected}"] = function() return (peers.udp_pair(socket)) end,
}

for class, new in pairs(sockets) do
  describe("settimeout of a " .. class, function()
    it("returns 1", function()
      assert.same({ n = 1, 1 }, pack(new():settimeout(5)))
    end)

    it("is without limits at first", function()
      assert.same({ n = 2, -1, -1 }, pack(new():gettimeout()))
    end)
  end)
end

describe("settimeout", function()
  -- The mode, the value, and what gettimeout gives after both were 7.
  for _, row in ipairs {
    { "sets the block timeout by default", nil, 3, { 3, 7 } },
    { "sets the block timeout with b", "b", 3, { 3, 7 } },
    { "looks only at the first letter of the mode", "block", 3, { 3, 7 } },
    { "sets the total timeout with t", "t", 3, { 7, 3 } },
    { "sets the total timeout with r", "r", 3, { 7, 3 } },
    { "sets the total timeout with total", "total", 3, { 7, 3 } },
    { "takes nil for no limit", "b", nil, { -1, 7 } },
    { "keeps negative values as they are", "b", -3, { -3, 7 } },
    { "keeps fractions", "t", 0.25, { 7, 0.25 } },
    { "takes a numeric string", "b", "1.5", { 1.5, 7 } },
  } do
    it(row[1], function()
      local tcp = socket.tcp()
      tcp:settimeout(7, "b")
      tcp:settimeout(7, "t")
      assert.equal(1, tcp:settimeout(row[3], row[2]))
      assert.same(row[4], { tcp:gettimeout() })
    end)
  end

  it("outlives the change from master to client", function()
    local _, port = peers.server(socket)
    local tcp = socket.tcp()
    tcp:settimeout(3)
    tcp:connect("127.0.0.1", port)
    assert.same({ 3, -1 }, { tcp:gettimeout() })
  end)

  for _, mode in ipairs { "x", "", "B", 5 } do
    it(("raises for the mode %q"):format(mode), function()
      assert.equal("bad argument #2 to 'settimeout' (invalid timeout mode)", raised(function()
        socket.tcp():settimeout(1, mode)
      end))
    end)
  end

  for title, value in pairs { ["text"] = "x", ["a boolean"] = true, ["a table"] = {} } do
    it("raises for " .. title .. " as the value", function()
      assert.equal(("bad argument #1 to 'settimeout' (number expected, got %s)"):format(type(value)), raised(function()
        socket.tcp():settimeout(value)
      end))
    end)
  end
end)
