-- Several tasks and their sockets at once: what came first is served first, and bytes are never lost, repeated or
-- mixed up. Closing and cancelling: interruption_spec.lua. Whose turn it is: fairness_spec.lua.

local cosock = require "cosock"
local socket = require "cosock.socket"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

local pack = peers.pack

-- Gives the other tasks turns, so that they are in the middle of what they wait for. What a spec expects does not
-- depend on how far they come.
local function let_others_run()
  for _ = 1, 5 do
    socket.sleep(0.001)
  end
end

describe("two tasks on one socket", function()
  it("send and receive at the same time", function()
    local client, peer = peers.pair(socket)
    local received, answered
    run.tasks(function()
      received = client:receive()
    end, function()
      client:send("question\n")
    end, function()
      answered = peer:receive()
      peer:send("answer to " .. answered .. "\n")
    end)
    assert.same({ "question", "answer to question" }, { answered, received })
  end)

  it("send whole messages, one after the other", function()
    local client, peer = peers.pair(socket)
    local size, all = 2000000, nil
    run.tasks(function()
      assert.equal(size, (client:send(("a"):rep(size))))
    end, function()
      assert.equal(size, (client:send(("b"):rep(size))))
    end, function()
      all = peer:receive(2 * size)
    end)
    assert.is_true(all == ("a"):rep(size) .. ("b"):rep(size))
  end)

  it("keep the order of their sends when the first must wait", function()
    local client, peer = peers.pair(socket)
    local count = peers.fill(client)
    local rest
    run.tasks(function()
      client:send("first,")
    end, function()
      client:send("second,")
    end, function()
      client:send("third\n")
    end, function()
      let_others_run()
      peer:receive(count)
      rest = peer:receive()
    end)
    assert.equal("first,second,third", rest)
  end)
end)

describe("several tasks that receive on one socket", function()
  -- Starts three tasks that each read a line, then `send` with the peer, and gives what the tasks read, in order.
  local function three_readers(send)
    local client, peer = peers.pair(socket)
    local lines = {}
    local function reader(index)
      return function()
        lines[index] = client:receive()
      end
    end
    run.tasks(reader(1), reader(2), reader(3), function()
      let_others_run()
      send(peer)
    end)
    return lines
  end

  it("are served in the order they came", function()
    assert.same({ "one", "two", "three" }, three_readers(function(peer)
      for _, line in ipairs { "one\n", "two\n", "three\n" } do
        peer:send(line)
        let_others_run()
      end
    end))
  end)

  it("are all served when all that they wait for comes at once", function()
    assert.same({ "one", "two", "three" }, three_readers(function(peer)
      peer:send("one\ntwo\nthree\n")
    end))
  end)

  it("wait until the first has all that it asked for", function()
    assert.same({ "one", "two", "three" }, three_readers(function(peer)
      for _, part in ipairs { "o", "ne\nt", "wo", "\n", "three", "\n" } do
        peer:send(part)
        let_others_run()
      end
    end))
  end)

  it("do not take what has arrived for one that came before", function()
    local client, peer = peers.pair(socket)
    local first, second
    run.tasks(function()
      first = client:receive(10)
    end, function()
      peer:send("01234")
      let_others_run()
      second = client:receive(5)
    end, function()
      for _ = 1, 3 do
        let_others_run()
      end
      peer:send("5678901234")
    end)
    assert.same({ "0123456789", "01234" }, { first, second })
  end)

  it("do not take it when their time runs out either", function()
    local client, peer = peers.pair(socket)
    local first, others = nil, {}
    run.tasks(function()
      first = client:receive(10)
    end, function()
      peer:send("01234")
      repeat -- else the first would begin to wait with the limit of the others
        let_others_run()
      until client:dirty()
      for index, limit in ipairs { 0, 0.01 } do
        client:settimeout(limit)
        others[index] = pack(client:receive(5))
        client:settimeout(nil)
      end
      peer:send("56789")
    end)
    assert.equal("0123456789", first)
    assert.same({ { n = 3, nil, "timeout", "" }, { n = 3, nil, "timeout", "" } }, others)
  end)

  it("all learn that the peer has closed", function()
    local client, peer = peers.pair(socket)
    local results = {}
    local function reader(index)
      return function()
        results[index] = pack(client:receive())
      end
    end
    run.tasks(reader(1), reader(2), function()
      let_others_run()
      peer:close()
    end)
    assert.same({ n = 3, nil, "closed", "" }, results[1])
    assert.same({ n = 3, nil, "closed", "" }, results[2])
  end)

  it("do not wait behind one whose time has run out", function()
    local client, peer = peers.pair(socket)
    local first, second
    run.tasks(function()
      client:settimeout(0.02)
      first = pack(client:receive())
      peer:send("for the second\n")
    end, function()
      client:settimeout(nil)
      second = pack(client:receive())
    end)
    assert.same({ n = 3, nil, "timeout", "" }, first)
    assert.same({ n = 3, "for the second", nil, nil }, second)
  end)

  it("do not wait behind one that was cancelled", function()
    local client, peer = peers.pair(socket)
    local line
    run.tasks(function()
      local first = cosock.spawn(function()
        client:receive()
      end)
      cosock.spawn(function()
        line = client:receive()
      end)
      let_others_run()
      first:cancel()
      peer:send("for the second\n")
    end)
    assert.equal("for the second", line)
  end)
end)

