-- Unix streams in tasks: waiting for each other, for a full backlog, being closed and cancelled meanwhile.

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

describe("tasks with unix streams", function()
  teardown(unix_peers.remove_files)

  it("wait for each other's connections and lines", function()
    local server, path = unix_peers.server(unix)
    local question, answer
    run.tasks(function()
      local peer = server:accept()
      question = peer:receive()
      peer:send "answer\n"
    end, function()
      let_others_run()
      local client = unix.stream()
      client:connect(path)
      let_others_run()
      client:send "question\n"
      answer = client:receive()
    end)
    assert.same({ "question", "answer" }, { question, answer })
  end)

  it("send more than the system holds", function()
    local client, peer = unix_peers.pair(unix)
    local sent, received
    run.tasks(function()
      sent = pack(client:send(peers.too_much))
      client:close()
    end, function()
      received = peer:receive "*a"
    end)
    assert.same({ n = 3, #peers.too_much, nil, nil }, sent)
    assert.is_true(received == peers.too_much)
  end)

  it("receive on one stream in the order they came, and send whole messages", function()
    local client, peer = unix_peers.pair(unix)
    local lines = {}
    local function reader(index)
      return function()
        lines[index] = client:receive()
      end
    end
    local big = ("x"):rep(1000000)
    run.tasks(reader(1), reader(2), reader(3), function()
      peer:send("1" .. big .. "\n")
    end, function()
      peer:send("2" .. big .. "\n")
    end, function()
      peer:send("3" .. big .. "\n")
    end)
    for index = 1, 3 do
      assert.is_true(lines[index] == index .. big)
    end
  end)

  it("let others run although they never have to wait", function()
    local client, peer = unix_peers.pair(unix)
    local done, turns = false, 0
    run.tasks(function()
      while not done and turns < 1000000 do
        turns = turns + 1
        client:send "x\n"
        peer:receive()
      end
    end, function()
      socket.sleep(0.001)
      done = true
    end)
    assert.is_true(done and turns < 1000000)
  end)

  it("talk to one server, twenty at once, each with its own answers", function()
    local CLIENTS, ROUNDS = 20, 20
    local server, path = unix_peers.server(unix, nil, CLIENTS)
    local answered = 0
    local function serve(peer)
      local line = peer:receive()
      while line do
        peer:send(line .. "!\n")
        line = peer:receive()
      end
      peer:close()
    end
    local before = descriptors.count()
    run.task(function()
      cosock.spawn(function()
        for _ = 1, CLIENTS do
          cosock.spawn(serve, "server", (assert(server:accept())))
        end
      end)
      for index = 1, CLIENTS do
        cosock.spawn(function()
          local client = unix.stream()
          assert(client:connect(path))
          for round = 1, ROUNDS do
            local line = ("client %d round %d"):format(index, round)
            client:send(line .. "\n")
            assert.equal(line .. "!", (client:receive()))
            answered = answered + 1
          end
          client:close()
        end)
      end
    end)
    assert.equal(CLIENTS * ROUNDS, answered)
    assert.equal(before, descriptors.count())
  end)

  it("select among streams, servers and other sockets", function()
    local server, path = unix_peers.server(unix)
    local client, peer = unix_peers.pair(unix)
    local udp = peers.udp(socket)
    local found = {}
    run.tasks(function()
      for _ = 1, 2 do
        local ready = assert(socket.select({ udp, server, client }, nil, 10))
        assert.equal(1, #ready)
        found[#found + 1] = ready[1]
        if ready[1] == server then
          server:accept()
          peer:send "x\n"
        end
      end
      local _, writable = socket.select(nil, { client }, 10)
      found[#found + 1] = writable[1]
      assert.same({ n = 3, nil, nil, "timeout" }, pack(socket.select({ udp, server }, nil, 0.01)))
    end, function()
      let_others_run()
      assert(unix.stream():connect(path))
    end)
    assert.same({ server, client, client }, found)
  end)

  it("find a stream ready through an object that borrows it", function()
    local client, peer = unix_peers.pair(unix)
    local borrower = { inner_sock = client.inner_sock, setwaker = client.setwaker, _wake = client._wake }
    local ready
    run.tasks(function()
      ready = socket.select({ borrower }, nil, 10)
    end, function()
      let_others_run()
      peer:send "x"
    end)
    assert.same({ borrower }, ready)
  end)
end)

describe("closing a unix stream that tasks wait on", function()
  teardown(unix_peers.remove_files)

  for _, row in ipairs {
    { "receive", function() return (unix_peers.pair(unix)) end, { n = 3, nil, "closed", "" } },
    { "receive", function() return (unix_peers.receiver(unix, "part")) end, { n = 3, nil, "closed", "part" } },
    { "accept", function() return (unix_peers.server(unix)) end, { n = 2, nil, "closed" } },
    { "connect", function() return unix.stream() end, { n = 2, nil, "closed" }, unix_peers.full_server },
  } do
    it(("wakes a task in %s with %s"):format(row[1], row[3][3] or "closed"), function()
      local sock = row[2]()
      local _, path
      if row[4] then
        _, path = row[4](unix)
      end
      local results
      run.tasks(function()
        results = pack(sock[row[1]](sock, path))
      end, function()
        let_others_run()
        assert.equal(1, sock:close())
      end)
      assert.same(row[3], results)
    end)
  end

  it("wakes a task in send with the index of the last byte sent", function()
    local client, peer = unix_peers.pair(unix)
    local sent, err, last
    run.tasks(function()
      sent, err, last = client:send(peers.too_much)
    end, function()
      let_others_run()
      client:close()
    end)
    assert.same({ nil, "closed" }, { sent, err })
    assert.is_true(peer:receive "*a" == peers.too_much:sub(1, last))
  end)
end)

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
