-- What `require "cosock"` gives, and how tasks are spawned and run.

local cosock = require "cosock"
local socket = require "cosock.socket"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

describe("the cosock module", function()
  it("holds the parts of the runtime", function()
    for _, name in ipairs { "spawn", "run", "reset", "get_thread_metadata", "set_error_handler" } do
      assert.equal("function", type(cosock[name]), name)
    end
    assert.equal("string", type(cosock._VERSION))
    assert.equal(require "cosock.socket", cosock.socket)
    assert.equal(require "cosock.channel", cosock.channel)
    assert.equal(require "cosock.timers", cosock.timers)
  end)
end)

describe("cosock.spawn", function()
  before_each(cosock.reset)

  it("runs nothing of the function before the loop's turn", function()
    local ran = false
    cosock.spawn(function()
      ran = true
    end)
    assert.is_false(ran)
    cosock.run()
    assert.is_true(ran)
  end)

  it("lets the task that spawns go on first", function()
    local order = {}
    run.tasks(function()
      cosock.spawn(function()
        order[#order + 1] = "spawned"
      end)
      order[#order + 1] = "spawner"
    end)
    assert.same({ "spawner", "spawned" }, order)
  end)

  it("starts tasks in the order in which they were spawned", function()
    local order, expected = {}, {}
    for index = 1, 100 do
      expected[index] = index
      cosock.spawn(function()
        order[#order + 1] = index
      end)
    end
    cosock.run()
    assert.same(expected, order)
  end)

  it("puts the tasks that a task spawns behind those that are ready", function()
    local order = {}
    run.tasks(function()
      cosock.spawn(function()
        order[#order + 1] = "spawned by the first"
      end)
    end, function()
      order[#order + 1] = "second"
    end)
    assert.same({ "second", "spawned by the first" }, order)
  end)

  it("passes its further arguments to the function, nil and false among them and at the end", function()
    local got, count
    cosock.spawn(function(...)
      got, count = { ... }, select("#", ...)
    end, "task", 1, nil, false, "four", false, nil)
    cosock.run()
    assert.equal(6, count)
    assert.same({ 1, nil, false, "four", false, nil }, got)
  end)

  it("passes no arguments when none are given", function()
    local count
    cosock.spawn(function(...)
      count = select("#", ...)
    end, "task")
    cosock.run()
    assert.equal(0, count)
  end)

  it("raises at the call when the function cannot be called", function()
    for _, value in ipairs { "text", 42, true, {}, setmetatable({}, {}) } do
      local ok, message = pcall(cosock.spawn, value, "task")
      assert.is_false(ok)
      assert.matches("bad argument #1 to 'spawn'", message, 1, true)
    end
    assert.is_false((pcall(cosock.spawn)))
    cosock.run()
  end)

  it("accepts a table that can be called", function()
    local called_on, argument
    local callable = setmetatable({}, {
      __call = function(self, value)
        called_on, argument = self, value
      end,
    })
    cosock.spawn(callable, "callable", "argument")
    cosock.run()
    assert.equal(callable, called_on)
    assert.equal("argument", argument)
  end)

  it("accepts a name of any type", function()
    local names = { "text", 42, true, false, {}, print, coroutine.create(function() end) }
    for _, name in ipairs(names) do
      assert.equal(name, cosock.spawn(function() end, name).name)
    end
    assert.is_nil(cosock.spawn(function() end).name)
    cosock.run()
  end)
end)

describe("cosock.run", function()
  before_each(cosock.reset)

  it("returns at once when there are no tasks", function()
    cosock.run()
  end)

  it("returns when every task has ended, spawned ones too", function()
    local depth = 0
    local function spawn_next()
      depth = depth + 1
      if depth < 50 then
        cosock.spawn(spawn_next)
      end
    end
    cosock.spawn(spawn_next)
    cosock.run()
    assert.equal(50, depth)
  end)

  it("can be called again", function()
    local runs = 0
    for _ = 1, 3 do
      cosock.spawn(function()
        runs = runs + 1
      end)
      cosock.run()
    end
    assert.equal(3, runs)
  end)

  it("raises inside a task, and the outer run goes on", function()
    local ok, message
    run.tasks(function()
      ok, message = pcall(cosock.run)
    end, function()
      socket.sleep(0)
    end)
    assert.is_false(ok)
    assert.matches("run", message, 1, true)
  end)

  it("raises inside a coroutine of a task, too", function()
    local ok, message
    run.tasks(function()
      ok, message = coroutine.resume(coroutine.create(cosock.run))
    end, function() end)
    assert.is_false(ok)
    assert.matches("run", message, 1, true)
  end)

  it("can itself run in a coroutine", function()
    local ran = false
    cosock.spawn(function()
      socket.sleep(0.001)
      ran = true
    end)
    coroutine.wrap(cosock.run)()
    assert.is_true(ran)
  end)

  it("wakes tasks in the order in which they became ready", function()
    local order, transmitters = {}, {}
    for index = 1, 10 do
      local tx, rx = cosock.channel.new()
      transmitters[index] = tx
      cosock.spawn(function()
        rx:receive()
        order[#order + 1] = index
      end)
    end
    cosock.spawn(function()
      for _, index in ipairs { 7, 3, 10, 1, 2, 9, 8, 4, 6, 5 } do
        transmitters[index]:send(true)
      end
    end)
    cosock.run()
    assert.same({ 7, 3, 10, 1, 2, 9, 8, 4, 6, 5 }, order)
  end)

  -- Each of these loops finds what it asks for ready every time. The count ends a loop that starves
  -- the task that would stop it.
  local MANY = 1000000

  local function runs_beside(step)
    local running, turns = true, 0
    run.tasks(function()
      while running and turns < MANY do
        turns = turns + 1
        step()
      end
    end, function()
      running = false
    end)
    assert.is_true(turns < MANY, "the other task never ran")
  end

  it("lets others run beside a task whose channel always has messages", function()
    local tx, rx = cosock.channel.new()
    runs_beside(function()
      tx:send(true)
      rx:receive()
    end)
  end)

  it("lets others run beside a task whose select always finds something", function()
    local tx, rx = cosock.channel.new()
    tx:send(true)
    runs_beside(function()
      assert(socket.select({ rx }))
    end)
  end)

  it("lets others run beside a task that always sleeps for no time", function()
    runs_beside(function()
      socket.sleep(0)
    end)
  end)

  it("lets others run beside a task whose socket always has data", function()
    local client, peer = peers.pair(socket)
    runs_beside(function()
      client:send "x"
      peer:receive(1)
    end)
    client:close()
    peer:close()
  end)
end)

describe("cosock.reset", function()
  it("forgets every task", function()
    cosock.reset()
    local ran = false
    local handle = cosock.spawn(function()
      ran = true
    end)
    cosock.reset()
    cosock.run()
    assert.is_false(ran)
    assert.is_false(handle:is_alive())
    assert.same({}, cosock.get_thread_metadata())
  end)

  it("forgets tasks that wait", function()
    cosock.reset()
    local finished = false
    cosock.spawn(function()
      local _, rx = cosock.channel.new()
      rx:receive()
      finished = true
    end, "waiting")
    cosock.spawn(function()
      error "ends run"
    end)
    assert.has_error(cosock.run)
    cosock.reset()
    cosock.run()
    assert.is_false(finished)
  end)
end)
