-- Coroutines inside tasks: `require "cosock.coroutine"`, and what happens with the plain ones.

local channel = require "cosock.channel"
local co = require "cosock.coroutine"
local cosock = require "cosock"
local socket = require "cosock.socket"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

local unpack = table.unpack or unpack -- luacheck: ignore 143

describe("a plain coroutine inside a task", function()
  before_each(cosock.reset)

  local function raises_inside(wait)
    local ok, message = run.task(function()
      return coroutine.resume(coroutine.create(wait))
    end)
    assert.is_false(ok)
    assert.matches("cosock.coroutine", message, 1, true)
  end

  it("raises when it waits for a channel", function()
    local tx, rx = channel.new()
    raises_inside(function()
      rx:receive()
    end)
    tx:close()
  end)

  it("raises when it sleeps or selects", function()
    raises_inside(function()
      socket.sleep(0.001)
    end)
    raises_inside(function()
      socket.select({}, {}, 0.001)
    end)
  end)

  it("raises when a socket's method has to wait, and gets what is there already", function()
    local client, peer = peers.pair(socket)
    raises_inside(function()
      client:receive()
    end)
    local line = run.task(function()
      peer:send "here\nand here\n"
      client:receive()
      return coroutine.wrap(function()
        return (client:receive())
      end)()
    end)
    assert.equal("and here", line)
    client:close()
    peer:close()
  end)

  it("leaves nothing behind in the task that made it", function()
    local passed = run.task(function()
      for _ = 1, 3 do
        coroutine.resume(coroutine.create(function()
          socket.sleep(1000)
        end))
      end
      socket.sleep(0)
      return true
    end)
    assert.is_true(passed)
  end)

  it("yields and resumes as everywhere else when it does not wait", function()
    local sum = run.task(function()
      local total = 0
      for number in coroutine.wrap(function()
        for index = 1, 10 do
          coroutine.yield(index)
        end
      end) do
        total = total + number
      end
      return total
    end)
    assert.equal(55, sum)
  end)
end)

