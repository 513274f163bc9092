-- Several tasks on one connection, and a peer that changes keys or renegotiates in the midst of it.

local cosock = require "cosock"
local openssl = require "spec.support.openssl"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local socket = require "cosock.socket"
local ssl = require "cosock.ssl"
local tls = require "spec.support.tls"

local pack = peers.pack
local unpack = table.unpack or unpack -- luacheck: ignore 143

after_each(openssl.stop_all)

-- Gives the other tasks turns, so that they are in the middle of what they wait for. What a spec expects does not
-- depend on how far they come.
local function let_others_run()
  for _ = 1, 5 do
    socket.sleep(0.001)
  end
end

describe("several tasks on one connection", function()
  it("send whole messages, one after the other", function()
    local one, other = tls.pair()
    local SIZE = 3000000
    local all
    run.tasks(function()
      assert.equal(SIZE, (one:send(("a"):rep(SIZE))))
    end, function()
      assert.equal(SIZE, (one:send(("b"):rep(SIZE))))
    end, function()
      let_others_run()
      all = other:receive(2 * SIZE)
    end)
    assert.is_true(all == ("a"):rep(SIZE) .. ("b"):rep(SIZE))
  end)

  it("receive whole lines, first come, first served", function()
    local one, other = tls.pair()
    local lines = {}
    local function reader(index)
      return function()
        lines[index] = other:receive()
      end
    end
    run.tasks(reader(1), reader(2), reader(3), function()
      let_others_run()
      one:send("1\n2")
      let_others_run()
      one:send("\n3\n")
    end)
    assert.same({ "1", "2", "3" }, lines)
  end)

  it("receive large pieces of what came at once, first come, first served", function()
    local one, other = tls.pair()
    local sizes = { 8192, 100, 20000, 4096, 7612 }
    local data = ("0123456789"):rep(4000)
    local tasks, received = {}, {}
    for index, size in ipairs(sizes) do
      tasks[index] = function()
        received[index] = other:receive(size)
      end
    end
    tasks[#tasks + 1] = function()
      let_others_run()
      one:send(data)
    end
    run.tasks(unpack(tasks))
    local from = 1
    for index, size in ipairs(sizes) do
      assert.is_true(received[index] == data:sub(from, from + size - 1), index)
      from = from + size
    end
  end)

  it("are all told when it is closed", function()
    local one, other = tls.pair()
    local received, sent
    one:send("partial")
    run.tasks(function()
      received = pack(other:receive())
    end, function()
      sent = pack(other:send(("x"):rep(30000000)))
    end, function()
      let_others_run()
      other:settimeout(0)
      other:close()
    end)
    assert.same({ n = 3, nil, "closed", "partial" }, received)
    assert.is_nil(sent[1])
    assert.equal("closed", sent[2])
    assert.is_true(sent[3] < 30000000)
  end)

  it("are handed what has arrived when it is closed although more and more arrives", function()
    local one, other = tls.pair()
    local received = peers.close_in_a_flood(other, one, 1e9)
    assert.same({ n = 3, nil, "closed" }, { n = received.n, received[1], received[2] })
    assert.is_true(#received[3] > 1000000) -- the rest is on its way
  end)

  it("are all told that the peer will send no more, although its connection stays", function()
    local client, server, relay, forth, back = tls.relayed()
    local received = {}
    local function reader(index)
      return function()
        received[index] = pack(client:receive())
        if received[1] and received[2] then
          relay:close()
        end
      end
    end
    run.tasks(forth, back, function()
      assert(server:dohandshake())
      server:send("par")
      assert(server:receive())
      -- What is left comes in one piece.
      server:settimeout(0)
      server:send("tial\n")
      server:close()
    end, function()
      assert(client:dohandshake())
      client:settimeout(10)
      cosock.spawn(reader(1))
      cosock.spawn(reader(2))
      let_others_run()
      client:send("go on\n")
    end)
    assert.same({ pack("partial", nil, nil), pack(nil, "closed", "") }, received)
  end)

  it("are all told that something is wrong with it", function()
    local one, other = tls.pair()
    local received, sent = {}, {}
    local function reader(index)
      return function()
        received[index] = pack(other:receive())
      end
    end
    local function sender(index)
      return function()
        sent[index] = pack(other:send(("x"):rep(30000000)))
      end
    end
    local writable
    run.tasks(reader(1), reader(2), sender(1), sender(2), sender(3), sender(4), function()
      let_others_run()
      writable = select(2, socket.select(nil, { other }))
    end, function()
      let_others_run()
      let_others_run()
      local plain = socket.tcp()
      plain:connect("127.0.0.1", 0) -- fails, but makes it a client
      plain:setfd(one:getfd())
      plain:send("\23\3\3\0\32" .. ("x"):rep(32))
      plain:setfd(-1)
    end)
    assert.same({ n = 3, nil, "decryption failed or bad record mac", "" }, received[1])
    assert.same({ n = 3, nil, "closed", "" }, received[2])
    assert.is_nil(sent[1][1])
    assert.equal("closed", sent[1][2])
    assert.is_true(sent[1][3] < 30000000)
    for index = 2, 4 do
      assert.same({ n = 3, nil, "closed", 0 }, sent[index])
    end
    assert.equal(other, writable[1])
  end)

  it("are told when it is closed in the midst of its handshake", function()
    local connection = tls.ends(tls.client(), tls.server())
    local outcome
    run.tasks(function()
      outcome = pack(connection:dohandshake())
    end, function()
      let_others_run()
      connection:close()
    end)
    assert.is_falsy(outcome[1])
    assert.equal("closed", outcome[2])
  end)

  it("leave nothing behind when they are cancelled", function()
    local one, other = tls.pair()
    local line
    run.tasks(function()
      local reader = cosock.spawn(function()
        other:receive()
      end)
      let_others_run()
      one:send("partial ")
      let_others_run()
      reader:cancel()
      one:send("line\n")
      line = other:receive()
    end)
    assert.equal("partial line", line)
  end)
end)

describe("a peer", function()
  -- A client of ours, and `openssl s_server`.
  local function connect(options, filter)
    local program, port = openssl.server(options, filter)
    local connection = assert(ssl.wrap(assert(socket.connect("127.0.0.1", port)), tls.client()))
    assert(connection:dohandshake())
    return connection, program
  end

  -- A server of ours, and `openssl s_client`.
  local function accept(options, changes, filter)
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local program = openssl.client(port, options, filter)
    local connection = assert(ssl.wrap(assert(listener:accept()), tls.server(changes)))
    listener:close()
    assert(connection:dohandshake())
    return connection, program
  end

  -- A line at a time, with a command in front of each. `announced` is what openssl says when it has obeyed. A client
  -- of openssl's that renegotiates takes data from us for an error, so then there are none.
  local function exchange(connection, program, command, announced, is_silent)
    local received = 0
    run.tasks(function()
      for index = 1, 3 do
        assert.equal("line " .. index, connection:receive())
        received = index
      end
    end, function()
      for index = 1, 3 do
        program:write(command)
        program:expect(announced)
        assert(is_silent or connection:send("from us\n"))
        program:write("line " .. index)
        while received < index do
          socket.sleep(0.001)
        end
        -- Sent when a handshake that the command began is over: amid one, openssl passes over the next command.
        assert(is_silent or connection:send("more from us\n"))
      end
    end)
    connection:close()
    program:finish()
  end

  for title, command in pairs { ["asks for new keys"] = "K", ["changes its keys"] = "k" } do
    it(title .. " as a server, and nobody is disturbed", function()
      local connection, program = connect("-tls1_3 -msg")
      exchange(connection, program, command, "^>>> .*KeyUpdate")
    end)

    it(title .. " as a client, and nobody is disturbed", function()
      local connection, program = accept("-tls1_3 -msg")
      exchange(connection, program, command, "^>>> .*KeyUpdate")
    end)
  end

  -- The same while we send as fast as it takes it. What it says of that is left out of its output.
  local function exchange_under_load(connection, program, command)
    local received, sent, done = 0, 0, false
    local piece = (("x"):rep(63) .. "\n"):rep(256)
    run.tasks(function()
      for index = 1, 3 do
        assert.equal("line " .. index, connection:receive())
        received = index
      end
    end, function()
      repeat
        assert.equal(#piece, (connection:send(piece)))
        sent = sent + 1
        socket.sleep(0)
      until done
    end, function()
      for index = 1, 3 do
        local before = sent
        program:write(command)
        program:expect ">>> .*KeyUpdate"
        program:write("line " .. index)
        while received < index or sent == before do
          socket.sleep(0.001)
        end
      end
      done = true
    end)
    connection:close()
    program:finish()
  end

  for title, command in pairs { ["asks for new keys"] = "K", ["changes its keys"] = "k" } do
    it(title .. " as a server under load, and nobody is disturbed", function()
      local connection, program = connect("-tls1_3 -msg", "grep --line-buffered -a -e ^ACCEPT -e KeyUpdate")
      exchange_under_load(connection, program, command)
    end)

    it(title .. " as a client under load, and nobody is disturbed", function()
      local connection, program = accept("-tls1_3 -msg", nil, "grep --line-buffered -a KeyUpdate")
      exchange_under_load(connection, program, command)
    end)
  end

  it("asks for new keys again and again, and what is behind that is not kept waiting", function()
    local connection, program = connect("-tls1_3 -msg")
    for _ = 1, 100 do
      program:write "K"
      program:expect "^>>> .*KeyUpdate"
    end
    program:write "line"
    connection:settimeout(30)
    assert.equal("line", connection:receive())
    connection:close()
    program:finish()
  end)

  it("renegotiates as a server, and nobody is disturbed", function()
    local connection, program = connect("-tls1_2 -msg")
    exchange(connection, program, "r", "^>>> .*HelloRequest")
  end)

  it("renegotiates as a client, and nobody is disturbed", function()
    local connection, program = accept("-tls1_2", { options = "allow_client_renegotiation" })
    exchange(connection, program, "R", "RENEGOTIATING", true)
  end)

  it("that must not renegotiate is refused", function()
    local connection, program = accept("-tls1_2")
    program:write "R"
    run.tasks(function()
      connection:settimeout(10)
      local _, err = connection:receive()
      -- OpenSSL's client takes the refusal for a failure.
      assert.equal("sslv3 alert handshake failure", err)
    end)
    connection:close()
  end)

  it("is openssl, which closes", function()
    local connection, program = accept("-tls1_3 -msg")
    program:write "last words"
    run.tasks(function()
      assert.equal("last words", connection:receive())
      program:write "Q"
      assert.same({ n = 3, nil, "closed", "" }, pack(connection:receive()))
    end)
    program:finish()
  end)
end)
