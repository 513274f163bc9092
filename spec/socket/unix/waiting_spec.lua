-- Unix streams in tasks: waiting for each other, being closed meanwhile, running out of descriptors. A full backlog:
-- backlog_spec.lua.

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
    collectgarbage() -- what earlier specs left to it, so that it does not close that meanwhile
    collectgarbage()
    local before = descriptors.settled()
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

describe("a unix server without descriptors", function()
  teardown(unix_peers.remove_files)
  after_each(process.stop_all)

  it("cannot accept, but lets others run, and accepts when there are descriptors again", function()
    local path = unix_peers.path()
    local child = process.script_with_few_descriptors(40, [[
      local cosock = require "cosock"
      local socket = require "cosock.socket"
      local unix = require "cosock.socket.unix"
      local server = unix.stream()
      assert(server:bind(arg[1]))
      assert(server:listen(64))
      local clients, accepted, failures, done = {}, {}, 0, false
      cosock.spawn(function()
        while not done do
          local peer, err = server:accept()
          if peer then
            accepted[#accepted + 1] = peer
          else
            failures = failures + 1
            assert(done or err == "Too many open files", err)
          end
        end
      end)
      cosock.spawn(function()
        while true do
          local client = unix.stream()
          if not client then
            break
          end
          assert(client:connect(arg[1]))
          clients[#clients + 1] = client
        end
        repeat
          socket.sleep(0.001)
        until failures > 0
        local before, since = failures, socket.gettime()
        for _ = 1, 100 do
          socket.sleep(0.001)
        end
        local most = 2 + (socket.gettime() - since) / 0.05
        print(failures - before <= most and "it pauses" or "it spins")
        -- Gives back what the server needs for the rest.
        for index = 1, math.floor(#clients / 2) do
          clients[index]:close()
        end
        while #accepted < #clients do
          for _, peer in ipairs(accepted) do
            peer:close()
          end
          socket.sleep(0.001)
        end
        print "all are accepted"
        done = true
        server:close()
      end)
      cosock.run()
      print "over"
    ]], path)
    assert.equal("it pauses\nall are accepted\nover", (child:finish():gsub("\n$", "")))
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