describe("cosock.coroutine", function()
  before_each(cosock.reset)

  it("has the functions of the standard table", function()
    for name in pairs(coroutine) do
      assert.equal("function", type(co[name]), name)
    end
    for _, name in ipairs { "create", "resume", "yield", "wrap", "status", "running" } do
      assert.equal("function", type(co[name]), name)
    end
  end)

  it("raises the standard table's errors for wrong arguments", function()
    for _, name in ipairs { "create", "resume", "wrap", "status", "close" } do
      if coroutine[name] then
        local text = ("local table = ... local x = table.%s(select(2, ...)) return x"):format(name)
        local call = assert((loadstring or load)(text, "=code"))
        for _, arguments in ipairs { { n = 0 }, { n = 1 }, { n = 1, 5 }, { n = 2, {}, 1 }, { n = 1, "text" } } do
          if name ~= "close" or arguments.n > 0 then -- from Lua 5.5 on, nothing stands for the running coroutine
            local _, expected = pcall(call, coroutine, unpack(arguments, 1, arguments.n))
            local _, message = pcall(call, cosock.coroutine, unpack(arguments, 1, arguments.n))
            assert.equal(expected, message)
          end
        end
      end
    end
  end)

  it("passes a wait through to the task", function()
    local order = {}
    run.tasks(function()
      local result = co.wrap(function()
        socket.sleep(0.005)
        return "slept"
      end)()
      order[#order + 1] = result
    end, function()
      order[#order + 1] = "meanwhile"
    end)
    assert.same({ "meanwhile", "slept" }, order)
  end)

  it("passes a wait through any depth", function()
    local tx, rx = channel.new()
    local function nested(depth)
      if depth == 0 then
        return rx:receive()
      end
      local ok, value, err = co.resume(co.create(nested), depth - 1)
      assert(ok, value)
      return value, err
    end
    local values = {}
    run.tasks(function()
      for _, depth in ipairs { 1, 2, 3, 20 } do
        values[#values + 1] = nested(depth)
      end
    end, function()
      for index = 1, 4 do
        tx:send(index)
        socket.sleep(0)
      end
    end)
    assert.same({ 1, 2, 3, 4 }, values)
  end)

  it("keeps the runtime's waits and the program's own yields apart", function()
    local log = {}
    run.task(function()
      local thread = co.create(function(first)
        log[#log + 1] = first
        socket.sleep(0)
        log[#log + 1] = co.yield("yielded", nil, false)
        socket.sleep(0)
        return "returned"
      end)
      local result = { co.resume(thread, "started") }
      assert.same({ true, "yielded", nil, false }, result)
      assert.same({ true, "returned" }, { co.resume(thread, "resumed") })
      assert.equal("dead", co.status(thread))
    end)
    assert.same({ "started", "resumed" }, log)
  end)

  it("has generators that read a socket", function()
    local client, peer = peers.pair(socket)
    local got = {}
    run.tasks(function()
      local next_line = co.wrap(function()
        local line = client:receive()
        while line do
          co.yield(line)
          line = client:receive()
        end
      end)
      local line = next_line()
      while line do
        got[#got + 1] = line
        line = next_line()
      end
    end, function()
      for index = 1, 3 do
        peer:send("line " .. index .. "\n")
        socket.sleep(0.001)
      end
      peer:close()
    end)
    assert.same({ "line 1", "line 2", "line 3" }, got)
    client:close()
  end)

  it("serves several tasks that wait in coroutines of their own", function()
    local woken = {}
    local function sleeper(span)
      return function()
        co.wrap(function()
          co.wrap(function()
            socket.sleep(span)
            woken[#woken + 1] = span
          end)()
        end)()
      end
    end
    run.tasks(sleeper(0.03), sleeper(0.001), sleeper(0.015))
    assert.equal(3, #woken)
  end)

  it("raises when a plain coroutine stands between the wait and the task", function()
    local ok, message = run.task(function()
      return co.resume(co.create(function()
        return coroutine.wrap(function()
          socket.sleep(0)
        end)()
      end))
    end)
    assert.is_false(ok)
    assert.matches("cosock.coroutine", message, 1, true)
  end)

  it("raises when a plain coroutine stands further out", function()
    local results = run.task(function()
      return coroutine.wrap(function()
        local thread = co.create(function()
          return co.wrap(function()
            socket.sleep(0)
          end)()
        end)
        local ok, message = co.resume(thread)
        return { ok, message, co.status(thread) }
      end)()
    end)
    assert.is_false(results[1])
    assert.matches("cosock.coroutine", results[2], 1, true)
    assert.equal("dead", results[3])
  end)

  it("raises when one of its coroutines is resumed with the standard table", function()
    local ok, message = run.task(function()
      return coroutine.resume(co.create(function()
        socket.sleep(0)
      end))
    end)
    assert.is_false(ok)
    assert.matches("cosock.coroutine", message, 1, true)
  end)

  it("waits in coroutines that the standard table made", function()
    local slept = run.task(function()
      local _, slept = co.resume(coroutine.create(function()
        socket.sleep(0)
        return "slept"
      end))
      return slept
    end)
    assert.equal("slept", slept)
  end)

  if coroutine.isyieldable and not rawget(_G, "jit") then
    it("raises when a C function stands in between", function()
      local ok, message = run.task(function()
        local ok, message
        local text = ("x"):gsub("x", function()
          ok, message = co.resume(co.create(function()
            socket.sleep(0)
          end))
          return "y"
        end)
        assert.equal("y", text)
        socket.sleep(0)
        return ok, message
      end)
      assert.is_false(ok)
      assert.matches("C function", message, 1, true)
    end)
  end

  it("hands over exactly the values there are after a wait", function()
    local function count(...)
      return select("#", ...)
    end
    local lists = { { n = 0 }, { n = 1, nil }, { n = 1, 1 }, { n = 3, nil, 2, nil }, { n = 5, 1, nil, 3, 4, nil } }
    for _, values in ipairs(lists) do
      local function give(how)
        return function(...)
          socket.sleep(0)
          how(...)
          socket.sleep(0)
          return ...
        end
      end
      run.task(function()
        local thread = co.create(give(function(...)
          assert.equal(values.n, count(co.yield(...)))
        end))
        assert.equal(1 + values.n, count(co.resume(thread, unpack(values, 1, values.n))))
        assert.equal(1 + values.n, count(co.resume(thread, unpack(values, 1, values.n))))
        local call = co.wrap(give(function(...)
          assert.equal(values.n, count(co.yield(...)))
        end))
        assert.same({ n = values.n, unpack(values, 1, values.n) }, peers.pack(call(unpack(values, 1, values.n))))
        assert.same({ n = values.n, unpack(values, 1, values.n) }, peers.pack(call(unpack(values, 1, values.n))))
      end)
    end
  end)

  -- A task that waits in `depth` coroutines, one inside the other; the innermost first.
  local function waits_in(depth, body)
    local threads = {}
    local task = cosock.spawn(function()
      local function nest(level)
        if level == 0 then
          return body()
        end
        threads[level] = co.create(nest)
        return assert(co.resume(threads[level], level - 1))
      end
      nest(depth)
    end, "nesting")
    cosock.spawn(function() end)
    return task, threads
  end

  local function sleep_for_long()
    socket.sleep(1000)
  end

  it("has coroutines that are normal while they wait, and dead once their task is cancelled", function()
    for _, depth in ipairs { 1, 2, 5 } do
      local task, threads = waits_in(depth, sleep_for_long)
      cosock.spawn(function()
        socket.sleep(0)
        for level = 1, depth do
          assert.equal("normal", co.status(threads[level]))
          assert.is_false((co.resume(threads[level])))
        end
        task:cancel()
        for level = 1, depth do
          assert.equal("dead", co.status(threads[level]))
          assert.same({ false, "cannot resume dead coroutine" }, { co.resume(threads[level]) })
        end
      end)
      cosock.run()
      assert.is_false(task:is_alive())
    end
  end)

  it("has functions of wrap that raise once their task is cancelled", function()
    local call
    local task = cosock.spawn(function()
      call = co.wrap(sleep_for_long)
      call()
    end)
    cosock.spawn(function()
      socket.sleep(0)
      assert.matches("cannot resume", peers.raised(call), 1, true)
      task:cancel()
      assert.matches("cannot resume dead coroutine", peers.raised(call), 1, true)
    end)
    cosock.run()
  end)

  if coroutine.close then -- luacheck: ignore 143
    it("closes variables from the innermost coroutine outward when the task is cancelled", function()
      local load = load
      local body = assert(load [[
        local co, socket, note = ...
        local outermost <close> = note "outermost"
        co.wrap(function()
          local middle <close> = note "middle"
          co.wrap(function()
            local innermost <close> = note "innermost"
            socket.sleep(1000)
          end)()
        end)()
      ]])
      local order = {}
      local function note(name)
        return setmetatable({}, { __close = function()
          order[#order + 1] = name
          if name == "middle" then
            error("from " .. name, 0)
          end
        end })
      end
      local task = cosock.spawn(body, "closes", co, socket, note)
      cosock.spawn(function()
        socket.sleep(0)
        local ok, err = pcall(task.cancel, task)
        assert.is_false(ok)
        assert.equal("from middle", err)
      end)
      cosock.run()
      assert.same({ "innermost", "middle", "outermost" }, order)
    end)

    it("does not close a coroutine that waits", function()
      local task, threads = waits_in(1, sleep_for_long)
      cosock.spawn(function()
        socket.sleep(0)
        assert.equal("cannot close a normal coroutine", peers.raised(function()
          co.close(threads[1])
        end))
        task:cancel()
      end)
      cosock.run()
    end)
  end

  it("does not let a task cancel itself from a coroutine that has waited", function()
    local message
    local task
    task = waits_in(2, function()
      socket.sleep(0)
      message = peers.raised(function()
        task:cancel()
      end)
      socket.sleep(0)
    end)
    cosock.run()
    assert.equal("Attempt to cancel a spawned task from itself", message)
  end)

  it("keeps the task running, as cosock.get_thread_metadata tells it, after a wait", function()
    local status
    waits_in(1, function()
      socket.sleep(0)
      for _, entry in ipairs(cosock.get_thread_metadata()) do
        if entry.name == "nesting" then
          status = entry.status
        end
      end
    end)
    cosock.run()
    assert.equal("running", status)
  end)

  it("forgets coroutines that waited", function()
    local function use()
      local _, threads = waits_in(3, function()
        socket.sleep(0)
      end)
      cosock.run()
      return setmetatable({ threads[1], threads[2], threads[3] }, { __mode = "v" })
    end
    local threads = use()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(threads))
  end)

  it("does not resume a coroutine that waits in another task", function()
    local thread, status, ok, passed
    run.tasks(function()
      thread = co.create(function()
        socket.sleep(0.005)
        passed = true
      end)
      assert(co.resume(thread))
    end, function()
      status = co.status(thread)
      ok = co.resume(thread)
    end)
    assert.is_false(ok)
    assert.not_equal("dead", status)
    assert.is_true(passed)
  end)

  it("hands an error after a wait to the one who resumed", function()
    local problem = { "broken" }
    local ok, err, status = run.task(function()
      local thread = co.create(function()
        socket.sleep(0)
        error(problem)
      end)
      local ok, err = co.resume(thread)
      return ok, err, co.status(thread)
    end)
    assert.is_false(ok)
    assert.equal(problem, err)
    assert.equal("dead", status)
  end)

  it("raises an error after a wait out of what wrap returned", function()
    cosock.spawn(function()
      co.wrap(function()
        socket.sleep(0)
        error "broken inside"
      end)()
    end)
    local ok, message = pcall(cosock.run)
    assert.is_false(ok)
    assert.matches("broken inside", message, 1, true)
  end)

  it("still raises outside a task when something waits", function()
    local ok, message = co.resume(co.create(function()
      socket.sleep(0)
    end))
    assert.is_false(ok)
    assert.equal("string", type(message))
  end)

  it("does outside a task what the standard table does", function()
    local thread = co.create(function(...)
      local second = { co.yield(...) }
      co.yield(#second, co.running())
      error "at the end"
    end)
    assert.equal("suspended", co.status(thread))
    assert.same({ true, 1, nil, 3 }, { co.resume(thread, 1, nil, 3) })
    local _, count, running = co.resume(thread, "a", "b")
    assert.equal(2, count)
    assert.equal(thread, running)
    local ok, message = co.resume(thread)
    assert.is_false(ok)
    assert.matches("at the end", message, 1, true)
    assert.equal("dead", co.status(thread))
    assert.is_false((co.resume(thread)))
    assert.is_false((pcall(co.resume, "no thread")))
    assert.is_false((pcall(co.create, "no function")))
  end)

  it("has threads that the standard table can resume, and resumes those of the standard table", function()
    local function pair_of_values(...)
      return (select("#", ...)), co.yield(...)
    end
    assert.same({ true, 1, 2 }, { coroutine.resume(co.create(pair_of_values), 1, 2) })
    assert.same({ true, 1, 2 }, { co.resume(coroutine.create(pair_of_values), 1, 2) })
  end)

  if coroutine.isyieldable then
    it("knows where it may yield", function()
      assert.is_false(co.isyieldable())
      assert.is_true(co.wrap(function()
        return co.isyieldable()
      end)())
    end)
  end

  if coroutine.close then
    it("closes a coroutine that was left half-way", function()
      local closed = run.task(function()
        local thread = co.create(function()
          socket.sleep(0)
          co.yield()
        end)
        co.resume(thread)
        return co.close(thread) and co.status(thread)
      end)
      assert.equal("dead", closed)
    end)
  end
end)
