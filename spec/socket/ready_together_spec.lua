-- Tasks whose sockets become ready at the same time: what has arrived for the later ones may be received before they
-- go on, and nobody must notice.

local cosock = require "cosock"
local socket = require "cosock.socket"
local Generator = require "spec.support.generator"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

local pack = peers.pack

-- Starts a reader for each of two connections, which both get a line once they wait, in one look of the loop. The one
-- that is served first must be `readers[1]`; it then does `first(sockets, readers)`. Returns what the other got, if
-- anything, and what `first` returned; nothing if they were served the other way round.
local function served_in_turn(lines, first, reversed)
  local sockets, senders, readers, results = {}, {}, {}, {}
  for index = 1, 2 do
    sockets[index], senders[index] = peers.pair(socket)
  end
  local function send(index)
    if type(lines[index]) == "string" then
      senders[index]:send(lines[index] .. "\n")
    else
      lines[index](senders[index])
    end
  end
  run.tasks(function()
    readers[1] = cosock.spawn(function()
      assert.equal(lines[1], sockets[1]:receive())
      if not results.second then
        results.first = pack(first(sockets, readers))
      end
    end, "first reader")
    readers[2] = cosock.spawn(function()
      results.second = pack(sockets[2]:receive())
    end, "second reader")
    socket.sleep(0)
    socket.sleep(0)
    send(reversed and 2 or 1)
    send(reversed and 1 or 2)
  end)
  return results.second, results.first
end

-- The system decides in which order it reports them: mostly that of their arrival.
local function two_readers(lines, first)
  for _, reversed in ipairs { false, true } do
    local second, outcome = served_in_turn(lines, first, reversed)
    if outcome then
      return second, outcome
    end
  end
  error "the second reader was served first, in whatever order they were sent something"
end

describe("of two tasks that are ready, the first", function()
  it("may leave the other one alone", function()
    assert.same(pack("two", nil, nil), (two_readers({ "one", "two" }, function() end)))
  end)

  it("may cancel the other one, and receive in its place", function()
    local second, first = two_readers({ "one", "two" }, function(sockets, readers)
      readers[2]:cancel()
      return sockets[2]:receive()
    end)
    assert.same(pack("two", nil, nil), first)
    assert.is_nil(second)
  end)

  it("may cancel the other one, whose socket is then as ready as before", function()
    local second, first = two_readers({ "one", "two" }, function(sockets, readers)
      readers[2]:cancel()
      local readable = socket.select({ sockets[2] }, nil, 0)
      return readable[1] == sockets[2], sockets[2]:receive()
    end)
    assert.same(pack(true, "two", nil, nil), first)
    assert.is_nil(second)
  end)

  it("may close the other one's socket", function()
    local second = two_readers({ "one", "two" }, function(sockets)
      sockets[2]:close()
    end)
    assert.same({ nil, "closed" }, { second[1], second[2] })
  end)

  it("may forget both, and have the garbage collected", function()
    local second = two_readers({ "one", "two" }, function(sockets, readers)
      readers[2]:cancel()
      sockets[2], readers[2] = nil, nil
      collectgarbage()
      collectgarbage()
    end)
    assert.is_nil(second)
  end)

  it("does not keep the other one from its end, or from a connection that was reset", function()
    for _, option in ipairs { false, { on = true, timeout = 0 } } do
      local second = two_readers({ "one", function(sender)
        if option then
          sender:setoption("linger", option)
        end
        sender:close()
      end }, function() end)
      assert.same(pack(nil, "closed", ""), second)
    end
  end)

  it("may take so long that the time of the other one is up, which still gets what has arrived", function()
    local one, one_sender = peers.pair(socket)
    local other, other_sender = peers.pair(socket)
    local received
    run.tasks(function()
      one:receive()
      other_sender:send("lf\n")
      local began = os.clock()
      repeat until os.clock() - began > 0.25
    end, function()
      other:settimeout(0.2)
      received = pack(other:receive())
    end, function()
      socket.sleep(0)
      one_sender:send("\n")
      other_sender:send("ha")
    end)
    assert.same(pack("half", nil, nil), received)
  end)

  it("may cancel the other one, for whose socket another task then waits", function()
    local second, first = two_readers({ "one", function(sender)
      sender:send("ha")
      cosock.spawn(function()
        for _ = 1, 3 do
          socket.sleep(0)
        end
        sender:send("lf\n")
      end, "late sender")
    end }, function(sockets, readers)
      readers[2]:cancel()
      return sockets[2]:receive()
    end)
    assert.same(pack("half", nil, nil), first)
    assert.is_nil(second)
  end)

  it("may ask for the error of the other one's socket", function()
    local second, first = two_readers({ "one", function(sender)
      sender:setoption("linger", { on = true, timeout = 0 })
      sender:close()
    end }, function(sockets)
      return sockets[2]:getoption("error")
    end)
    assert.equal("closed", first[1])
    assert.same(pack(nil, "closed", ""), second)
  end)

  it("does not keep the other one from a partial result", function()
    local second = two_readers({ "one", function(sender)
      sender:send("half")
      sender:close()
    end }, function() end)
    assert.same(pack(nil, "closed", "half"), second)
  end)
end)

it("many tasks at once lose, repeat and reorder nothing", function()
  local CONNECTIONS, MESSAGES = 50, 40
  local generator = Generator.new(11)
  local received, expected = {}, {}
  local tasks = {}
  for index = 1, CONNECTIONS do
    local client, sender = peers.pair(socket)
    sender:setoption("tcp-nodelay", true)
    local messages = {}
    for message = 1, MESSAGES do
      -- Mostly small ones; some larger than what is received ahead.
      local length = generator:number(generator:number(8) == 1 and 20000 or 100)
      messages[message] = ("%d.%d:"):format(index, message) .. ("x"):rep(length)
    end
    expected[index] = table.concat(messages, "\n")
    tasks[#tasks + 1] = function()
      local lines = {}
      for message = 1, MESSAGES do
        lines[message] = assert(client:receive(message % 5 == 0 and "*l" or nil))
        -- An answer, so that the sender goes on.
        assert(client:send("."))
      end
      received[index] = table.concat(lines, "\n")
    end
    tasks[#tasks + 1] = function()
      for message = 1, MESSAGES do
        -- Sometimes in two pieces.
        local text = messages[message] .. "\n"
        local cut = generator:coin() and generator:number(#text) or #text
        assert(sender:send(text, 1, cut))
        if cut < #text then
          socket.sleep(0)
          assert(sender:send(text, cut + 1))
        end
        assert.equal(".", sender:receive(1))
      end
    end
  end
  run.tasks((table.unpack or unpack)(tasks)) -- luacheck: ignore 143
  assert.same(expected, received)
end)
