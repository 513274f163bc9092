-- What tasks, connections and timers leave behind: nothing.

local channel = require "cosock.channel"
local cosock = require "cosock"
local socket = require "cosock.socket"
local timers = require "cosock.timers"
local descriptors = require "spec.support.descriptors"
local process = require "spec.support.process"
local run = require "spec.support.run"
local support = require "spec.cosock.support"

-- What may be left of the memory that the same work took before: the collectors and the C library's
-- allocator do not give back every page. In KiB.
local LUA_SLACK = 512
local RESIDENT_SLACK = 6144

local function collect()
  collectgarbage()
  collectgarbage()
end

--- KiB that the whole process holds, or 0 where the system does not tell.
local function resident()
  local file = io.open "/proc/self/status"
  local status = file and file:read "*a" or ""
  if file then
    file:close()
  end
  return tonumber(status:match "VmRSS:%s*(%d+)" or 0)
end

--- Makes a server that nothing else holds.
local function listen(backlog)
  local server = assert(socket.bind("127.0.0.1", 0, backlog))
  local _, port = server:getsockname()
  return server, port
end

--- Connects a client that will reset its connection instead of closing it. Thousands of closed ones
--- would stay with the system for a minute and slow down whatever comes next.
local function connect(port)
  local client = assert(socket.connect("127.0.0.1", port))
  assert(client:setoption("linger", { on = true, timeout = 0 }))
  return client
end

--- Does the work once to fill what is kept for good, and once more to see whether that grows. The
--- allocator may take pages anew that it gave back before, whatever ran before this spec; so if the process
--- has grown, it is looked at again: what leaks makes it grow every time.
local function grows_not(work)
  work()
  collect()
  local open = descriptors.settled()
  local growth
  for _ = 1, 3 do
    local lua, all = collectgarbage "count", resident()
    work()
    collect()
    local lua_growth = collectgarbage "count" - lua
    growth = resident() - all
    assert.equal(open, descriptors.count())
    assert.is_true(lua_growth < LUA_SLACK, ("%.0f KiB more in Lua"):format(lua_growth))
    assert.same({}, cosock.get_thread_metadata())
    if growth < RESIDENT_SLACK then
      return
    end
  end
  assert.is_true(false, ("%.0f KiB more in the process"):format(growth))
end

describe("nothing is left of", function()
  before_each(cosock.reset)

  it("100,000 short tasks", function()
    local TASKS, BATCH = 100000, 1000
    local ended
    grows_not(function()
      ended = 0
      for _ = 1, TASKS / BATCH do
        for _ = 1, BATCH do
          cosock.spawn(function()
            ended = ended + 1
          end, "short")
        end
        cosock.run()
      end
    end)
    assert.equal(TASKS, ended)
  end)

  it("20,000 tasks that waited, within one run", function()
    local TASKS, BATCH = 20000, 1000
    local ended
    grows_not(function()
      ended = 0
      run.task(function()
        local tx, rx = channel.new()
        for _ = 1, TASKS / BATCH do
          for _ = 1, BATCH do
            cosock.spawn(function()
              socket.select({ support.gate() }, nil, 0.0001)
              ended = ended + 1
              tx:send(true)
            end)
          end
          for _ = 1, BATCH do
            rx:receive()
          end
        end
      end)
    end)
    assert.equal(TASKS, ended)
  end)

  it("10,000 tasks cancelled in their sleep", function()
    grows_not(function()
      for _ = 1, 10 do
        local handles = {}
        for index = 1, 1000 do
          handles[index] = cosock.spawn(function()
            socket.sleep(100000)
          end)
        end
        cosock.spawn(function()
          for _, handle in ipairs(handles) do
            handle:cancel()
          end
        end)
        cosock.run()
      end
    end)
  end)

  it("10,000 connections that were closed", function()
    local CONNECTIONS, BATCH = 10000, 100
    local answered
    grows_not(function()
      answered = 0
      run.task(function()
        local server, port = listen(BATCH)
        local acceptor = cosock.spawn(function()
          while true do
            local client = assert(server:accept())
            cosock.spawn(function()
              client:send(assert(client:receive()) .. "\n")
              client:close()
            end)
          end
        end)
        local done_tx, done_rx = channel.new()
        for _ = 1, CONNECTIONS / BATCH do
          for _ = 1, BATCH do
            cosock.spawn(function()
              local client = connect(port)
              client:send "line\n"
              if client:receive() == "line" then
                answered = answered + 1
              end
              client:close()
              done_tx:send(true)
            end)
          end
          for _ = 1, BATCH do
            done_rx:receive()
          end
        end
        acceptor:cancel()
        server:close()
      end)
    end)
    assert.equal(CONNECTIONS, answered)
  end)

  it("2,000 servers and connections that nobody closed", function()
    grows_not(function()
      for _ = 1, 20 do
        for _ = 1, 100 do
          local server, port = listen()
          connect(port)
          assert(server:accept())
        end
        collect()
      end
    end)
  end)
end)

