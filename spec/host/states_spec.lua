-- Several Lua states in one process, each with its own loop. Runs where the interpreter has the module `states`: it is
-- that of this folder.

local found, states = pcall(require, "states")
if not found then
  return
end

local socket = require "cosock.socket"
local descriptors = require "spec.support.descriptors"
local process = require "spec.support.process"
local run = require "spec.support.run"

local PATIENCE = 20 -- seconds for what comes at once unless something is wrong

--- Makes a server in a state, which keeps it in a global, and returns its port.
local function listen(state)
  return assert(tonumber(state:run [[
    cosock, socket = require "cosock", require "cosock.socket"
    server = assert(socket.bind("127.0.0.1", 0))
    return (select(2, server:getsockname()))
  ]]))
end

-- Serves the connections that it is told to, talks to the server at each of the ports it is told, all at once, and
-- returns how many answers were right. Every connection is a task, and sends a few lines that wait for their answer.
local TALK = [[
  local connections, rounds = tonumber((...)), 20
  local right = 0
  cosock.spawn(function()
    for _ = 1, connections do
      local client = assert(server:accept())
      cosock.spawn(function()
        for line in function() return (client:receive()) end do
          client:send(line:upper() .. "\n")
        end
        client:close()
      end, "answerer")
    end
    server:close()
  end, "server")
  for index = 2, select("#", ...) do
    local port = tonumber((select(index, ...)))
    cosock.spawn(function()
      local client = assert(socket.connect("127.0.0.1", port))
      client:settimeout(20)
      for round = 1, rounds do
        client:send(("round %d\n"):format(round))
        if client:receive() == ("ROUND %d"):format(round) then
          right = right + 1
        end
      end
      client:close()
    end, "client")
  end
  cosock.run()
  return right
]]

