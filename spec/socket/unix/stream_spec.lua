-- Unix stream sockets: their classes and methods, and conversations. Waiting for others: waiting_spec.lua.

local socket = require "cosock.socket"
local unix = require "cosock.socket.unix"
local peers = require "spec.support.peers"
local unix_peers = require "spec.support.unix_peers"

local pack, raised = peers.pack, peers.raised

-- One socket of each class.
local make = {
  ["unixstream{master}"] = unix.stream,
  ["unixstream{client}"] = function()
    return (unix_peers.pair(unix))
  end,
  ["unixstream{server}"] = function()
    return (unix_peers.server(unix))
  end,
}

-- The group of classes each method belongs to; called on another class it raises.
local methods = {
  ["unixstream{any}"] = { "close", "dirty", "getfd", "getsockname", "setfd", "setoption", "settimeout" },
  ["unixstream{client}"] = { "getstats", "receive", "send", "setstats", "shutdown" },
  ["unixstream{master}"] = { "bind", "connect", "listen", "setpeername", "setsockname" },
  ["unixstream{server}"] = { "accept" },
}

describe("a unix stream", function()
  teardown(unix_peers.remove_files)

  for class, new in pairs(make) do
    it("has its class in class and tostring: " .. class, function()
      local sock = new()
      assert.equal(class, sock.class)
      assert.matches("^" .. class:gsub("%p", "%%%0") .. ": 0x%x+$", tostring(sock))
      assert.is_true(getmetatable(sock)["unixstream{any}"])
    end)

    it(("closes more than once and keeps its class: %s"):format(class), function()
      local sock = new()
      assert.same({ n = 1, 1 }, pack(sock:close()))
      assert.same({ n = 1, 1 }, pack(sock:close()))
      assert.equal(class, sock.class)
      assert.equal(-1, sock:getfd())
      assert.same({ n = 2, nil, "Bad file descriptor" }, pack(sock:getsockname()))
      assert.same({ n = 2, nil, "setsockopt failed" }, pack(sock:setoption("reuseaddr", true)))
    end)

    it("can be borrowed: " .. class, function()
      local sock = new()
      assert.equal(sock, sock.inner_sock)
      assert.is_function(sock.setwaker)
      assert.is_function(sock._wake)
    end)
  end

  for group, names in pairs(methods) do
    for _, name in ipairs(names) do
      it(("has %s, for %s"):format(name, group), function()
        for class, new in pairs(make) do
          local sock = new()
          assert.is_function(sock[name])
          if group ~= "unixstream{any}" and class ~= group then
            local call = (loadstring or load)(("local sock = ... sock:%s()"):format(name), "=call")
            assert.equal(("calling '%s' on bad self (%s expected)"):format(name, group), raised(function()
              call(sock)
            end))
          end
        end
      end)
    end
  end

  it("is another family than TCP", function()
    local client, tcp = make["unixstream{client}"](), peers.pair(socket)
    local send = client.send
    assert.equal("bad argument #1 to 'send' (unixstream{client} expected)", raised(function()
      send(tcp, "x")
    end))
    assert.equal("bad argument #1 to 'send' (tcp{client} expected)", raised(function()
      send = tcp.send
      send(client, "x")
    end))
  end)

  it("raises when a path or a pattern is none, naming the argument", function()
    local master, client = unix.stream(), unix_peers.pair(unix)
    for _, bad in ipairs { {}, true, print } do
      for _, method in ipairs { "bind", "connect" } do
        local message = raised(function()
          local ok = master[method](master, bad)
          return ok
        end)
        assert.matches("#%d to '" .. method .. "' %(string expected, got " .. type(bad) .. "%)$", message)
      end
    end
    assert.matches("bad argument #1 to 'receive' %(invalid receive pattern%)$", raised(function()
      client:receive("*x")
    end))
    assert.matches("bad argument #1 to 'listen' %(number expected, got string%)$", raised(function()
      master:listen("many")
    end))
  end)

  it("takes the options of its family and no others", function()
    for class, new in pairs(make) do
      local sock = new()
      assert.same({ n = 1, 1 }, pack(sock:setoption("reuseaddr", true)))
      assert.same({ n = 1, 1 }, pack(sock:setoption("keepalive", false)))
      assert.same({ n = 1, 1 }, pack(sock:setoption("linger", { on = true, timeout = 1 })))
      for _, name in ipairs { "reuseport", "tcp-nodelay", "error", "broadcast", "send-buffer-size", "nonsense" } do
        assert.matches("%(unsupported option `" .. name:gsub("%p", "%%%0") .. "'%)$", raised(function()
          sock:setoption(name, true)
        end), class)
      end
      assert.matches("bad argument #2 to 'setoption' %(boolean expected, got number%)$", raised(function()
        sock:setoption("keepalive", 1)
      end))
    end
  end)

  it("is closed when it is collected", function()
    local server, path = unix_peers.server(unix)
    do
      local client = assert(unix.stream())
      assert(client:connect(path))
      assert.equal(6, (client:send "hello\n"))
    end
    local peer = server:accept()
    collectgarbage()
    collectgarbage()
    assert.equal("hello", (peer:receive()))
    assert.same({ n = 3, nil, "closed", "" }, pack(peer:receive()))
  end)

  it("lets a descriptor be taken from one object to another", function()
    local client, peer = unix_peers.pair(unix)
    local other = unix_peers.pair(unix)
    other:close()
    assert.same({ n = 0 }, pack(other:setfd(client:getfd())))
    client:setfd(-1)
    peer:send "for the other\n"
    assert.equal("for the other", (other:receive()))
    other:close()
  end)
end)