describe("a task that is cancelled while it waits", function()
  before_each(cosock.reset)

  --- Cancels a task that waits and has the value `held` in a local; nothing may hold that any more.
  local function releases(make, wait)
    local weak = setmetatable({}, { __mode = "k" })
    -- In a coroutine of its own, so that no place on this stack holds the value by accident.
    coroutine.wrap(function()
      local victim = cosock.spawn(function()
        local held = make()
        weak[held] = true
        wait(held)
      end)
      cosock.spawn(function()
        victim:cancel()
      end)
    end)()
    cosock.run()
    collect()
    assert.is_nil(next(weak))
    assert.is_nil(timers.run())
  end

  it("leaves no reference and no timer after a sleep", function()
    releases(function()
      return {}
    end, function()
      socket.sleep(100000)
    end)
  end)

  it("leaves no reference to what it waited for", function()
    releases(support.gate, function(gate)
      socket.select({ gate }, { gate }, 100000)
    end)
  end)

  it("leaves no reference to its channel", function()
    releases(function()
      return (select(2, channel.new()))
    end, function(rx)
      rx:settimeout(100000)
      rx:receive()
    end)
  end)

  it("leaves no descriptor of the sockets that only it held", function()
    collect()
    local before = descriptors.settled()
    for _ = 1, 20 do
      releases(function()
        return (listen())
      end, function(server)
        server:settimeout(100000)
        server:accept()
      end)
    end
    collect()
    assert.equal(before, descriptors.count())
  end)
end)

describe("a task that has ended", function()
  before_each(cosock.reset)

  it("is held by nothing but its handle", function()
    local weak = setmetatable({}, { __mode = "k" })
    local handle = cosock.spawn(function()
      local held = {}
      weak[held] = true
      socket.sleep(0)
      return held
    end)
    cosock.run()
    collect()
    assert.is_nil(next(weak))
    assert.is_false(handle:is_alive())
  end)

  it("is held by nothing after it has raised", function()
    local weak = setmetatable({}, { __mode = "k" })
    cosock.spawn(function()
      local held = {}
      weak[held] = true
      socket.sleep(0)
      error(held)
    end)
    assert.is_false((pcall(cosock.run)))
    collect()
    assert.is_nil(next(weak))
  end)
end)

-- Only Lua 5.3 raises what finalizers raise wherever memory is wanted, and catches it as any other error.
if _VERSION == "Lua 5.3" then
  describe("a call out of which a finalizer's error comes", function()
    -- In a program of its own: how often finalizers run depends on what else there is.
    it("leaves no descriptor behind", function()
      local output, status = process.script([[
        local descriptors = require "spec.support.descriptors"
        local socket = require "cosock.socket"
        local is_armed = false
        local function finalize()
          if is_armed then
            error("a finalizer's", 0)
          end
        end
        local server = assert(socket.bind("127.0.0.1", 0))
        local address, port = server:getsockname()
        local function accept()
          return server:accept()
        end
        local before, raised, clients = descriptors.settled(), 0, {}
        for _ = 1, 10 do
          for index = 1, 20 do
            clients[index] = assert(socket.connect(address, port))
          end
          collectgarbage "stop"
          for _ = 1, 100 do
            setmetatable({}, { __gc = finalize })
          end
          collectgarbage "restart"
          collectgarbage("setpause", 0)
          collectgarbage("setstepmul", 10000)
          is_armed = true
          for _ = 1, 20 do
            if not pcall(accept) then
              raised = raised + 1
            end
          end
          is_armed = false
          for _, client in ipairs(clients) do
            client:close()
          end
        end
        print(before, descriptors.settled(), raised)
      ]]):finish()
      assert.equal(0, status)
      local before, after, raised = output:match "^(%d+)%s+(%d+)%s+(%d+)"
      assert.equal(before, after)
      assert.is_true(tonumber(raised) > 0)
    end)
  end)
end