describe("two states in one process", function()
  local first, second

  before_each(function()
    first, second = states.new(), states.new()
  end)

  after_each(function()
    first:close()
    second:close()
  end)

  it("have a module and a loop each", function()
    first:run [[
      local cosock = require "cosock"
      cosock.spawn(function() ran = "first" end, "a task of the first")
    ]]
    local tasks = [[
      local cosock = require "cosock"
      return #cosock.get_thread_metadata()
    ]]
    assert.equal(1, tonumber(first:run(tasks)))
    assert.equal(0, tonumber(second:run(tasks)))
    second:run [[require("cosock").run()]]
    assert.is_nil(first:run "return ran")
    first:run [[require("cosock").run()]]
    assert.equal("first", first:run "return ran")
  end)

  it("take turns in one thread", function()
    for _ = 1, 3 do
      local port = listen(first)
      assert.equal("20", first:run(TALK, 1, port))
      port = listen(second)
      assert.equal("20", second:run(TALK, 1, port))
    end
  end)

  it("run one's loop within a task of the other", function()
    local server = assert(socket.bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    run.tasks(function()
      local client = assert(server:accept())
      assert.equal("from within", client:receive())
    end, function()
      first:run([[
        local cosock, socket = require "cosock", require "cosock.socket"
        local port = ...
        cosock.spawn(function()
          local client = assert(socket.connect("127.0.0.1", port))
          client:send "from within\n"
          client:close()
        end)
        cosock.run()
      ]], port)
    end)
    server:close()
  end)

  it("talk within each, and across, from two threads", function()
    local port, other = listen(first), listen(second)
    -- Five of its own tasks and five of the other state's are at each server.
    first:start(TALK, 10, port, port, port, port, port, other, other, other, other, other)
    second:start(TALK, 10, port, port, port, port, port, other, other, other, other, other)
    assert.equal("200", first:join())
    assert.equal("200", second:join())
  end)

  it("resolve names at the same time, from two threads", function()
    local resolve = [[
      local cosock, socket = require "cosock", require "cosock.socket"
      local resolved = 0
      for _ = 1, 50 do
        cosock.spawn(function()
          if socket.dns.toip "localhost" then
            resolved = resolved + 1
          end
        end)
      end
      cosock.run()
      return resolved
    ]]
    first:start(resolve)
    second:start(resolve)
    assert.equal("50", first:join())
    assert.equal("50", second:join())
  end)

  it("fail alone: an error ends the loop of its own state only", function()
    local port = listen(second)
    first:start [[
      local cosock = require "cosock"
      cosock.spawn(function() error "of the first" end)
      cosock.run()
    ]]
    second:start(TALK, 1, port)
    local ok, err = pcall(first.join, first)
    assert.is_false(ok)
    assert.matches("of the first", err, 1, true)
    assert.equal("20", second:join())
  end)
end)

-- Tasks in every kind of wait, left there by a task that ends the loop with an error. They talk to the server whose
-- port they are told.
local WAIT = [[
  local cosock, socket = require "cosock", require "cosock.socket"
  local channel = require "cosock.channel"
  local timers = require "cosock.timers"
  local port = ...
  local client = assert(socket.connect("127.0.0.1", port))
  local server = assert(socket.bind("127.0.0.1", 0))
  local udp = assert(socket.udp())
  assert(udp:setsockname("127.0.0.1", 0))
  local tx, rx = channel.new()
  local gate = { setwaker = function() end }
  local waits = {
    function() client:receive "*a" end,
    function() client:send(("x"):rep(65536):rep(1024)) end,
    function() server:accept() end,
    function() udp:receivefrom() end,
    function() rx:receive() end,
    function() socket.sleep(100000) end,
    function() socket.select({ server, udp, gate }, { gate }, 100000) end,
    function() cosock.coroutine.wrap(function() udp:receive() end)() end,
    function() pcall(function() rx:receive() end) end,
  }
  for index, wait in ipairs(waits) do
    cosock.spawn(wait, "waiter " .. index)
  end
  timers.set(100000, function() end)
  cosock.spawn(function()
    for _ = 1, 10 do socket.sleep(0) end
    error "leave them"
  end)
  local ok, err = pcall(cosock.run)
  assert(not ok and tostring(err):find "leave them", err)
  held = { tx, rx } -- or the loop could have told that nobody sends any more
  return #cosock.get_thread_metadata()
]]

describe("a state that is closed while its tasks wait", function()
  it("closes their sockets and leaves no descriptor", function()
    local server = assert(socket.bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    server:settimeout(PATIENCE)
    collectgarbage()
    collectgarbage()
    local before = descriptors.count()
    for _ = 1, 20 do
      local state = states.new()
      assert.equal("9", state:run(WAIT, port))
      local peer = assert(server:accept())
      peer:settimeout(PATIENCE)
      state:close()
      -- An end, or a reset because of what was sent to it and not received.
      local err = select(2, peer:receive "*a")
      assert.equal("closed", err or "closed")
      peer:close()
    end
    assert.equal(before, descriptors.count())
    server:close()
  end)

  it("leaves the loops of others alone", function()
    local server = assert(socket.bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    local other = states.new()
    local other_port = listen(other)
    other:start(TALK, 2, other_port)
    run.tasks(function()
      for _ = 1, 10 do
        local state = states.new()
        state:run(WAIT, port)
        assert(server:accept()):close()
        state:close()
      end
      -- The second of its clients comes from here, now that the states are gone.
      local client = assert(socket.connect("127.0.0.1", other_port))
      client:send "still there?\n"
      assert.equal("STILL THERE?", (client:receive()))
      client:close()
    end)
    assert.equal("20", other:join())
    other:close()
    server:close()
  end)

  -- More look-ups than the threads can have answered when the state is closed right away.
  local LOOK_UP = [[
    local cosock, socket = require "cosock", require "cosock.socket"
    for _ = 1, 300 do
      cosock.spawn(function() socket.dns.toip "localhost" end)
    end
    cosock.spawn(function() error "leave them" end)
    assert(not pcall(cosock.run))
    return #cosock.get_thread_metadata()
  ]]

  it("gives up name look-ups that are under way", function()
    for _ = 1, 5 do
      local state = states.new()
      assert.is_true(tonumber(state:run(LOOK_UP)) > 0)
      state:close()
    end
    assert.equal("127.0.0.1", (run.task(socket.dns.toip, "127.0.0.1")))
  end)

  it("lets the process end while they are under way", function()
    local output, status = process.script(([[
      local state = require("states").new()
      state:run %q
      state:close()
      print "closed"
    ]]):format(LOOK_UP)):finish()
    assert.equal("closed\n", output)
    assert.equal(0, status)
  end)

  it("can be the program's own", function()
    local output, status = process.script(LOOK_UP .. "\n"):finish()
    assert.equal("", output)
    assert.equal(0, status)
  end)
end)

describe("the module", function()
  it("is loaded again in a new state after the only one that had it was closed", function()
    local output, status = process.script([==[
      for round = 1, 3 do
        local state = require("states").new()
        print(state:run [[
          local cosock = require "cosock"
          cosock.spawn(function() done = "ran" end)
          cosock.run()
          return done
        ]])
        state:close()
      end
    ]==]):finish()
    assert.equal("ran\nran\nran\n", output)
    assert.equal(0, status)
  end)
end)
