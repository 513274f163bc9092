-- The table that `require "cosock.socket"` gives: its constants and the functions that are not sockets.

local cosock = require "cosock"
local socket = require "cosock.socket"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

local pack, raised = peers.pack, peers.raised

describe("the cosock.socket table", function()
  it("is the same as cosock.socket", function()
    assert.equal(socket, cosock.socket)
  end)

  local constants = { _VERSION = "LuaSocket 3.1.0", _DATAGRAMSIZE = 8192, _SOCKETINVALID = -1, BLOCKSIZE = 2048 }
  for name, value in pairs(constants) do
    it(("has %s = %s"):format(name, value), function()
      assert.equal(value, socket[name])
    end)
  end

  it("has the descriptor limit of the process in _SETSIZE", function()
    local shell = assert(io.popen("ulimit -n"))
    local limit = tonumber((shell:read("*l")))
    shell:close()
    assert.equal(limit, socket._SETSIZE)
  end)

  it("has no _DEBUG, which a debug build of LuaSocket sets", function()
    assert.is_nil(socket._DEBUG)
  end)

  for _, name in ipairs {
    "__unload", "bind", "choose", "connect", "connect4", "connect6", "gettime", "newtry", "protect", "select", "sink",
    "skip", "sleep", "source", "tcp4", "tcp6", "try", "udp4", "udp6",
  } do
    it("has the function " .. name, function()
      assert.is_function(socket[name])
    end)
  end

  for _, name in ipairs { "dns", "sinkt", "sourcet" } do
    it("has the table " .. name, function()
      assert.is_table(socket[name])
    end)
  end

  it("makes the same sockets with tcp and udp as with the modules cosock.socket.tcp and .udp", function()
    assert.equal("tcp{master}", socket.tcp().class)
    assert.equal("tcp{master}", require "cosock.socket.tcp"().class)
    assert.equal("udp{unconnected}", socket.udp().class)
    assert.equal("udp{unconnected}", require "cosock.socket.udp"().class)
  end)

  it("has the methods of sockets in these modules", function()
    for _, name in ipairs { "accept", "bind", "close", "connect", "listen", "receive", "send", "settimeout" } do
      assert.is_function(require "cosock.socket.tcp"[name])
    end
    for _, name in ipairs { "close", "receive", "receivefrom", "send", "sendto", "setpeername", "setsockname" } do
      assert.is_function(require "cosock.socket.udp"[name])
    end
  end)

  it("unloads without a result", function()
    assert.same({ n = 0 }, pack(socket.__unload()))
  end)

  if math.type then
    it("gives whole numbers as integers on Lua 5.3 and later", function()
      local client, peer = peers.pair(socket)
      local numbers = {
        send = client:send("abc"),
        getfd = client:getfd(),
        settimeout = client:settimeout(5),
        getstats = client:getstats(),
        setoption = client:setoption("keepalive", true),
        keepidle = client:getoption("tcp-keepidle"),
        port = select(2, client:getpeername()),
        shutdown = client:shutdown(),
        close = client:close(),
        setsize = socket._SETSIZE,
        blocksize = socket.BLOCKSIZE,
      }
      for name, number in pairs(numbers) do
        assert.equal("integer", math.type(number), name)
      end
      peer:close()
    end)
  end
end)

describe("gettime", function()
  it("gives the seconds since 1970 by the wall clock", function()
    -- os.time reads a clock that is a tick late, so that its second may not have begun yet.
    local before = os.time()
    local now = math.floor(socket.gettime())
    assert.is_true(now >= before and now <= os.time() + 1)
  end)

  it("gives fractions of seconds", function()
    local fraction = 0
    for _ = 1, 20 do
      fraction = math.max(fraction, socket.gettime() % 1)
    end
    assert.is_true(fraction > 0)
  end)

  it("ignores arguments", function()
    assert.is_number(socket.gettime("x"))
  end)
end)

