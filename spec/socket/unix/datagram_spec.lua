-- Unix datagram sockets: their classes and methods, conversations, and waiting for room.

local cosock = require "cosock"
local socket = require "cosock.socket"
local unix = require "cosock.socket.unix"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local unix_peers = require "spec.support.unix_peers"

local pack, raised = peers.pack, peers.raised

local CLOSED = { n = 2, nil, "closed" }
local REFUSED = { n = 2, nil, "refused" }

local make = {
  ["unixdgram{unconnected}"] = unix.dgram,
  ["unixdgram{connected}"] = function()
    return (unix_peers.datagram_pair(unix))
  end,
}

-- The group of classes each method belongs to; called on another class it raises.
local methods = {
  ["unixdgram{any}"] = {
    "close", "connect", "dirty", "getfd", "getsockname", "gettimeout", "receive", "setfd", "setoption", "setpeername",
    "settimeout",
  },
  ["unixdgram{unconnected}"] = { "bind", "receivefrom", "sendto", "setsockname" },
  ["unixdgram{connected}"] = { "send" },
}

-- Gives the other tasks turns, so that they are in the middle of what they wait for. What a spec expects does not
-- depend on how far they come.
local function let_others_run()
  for _ = 1, 5 do
    socket.sleep(0.001)
  end
end

describe("a unix datagram socket", function()
  teardown(unix_peers.remove_files)

  for class, new in pairs(make) do
    it("has its class in class and tostring: " .. class, function()
      local sock = new()
      assert.equal(class, sock.class)
      assert.matches("^" .. class:gsub("%p", "%%%0") .. ": 0x%x+$", tostring(sock))
      assert.is_true(getmetatable(sock)["unixdgram{any}"])
      assert.is_true(getmetatable(sock)["select{able}"])
    end)

    it(("closes more than once and keeps its class: %s"):format(class), function()
      local sock = new()
      assert.same({ n = 1, 1 }, pack(sock:close()))
      assert.same({ n = 1, 1 }, pack(sock:close()))
      assert.equal(class, sock.class)
      assert.equal(-1, sock:getfd())
      assert.same({ n = 2, nil, "Bad file descriptor" }, pack(sock:getsockname()))
      assert.same(CLOSED, pack(sock:receive()))
      assert.same(CLOSED, pack(sock:connect(unix_peers.path())))
    end)

    it("is never dirty: " .. class, function()
      assert.is_false(new():dirty())
    end)
  end

  for group, names in pairs(methods) do
    for _, name in ipairs(names) do
      it(("has %s, for %s"):format(name, group), function()
        for class, new in pairs(make) do
          local sock = new()
          assert.is_function(sock[name])
          if group ~= "unixdgram{any}" and class ~= group then
            local call = (loadstring or load)(("local sock = ... sock:%s()"):format(name), "=call")
            assert.equal(("calling '%s' on bad self (%s expected)"):format(name, group), raised(function()
              call(sock)
            end))
          end
        end
      end)
    end
  end

  it("takes one option", function()
    local sock = unix.dgram()
    assert.same({ n = 1, 1 }, pack(sock:setoption("reuseaddr", true)))
    assert.matches("%(unsupported option `linger'%)$", raised(function()
      sock:setoption("linger", { on = true, timeout = 1 })
    end))
  end)

  it("raises when the data, the path or the size is none, naming the argument", function()
    local sock, path = unix_peers.datagram(unix)
    for call, message in pairs {
      ["sendto({}, path)"] = "bad argument #1 to 'sendto' (string expected, got table)",
      ["sendto('x', {})"] = "bad argument #2 to 'sendto' (string expected, got table)",
      ["receive('*l')"] = "bad argument #1 to 'receive' (number expected, got string)",
      ["receivefrom(true)"] = "bad argument #1 to 'receivefrom' (number expected, got boolean)",
      ["settimeout(1, 'x')"] = "bad argument #2 to 'settimeout' (invalid timeout mode)",
    } do
      local run_call = (loadstring or load)(("local sock, path = ... sock:%s"):format(call), "=call")
      assert.equal(message, raised(function()
        run_call(sock, path)
      end))
    end
  end)

  it("cannot send or tell a sender when it is closed", function()
    local sender, receiver, path = unix_peers.datagram_pair(unix)
    sender:close()
    receiver:close()
    assert.same(REFUSED, pack(sender:send "x"))
    assert.same(REFUSED, pack(receiver:sendto("x", path)))
    assert.same(CLOSED, pack(receiver:receivefrom()))
  end)
end)