describe("several tasks that accept on one server", function()
  it("are served in the order they came", function()
    local server, port = peers.server(socket)
    local served = {}
    local function acceptor(index)
      return function()
        local client = assert(server:accept())
        served[index] = client:receive()
      end
    end
    run.tasks(acceptor(1), acceptor(2), acceptor(3), function()
      let_others_run()
      for index = 1, 3 do
        assert(socket.connect("127.0.0.1", port)):send(("client %d\n"):format(index))
        let_others_run()
      end
    end)
    assert.same({ "client 1", "client 2", "client 3" }, served)
  end)
end)

describe("large amounts", function()
  it("arrive byte for byte", function()
    local client, peer = peers.pair(socket)
    local pieces = {}
    for index = 1, 400000 do
      pieces[index] = ("%09d\n"):format(index)
    end
    local data = table.concat(pieces) -- 4,000,000 bytes, no two pieces alike
    local sent, received
    run.tasks(function()
      sent = pack(client:send(data))
      client:close()
    end, function()
      received = peer:receive("*a")
    end)
    assert.same({ n = 3, #data, nil, nil }, sent)
    assert.equal(#data, #received)
    assert.is_true(received == data)
  end)

  it("arrive byte for byte when read as lines", function()
    local client, peer = peers.pair(socket)
    local count = 0
    run.tasks(function()
      local lines = {}
      for index = 1, 100000 do
        lines[index] = tostring(index)
      end
      client:send(table.concat(lines, "\n") .. "\n")
      client:close()
    end, function()
      local line = peer:receive()
      while line do
        count = count + 1
        if line ~= tostring(count) then
          assert.equal(tostring(count), line)
        end
        line = peer:receive()
      end
    end)
    assert.equal(100000, count)
  end)

  it("are counted from i to j", function()
    local client, peer = peers.pair(socket)
    local data = ("0123456789"):rep(400000)
    local sent, received
    run.tasks(function()
      sent = pack(client:send(data, 11, -11))
      client:close()
    end, function()
      received = peer:receive("*a")
    end)
    assert.same({ n = 3, #data - 10, nil, nil }, sent)
    assert.is_true(received == data:sub(11, -11))
  end)

  it("that time out on the way can be sent on, with nothing lost or repeated", function()
    local client, peer = peers.pair(socket)
    local data = ("0123456789abcdef"):rep(250000)
    local received
    client:settimeout(0.01)
    run.tasks(function()
      local last = 0
      while last < #data do
        local sent, err, partial = client:send(data, last + 1)
        assert(sent or err == "timeout", err)
        last = sent or partial
      end
      client:close()
    end, function()
      let_others_run()
      received = peer:receive("*a")
    end)
    assert.is_true(received == data)
  end)
end)

describe("many connections", function()
  it("are served beside each other", function()
    local CLIENTS, ROUNDS = 100, 10
    local server = assert(socket.bind("127.0.0.1", 0, CLIENTS))
    local _, port = server:getsockname()
    local echoed = 0
    local function serve(client)
      local line = client:receive()
      while line do
        client:send(line .. "\n")
        line = client:receive()
      end
      client:close()
    end
    local function client(index)
      local sock = assert(socket.connect("127.0.0.1", port))
      for round = 1, ROUNDS do
        local line = ("client %d round %d"):format(index, round)
        sock:send(line .. "\n")
        assert.equal(line, (sock:receive()))
        echoed = echoed + 1
      end
      sock:close()
    end
    run.tasks(function()
      for _ = 1, CLIENTS do
        local accepted = assert(server:accept())
        cosock.spawn(serve, "server", accepted)
      end
    end, function()
      for index = 1, CLIENTS do
        cosock.spawn(client, "client", index)
      end
    end)
    assert.equal(CLIENTS * ROUNDS, echoed)
  end)
end)