describe("a unix server", function()
  teardown(unix_peers.remove_files)

  it("becomes one by listen, and only then", function()
    local master = unix.stream()
    assert.same({ n = 2, nil, "Invalid argument" }, pack(master:listen())) -- it has no path
    assert.equal("unixstream{master}", master.class)
    assert(master:bind(unix_peers.path()))
    assert.same({ n = 1, 1 }, pack(master:listen()))
    assert.equal("unixstream{server}", master.class)
  end)

  it("answers nobody until it listens, and when it is closed", function()
    local server, path = unix.stream(), unix_peers.path()
    assert(server:bind(path))
    assert.same({ n = 2, nil, "connection refused" }, pack(unix.stream():connect(path)))
    assert(server:listen())
    assert.same({ n = 1, 1 }, pack(unix.stream():connect(path)))
    server:close()
    assert.same({ n = 2, nil, "connection refused" }, pack(unix.stream():connect(path)))
    assert.same({ n = 2, nil, "closed" }, pack(server:accept()))
  end)

  it("cannot be found any more without its file, but keeps its connections", function()
    local server, path = unix_peers.server(unix)
    local client = unix.stream()
    assert(client:connect(path))
    assert(os.remove(path))
    assert.same({ n = 2, nil, "No such file or directory" }, pack(unix.stream():connect(path)))
    local peer = assert(server:accept())
    assert.same({ n = 1, path }, pack(peer:getsockname()))
    client:send "still here\n"
    assert.equal("still here", (peer:receive()))
    local successor = unix_peers.server(unix, path) -- whose path is free again
    assert(unix.stream():connect(path))
    assert.equal("unixstream{client}", successor:accept().class)
  end)

  it("drops those whom it has not accepted when it is closed", function()
    local server, path = unix_peers.server(unix)
    local client = unix.stream()
    assert(client:connect(path))
    server:close()
    assert.same({ n = 3, nil, "closed", "" }, pack(client:receive()))
  end)
end)

for place, it in peers.inside_and_outside(it) do
  describe("a unix connection " .. place, function()
    teardown(unix_peers.remove_files)

    it("is made by connect and accept", function()
      local server, path = unix_peers.server(unix)
      local client = unix.stream()
      assert.same({ n = 1, 1 }, pack(client:connect(path)))
      assert.equal("unixstream{client}", client.class)
      assert.same({ n = 1, "" }, pack(client:getsockname()))
      local accepted = pack(server:accept())
      assert.equal(1, accepted.n)
      assert.equal("unixstream{client}", accepted[1].class)
      assert.same({ n = 1, path }, pack(accepted[1]:getsockname()))
    end)

    it("is made over an abstract name", function()
      local name = unix_peers.abstract "conversation\0with a NUL"
      local server = unix_peers.server(unix, name .. place)
      local client = unix.stream()
      assert.same({ n = 1, 1 }, pack(client:connect(name .. place)))
      client:send "hello\n"
      assert.equal("hello", (server:accept():receive()))
      assert.same({ n = 2, nil, "connection refused" }, pack(unix.stream():connect(name)))
    end)

    it("carries lines, counts and all the rest", function()
      local client, peer = unix_peers.pair(unix)
      assert.same({ n = 3, 19, nil, nil }, pack(client:send "line\r\nfour\0and more"))
      assert.same({ n = 3, "line", nil, nil }, pack(peer:receive()))
      assert.is_true(peer:dirty())
      assert.same({ n = 3, ">four", nil, nil }, pack(peer:receive(5, ">")))
      client:close()
      assert.same({ n = 3, "\0and more", nil, nil }, pack(peer:receive "*a"))
      assert.same({ n = 3, nil, "closed", "" }, pack(peer:receive "*a"))
      assert.is_false(peer:dirty())
      local received, sent, age = peer:getstats()
      assert.same({ 19, 0 }, { received, sent })
      assert.is_true(age >= 0)
    end)

    it("runs out of time", function()
      local client, peer = unix_peers.pair(unix)
      client:send "part"
      for _, mode in ipairs { "b", "t" } do
        peer:settimeout(0.02, mode)
        local seconds = peers.seconds(function()
          assert.same({ n = 3, nil, "timeout", mode == "b" and "part" or "" }, pack(peer:receive()))
        end)
        assert.is_true(seconds >= 0.019)
      end
      local server = unix_peers.server(unix)
      server:settimeout(0)
      assert.same({ n = 2, nil, "timeout" }, pack(server:accept()))
      client:settimeout(0.02)
      local last, err, sent = client:send(peers.too_much)
      assert.same({ nil, "timeout" }, { last, err })
      assert.is_true(sent > 0)
    end)

    it("ends when the peer closes", function()
      local client, peer = unix_peers.pair(unix)
      client:close()
      assert.same({ n = 3, nil, "closed", 0 }, pack(peer:send "x"))
      assert.same({ n = 3, nil, "closed", "" }, pack(peer:receive()))
    end)

    it("ends when the peer closes without having read all", function()
      local client, peer = unix_peers.pair(unix)
      peer:send "never read"
      client:close()
      assert.same({ n = 3, nil, "closed", "" }, pack(peer:receive()))
    end)

    it("can be shut down in one direction", function()
      local client, peer = unix_peers.pair(unix)
      client:send "request"
      assert.same({ n = 1, 1 }, pack(client:shutdown "send"))
      assert.same({ n = 3, nil, "closed", 0 }, pack(client:send "more"))
      assert.equal("request", (peer:receive "*a"))
      peer:send "answer\n"
      assert.equal("answer", (client:receive()))
    end)
  end)
end