for place, it in peers.inside_and_outside(it) do
  describe("unix datagrams " .. place, function()
    teardown(unix_peers.remove_files)

    it("arrive one by one, with the path of their sender", function()
      local a, a_path = unix_peers.datagram(unix)
      local b, b_path = unix_peers.datagram(unix)
      assert.same({ n = 1, 5 }, pack(a:sendto("first", b_path)))
      assert.same({ n = 1, 0 }, pack(a:sendto("", b_path)))
      assert.same({ n = 1, 2 }, pack(unix.dgram():sendto(33, b_path)))
      assert.same({ n = 2, "first", a_path }, pack(b:receivefrom()))
      assert.same({ n = 2, "", a_path }, pack(b:receivefrom()))
      assert.same({ n = 2, "33", "" }, pack(b:receivefrom())) -- its sender is not bound
      b:sendto("answer", a_path)
      assert.same({ n = 1, "answer" }, pack(a:receive()))
    end)

    it("can be answered when their sender has an abstract name", function()
      local server, path = unix_peers.datagram(unix)
      local client = unix.dgram()
      local name = unix_peers.abstract("client\0of " .. place)
      assert(client:bind(name))
      assert(client:connect(path))
      client:send "question"
      local question, sender = server:receivefrom()
      assert.same({ "question", name }, { question, sender })
      assert.same({ n = 1, 6 }, pack(server:sendto("answer", sender)))
      assert.equal("answer", (client:receive()))
      client:close()
      assert.same({ n = 2, nil, "connection refused" }, pack(server:sendto("again", sender)))
    end)

    it("can be answered when the system has named their sender", function()
      local server, path = unix_peers.datagram(unix)
      local client = unix.dgram()
      assert.same({ n = 1, 1 }, pack(client:bind ""))
      client:sendto("question", path)
      local _, sender = server:receivefrom()
      assert.matches("^%z", sender)
      server:sendto("answer", sender)
      assert.equal("answer", (client:receive()))
    end)

    it("are cut to the size asked for, 8192 bytes by default", function()
      local sender, receiver = unix_peers.datagram_pair(unix)
      local large = ("0123456789"):rep(1000)
      for _, size in ipairs { 0, 1, 9999, 10000, 10001 } do
        sender:send(large)
        assert.equal(large:sub(1, size), (receiver:receive(size)))
      end
      sender:send(large)
      assert.equal(large:sub(1, 8192), (receiver:receive()))
      sender:send(large)
      assert.equal(large:sub(1, 8192), (receiver:receivefrom()))
      sender:send "next"
      assert.equal("next", (receiver:receive()))
    end)

    it("may be larger than those of UDP", function()
      local sender, receiver = unix_peers.datagram_pair(unix)
      local large = ("0123456789"):rep(15000)
      for _, size in ipairs { 70000, 150000, 1000000000 } do
        assert.same({ n = 1, #large }, pack(sender:send(large)))
        assert.is_true(receiver:receive(size) == large:sub(1, size))
      end
    end)

    it("may not be larger than the system allows", function()
      local sender, _, path = unix_peers.datagram_pair(unix)
      local too_large = ("x"):rep(10000000)
      assert.same({ n = 2, nil, "Message too long" }, pack(sender:send(too_large)))
      assert.same({ n = 2, nil, "Message too long" }, pack(unix.dgram():sendto(too_large, path)))
      assert.same({ n = 1, 1 }, pack(sender:send "x"))
    end)

    it("cannot be received into more memory than there is", function()
      local sender, receiver = unix_peers.datagram_pair(unix)
      sender:send "x"
      for _, size in ipairs { -1, 2 ^ 40, 1e300, math.huge, 0 / 0 } do
        assert.same({ n = 2, nil, "out of memory" }, pack(receiver:receive(size)))
        assert.same({ n = 2, nil, "out of memory" }, pack(receiver:receivefrom(size)))
      end
      assert.equal("x", (receiver:receive()))
    end)

    it("find no receiver that is closed or whose file is removed", function()
      local sender, receiver, path = unix_peers.datagram_pair(unix)
      local other = unix.dgram()
      receiver:close()
      assert.same({ n = 2, nil, "connection refused" }, pack(other:sendto("x", path)))
      assert.same({ n = 2, nil, "connection refused" }, pack(sender:send "x"))
      assert(os.remove(path))
      assert.same({ n = 2, nil, "No such file or directory" }, pack(other:sendto("x", path)))
      assert.same({ n = 2, nil, "path too long" }, pack(other:sendto("x", ("x"):rep(108))))
      assert.same({ n = 2, nil, "path contains a NUL" }, pack(other:sendto("x", path .. "\0")))
      assert.same({ n = 2, nil, "Invalid argument" }, pack(other:sendto("x", "")))
      local successor = unix_peers.datagram(unix, path)
      assert.same({ n = 1, 1 }, pack(other:sendto("y", path)))
      assert.equal("y", (successor:receive()))
    end)

    it("find no receiver that is a stream", function()
      local _, path = unix_peers.server(unix)
      assert.same({ n = 2, nil, "Protocol wrong type for socket" }, pack(unix.dgram():sendto("x", path)))
    end)

    it("go to another peer after another connect", function()
      local sender = unix_peers.datagram_pair(unix)
      local other, path = unix_peers.datagram(unix)
      assert.same({ n = 1, 1 }, pack(sender:connect(path)))
      sender:send "x"
      assert.equal("x", (other:receive()))
      assert.same({ n = 2, nil, "No such file or directory" }, pack(sender:connect(unix_peers.path())))
      assert.equal("unixdgram{connected}", sender.class)
      assert.same(REFUSED, pack(sender:send "x"))
    end)

    it("run out of time, both ways, without working meanwhile", function()
      local sender, receiver, path = unix_peers.datagram_pair(unix)
      local other = unix.dgram()
      local function times_out(sock, method, ...)
        sock:settimeout(0.1)
        local arguments, work = pack(...), os.clock()
        local seconds = peers.seconds(function()
          assert.same({ n = 2, nil, "timeout" }, pack(sock[method](sock, arguments[1], arguments[2])))
        end)
        assert.is_true(seconds >= 0.095)
        assert.is_true(os.clock() - work < 0.09)
        sock:settimeout(0)
        assert.same({ n = 2, nil, "timeout" }, pack(sock[method](sock, arguments[1], arguments[2])))
      end
      times_out(receiver, "receive")
      times_out(receiver, "receivefrom")
      unix_peers.fill(unix, path)
      times_out(sender, "send", "x")
      times_out(other, "sendto", "x", path)
    end)
  end)
end

describe("a task that sends a unix datagram to a full queue", function()
  teardown(unix_peers.remove_files)

  for _, method in ipairs { "send", "sendto" } do
    it(("waits until there is room and lets others run: %s"):format(method), function()
      local sender, receiver, path = unix_peers.datagram_pair(unix)
      if method == "sendto" then
        sender = unix.dgram()
      end
      local held = unix_peers.fill(unix, path)
      local sent, turns = nil, 0
      run.tasks(function()
        sent = pack(sender[method](sender, "at last", path))
      end, function()
        repeat
          turns = turns + 1
          socket.sleep(0.001)
          if turns == 20 then
            assert.is_nil(sent)
            assert.equal("1", (receiver:receive()))
          end
        until sent
      end)
      assert.same({ n = 1, 7 }, sent)
      for index = 2, held do
        assert.equal(tostring(index), (receiver:receive()))
      end
      assert.equal("at last", (receiver:receive()))
    end)

    it(("learns that its socket is closed: %s"):format(method), function()
      local sender, _, path = unix_peers.datagram_pair(unix)
      if method == "sendto" then
        sender = unix.dgram()
      end
      unix_peers.fill(unix, path)
      local sent
      run.tasks(function()
        sent = pack(sender[method](sender, "x", path))
      end, function()
        let_others_run()
        sender:close()
      end)
      assert.same(REFUSED, sent)
    end)

    it(("learns that the receiver is closed: %s"):format(method), function()
      local sender, receiver, path = unix_peers.datagram_pair(unix)
      if method == "sendto" then
        sender = unix.dgram()
      end
      unix_peers.fill(unix, path)
      local sent
      run.tasks(function()
        sent = pack(sender[method](sender, "x", path))
      end, function()
        let_others_run()
        receiver:close()
      end)
      assert.same({ n = 2, nil, "connection refused" }, sent)
    end)
  end

  it("is one of twenty on one socket, and nothing is lost", function()
    local receiver, path = unix_peers.datagram(unix)
    local sender = unix.dgram()
    local seen, count = {}, 0
    run.task(function()
      for index = 1, 20 do
        cosock.spawn(function()
          for round = 1, 20 do
            local text = index .. " " .. round
            assert.equal(#text, (sender:sendto(text, path)))
          end
        end)
      end
      for _ = 1, 20 * 20 do
        local text = receiver:receive()
        assert.is_nil(seen[text])
        seen[text], count = true, count + 1
      end
    end)
    assert.equal(400, count)
  end)
end)

describe("a task that receives unix datagrams", function()
  teardown(unix_peers.remove_files)

  it("waits for them, and is told when its socket is closed", function()
    local sender, receiver = unix_peers.datagram_pair(unix)
    local first, second
    run.tasks(function()
      first = pack(receiver:receivefrom())
      second = pack(receiver:receivefrom())
    end, function()
      let_others_run()
      sender:send "x"
      let_others_run()
      receiver:close()
    end)
    assert.same({ n = 2, "x", "" }, first)
    assert.same(CLOSED, second)
  end)

  it("is served in turn when there are several", function()
    local sender, receiver = unix_peers.datagram_pair(unix)
    local received = {}
    local function reader(index)
      return function()
        received[index] = receiver:receive()
      end
    end
    run.tasks(reader(1), reader(2), reader(3), function()
      let_others_run()
      for index = 1, 3 do
        sender:send("datagram " .. index)
      end
    end)
    assert.same({ "datagram 1", "datagram 2", "datagram 3" }, received)
  end)

  it("finds the socket ready by select", function()
    local sender, receiver = unix_peers.datagram_pair(unix)
    local ready, writable
    run.tasks(function()
      ready = socket.select({ receiver }, nil, 10)
      writable = select(2, socket.select(nil, { sender }, 10))
    end, function()
      let_others_run()
      sender:send ""
    end)
    assert.same({ receiver }, ready)
    assert.same({ sender }, writable)
    assert.equal("", (receiver:receive()))
  end)
end)