describe("sleep", function()
  it("waits at least as long as asked and returns nothing", function()
    run.task(function()
      local results
      local seconds = peers.seconds(function()
        results = pack(socket.sleep(0.05))
      end)
      assert.is_true(seconds >= 0.04)
      assert.same({ n = 0 }, results)
    end)
  end)

  for title, span in pairs { ["zero"] = 0, ["a negative number"] = -5, ["a numeric string"] = "0" } do
    it("returns at once for " .. title, function()
      run.task(function()
        assert.same({ n = 0 }, pack(socket.sleep(span)))
      end)
    end)
  end

  for title, span in pairs { ["NaN"] = 0 / 0, ["a string"] = "x", ["a table"] = {}, ["a boolean"] = true } do
    it("raises for " .. title, function()
      run.task(function()
        assert.matches("^bad argument #1 to 'sleep'", raised(function()
          socket.sleep(span)
        end))
      end)
    end)
  end

  it("raises without an argument", function()
    run.task(function()
      assert.matches("^bad argument #1 to 'sleep' %(number expected, got n", raised(function()
        socket.sleep()
      end))
    end)
  end)

  it("takes spans of any length", function()
    local sleepers = {}
    run.tasks(function()
      for index, span in ipairs { 2 ^ 31, 2 ^ 62, math.huge } do
        sleepers[index] = cosock.spawn(function()
          socket.sleep(span)
        end)
      end
      socket.sleep(0.01)
      for _, sleeper in ipairs(sleepers) do
        assert.is_true(sleeper:is_alive())
        sleeper:cancel()
      end
    end)
  end)

  it("raises outside a task", function()
    assert.matches("attempt to yield from outside a coroutine", raised(function()
      socket.sleep(0)
    end))
  end)
end)

describe("skip", function()
  it("returns its arguments after the first d", function()
    assert.same({ n = 2, "b", "c" }, pack(socket.skip(1, "a", "b", "c")))
    assert.same({ n = 3, "a", "b", "c" }, pack(socket.skip(0, "a", "b", "c")))
  end)

  it("keeps nils", function()
    assert.same({ n = 3, nil, "c", nil }, pack(socket.skip(1, "a", nil, "c", nil)))
  end)

  it("returns nothing when d is too large", function()
    assert.same({ n = 0 }, pack(socket.skip(3, "a", "b")))
    assert.same({ n = 0 }, pack(socket.skip(1)))
  end)

  it("returns everything including d when d is -1", function()
    assert.same({ n = 3, -1, "a", "b" }, pack(socket.skip(-1, "a", "b")))
  end)

  it("takes a numeric string", function()
    assert.same({ n = 1, "b" }, pack(socket.skip("1", "a", "b")))
  end)

  for title, d in pairs { ["a string"] = "x", ["a table"] = {}, ["a boolean"] = true } do
    it("raises when d is " .. title, function()
      assert.matches("^bad argument #1 to 'skip' %(number expected, got ", raised(function()
        socket.skip(d, "a")
      end))
    end)
  end

  if math.type then
    it("raises when d has no integer value", function()
      assert.equal("bad argument #1 to 'skip' (number has no integer representation)", raised(function()
        socket.skip(1.5, "a")
      end))
    end)
  end
end)

describe("choose", function()
  local choose = socket.choose {
    default = function(a, b)
      return "default", a, b
    end,
    named = function(a, b)
      return "named", a, b
    end,
  }

  it("calls the member with the name and passes two arguments", function()
    assert.same({ n = 3, "named", 1, 2 }, pack(choose("named", 1, 2, 3)))
  end)

  it("calls the default, shifted, when the name is no string", function()
    assert.same({ n = 3, "default", 1, 2 }, pack(choose(1, 2, 3)))
    assert.same({ n = 3, "default", nil, 1 }, pack(choose(nil, 1, 2)))
  end)

  it("raises for an unknown name", function()
    assert.equal("unknown key (other)", raised(function()
      choose("other")
    end))
    assert.equal("unknown key (default)", raised(function()
      socket.choose {}(1)
    end))
  end)

  it("blames the caller's caller for it", function()
    local function factory(name)
      local made = choose(name)
      return made
    end
    local line
    local _, message = pcall(function()
      line = debug.getinfo(1, "l").currentline + 1
      factory("other")
    end)
    assert.equal(line, tonumber(message:match(":(%d+): unknown key")))
  end)
end)
