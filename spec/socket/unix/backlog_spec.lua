-- Connecting to a unix server that has too many connections to accept: in a task, and without tasks.

local cosock = require "cosock"
local socket = require "cosock.socket"
local unix = require "cosock.socket.unix"
local descriptors = require "spec.support.descriptors"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local run = require "spec.support.run"
local unix_peers = require "spec.support.unix_peers"

local pack = peers.pack

-- Gives the other tasks turns, so that they are in the middle of what they wait for. What a spec expects does not
-- depend on how far they come.
local function let_others_run()
  for _ = 1, 5 do
    socket.sleep(0.001)
  end
end

describe("a task that connects to a unix server with a full backlog", function()
  teardown(unix_peers.remove_files)

  it("waits until the server accepts, and lets others run", function()
    local server, path, clients = unix_peers.full_server(unix)
    local client, connected, turns = unix.stream(), nil, 0
    run.tasks(function()
      connected = pack(client:connect(path))
    end, function()
      repeat
        turns = turns + 1
        socket.sleep(0.001)
        if turns == 20 then
          assert.is_nil(connected)
          assert(server:accept())
        end
      until connected
    end)
    assert.is_true(turns > 20)
    assert.same({ n = 1, 1 }, connected)
    assert.equal("unixstream{client}", client.class)
    for _ = 2, #clients do
      assert(server:accept())
    end
    client:send "at last\n"
    assert.equal("at last", (server:accept():receive()))
  end)

  it("is one of twenty that are all served", function()
    local server, path, clients = unix_peers.full_server(unix)
    local served, greeted = 0, 0
    run.task(function()
      for index = 1, 20 do
        cosock.spawn(function()
          local client = unix.stream()
          assert.same({ n = 1, 1 }, pack(client:connect(path)))
          client:send(index .. "\n")
          assert.equal("hello " .. index, (client:receive()))
          greeted = greeted + 1
        end)
      end
      for _ = 1, #clients do
        server:accept():close()
      end
      for _ = 1, 20 do
        local peer = assert(server:accept())
        peer:send("hello " .. peer:receive() .. "\n")
        served = served + 1
      end
    end)
    assert.same({ 20, 20 }, { served, greeted })
  end)

  for place, it in peers.inside_and_outside(it) do
    it("gives up when its time has run out, without working meanwhile, " .. place, function()
      local _, path = unix_peers.full_server(unix)
      for _, timeouts in ipairs { { b = 0.2 }, { t = 0.2 }, { b = 0.2, t = 10 }, { b = 10, t = 0.2 } } do
        local client = unix.stream()
        for mode, seconds in pairs(timeouts) do
          client:settimeout(seconds, mode)
        end
        local work = os.clock()
        local seconds = peers.seconds(function()
          assert.same({ n = 2, nil, "timeout" }, pack(client:connect(path)))
        end)
        assert.is_true(seconds >= 0.195 and seconds < 5)
        assert.is_true(os.clock() - work < 0.1)
        assert.equal(-1, client:getfd()) -- as after any connect that failed
        assert.equal("unixstream{master}", client.class)
      end
    end)

    it("does not wait with a timeout of 0 " .. place, function()
      local _, path = unix_peers.full_server(unix)
      for _, mode in ipairs { "b", "t" } do
        local client = unix.stream()
        client:settimeout(0, mode)
        assert.same({ n = 2, nil, "timeout" }, pack(client:connect(path)))
        assert.equal(-1, client:getfd())
      end
    end)
  end

  it("is refused as soon as the server is closed", function()
    local server, path = unix_peers.full_server(unix)
    local refused
    run.tasks(function()
      refused = pack(unix.stream():connect(path))
    end, function()
      let_others_run()
      server:close()
    end)
    assert.same({ n = 2, nil, "connection refused" }, refused)
  end)

  it("can be cancelled", function()
    local server, path, clients = unix_peers.full_server(unix)
    local client = unix.stream()
    run.task(function()
      local task = cosock.spawn(function()
        client:connect(path)
      end)
      let_others_run()
      task:cancel()
      assert(server:accept())
      let_others_run()
      assert.equal("unixstream{master}", client.class)
      assert.same({ n = 1, 1 }, pack(client:connect(path))) -- there is room for one now
      assert.is_true(#clients > 0)
    end)
  end)

  it("learns that another task has connected the same socket", function()
    local server, path = unix_peers.full_server(unix)
    local client, results = unix.stream(), {}
    local function connect()
      local result = pack(client:connect(path))
      results[#results + 1] = result
    end
    run.tasks(connect, connect, function()
      let_others_run()
      server:accept()
      server:accept()
    end)
    assert.same({ { n = 1, 1 }, { n = 2, nil, "already connected" } }, results)
    assert.is_true(client:getfd() >= 0)
  end)

  it("leaves no descriptor behind, however it ends", function()
    local server, path = unix_peers.full_server(unix)
    local before = descriptors.settled()
    run.task(function()
      for _ = 1, 50 do
        local impatient, closed, cancelled = unix.stream(), unix.stream(), unix.stream()
        impatient:settimeout(0.002)
        cosock.spawn(function()
          assert.equal("timeout", (select(2, impatient:connect(path))))
        end)
        cosock.spawn(function()
          assert.equal("closed", (select(2, closed:connect(path))))
        end)
        local task = cosock.spawn(function()
          cancelled:connect(path)
        end)
        let_others_run()
        closed:close()
        task:cancel()
        cancelled:close()
      end
    end)
    assert.equal(before, descriptors.count())
    server:close()
  end)

  it("says so in a coroutine that cannot wait", function()
    local _, path = unix_peers.full_server(unix)
    local ok, message
    run.task(function()
      ok, message = coroutine.resume(coroutine.create(function()
        unix.stream():connect(path)
      end))
    end)
    assert.is_false(ok)
    assert.matches("attempt to wait in a coroutine", message, 1, true)
  end)
end)

describe("a program without tasks", function()
  teardown(unix_peers.remove_files)
  after_each(process.stop_all)

  local SERVER = [[
    local socket = require "cosock.socket"
    local unix = require "cosock.socket.unix"
    local cosock = require "cosock"
    local server = unix.stream()
    assert(server:bind(arg[1]))
    assert(server:listen(0))
    local clients = {}
    repeat -- fills its own backlog
      clients[#clients + 1] = unix.stream()
      clients[#clients]:settimeout(0)
    until not clients[#clients]:connect(arg[1])
    print "full"
    -- The file is there as long as the other has not begun to wait for the connection.
    cosock.spawn(function()
      local ready = io.open(arg[2])
      while ready do
        ready:close()
        socket.sleep(0.001)
        ready = io.open(arg[2])
      end
      socket.sleep(0.05)
      for _ = 1, #clients - 1 do
        server:accept():close()
      end
      local peer = server:accept()
      peer:send(peer:receive() .. " to you\n")
    end)
    cosock.run()
  ]]

  it("waits for a full backlog and for lines as well", function()
    local path, signal = unix_peers.path(), unix_peers.path "signal"
    io.open(signal, "w"):close()
    local child = process.script(SERVER, path, signal)
    child:expect "^full$"
    local client = unix.stream()
    client:settimeout(20)
    os.remove(signal)
    assert.same({ n = 1, 1 }, pack(client:connect(path)))
    client:send "hello\n"
    assert.same({ n = 3, "hello to you", nil, nil }, pack(client:receive()))
    assert.same({ n = 3, nil, "closed", "" }, pack(client:receive()))
    child:finish()
  end)

  it("is told when the other end is killed", function()
    local path, signal = unix_peers.path(), unix_peers.path "signal"
    io.open(signal, "w"):close()
    local child = process.script(SERVER, path, signal)
    child:expect "^full$"
    local client = unix.stream()
    client:settimeout(20)
    os.remove(signal)
    assert(client:connect(path))
    child:stop()
    assert.same({ n = 3, nil, "closed", "" }, pack(client:receive()))
    assert.same({ n = 3, nil, "closed", 0 }, pack(client:send "x"))
    assert.same({ n = 2, nil, "connection refused" }, pack(unix.stream():connect(path)))
  end)
end)
