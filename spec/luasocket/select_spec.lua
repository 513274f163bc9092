-- `select` and `sleep` of the `socket` table that programs get which know nothing of tasks: as LuaSocket's, inside
-- and outside of tasks, and with more kinds of objects.

local channel = require "cosock.channel"
local cosock = require "cosock"
local oracle = require "spec.support.oracle"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

local socket = cosock.asyncify "socket"

--- Selects, and writes down which objects were reported, by their names and in their order.
local function selects_in_order(names, record, title, library, recvt, sendt, timeout, reorder)
  local function show(list)
    if type(list) ~= "table" then
      return tostring(list)
    end
    local parts, keys = {}, 0
    for index, object in ipairs(list) do
      parts[index] = names[object] .. (list[object] == index and "" or " without its index")
    end
    for _ in pairs(list) do
      keys = keys + 1
    end
    if reorder then
      reorder(parts)
    end
    return table.concat(parts, " ") .. (keys == 2 * #list and "" or " and more")
  end
  local results = peers.pack(record.pcall(library.select, recvt, sendt, timeout))
  if not results[1] then
    return record:value(title, "raises", (tostring(results[2]):gsub("^[^:\n]+:%d+: ", "")
      :gsub("'socket[%w.]*%.select'", "'select'"):gsub("'%?'", "'select'"))) -- what the interpreter knows of the name
  end
  record:value(title, results.n - 1, show(results[2]), show(results[3]), results[4])
end

--- The same for objects whose order nobody can foretell: it is that of their descriptors, and a later object has a
--- lower one when the collector has closed something in between.
local function selects(names, record, title, library, recvt, sendt, timeout)
  selects_in_order(names, record, title, library, recvt, sendt, timeout, table.sort)
end

-- A socket under another name: what LuaSocket's own sources and sinks are, or a wrapper of the program's.
local function wrapper(sock, is_dirty)
  return {
    getfd = function()
      return sock:getfd()
    end,
    dirty = is_dirty ~= nil and function()
      return is_dirty
    end or nil,
  }
end

-- A socket with a byte that the system holds for it, not its own buffer.
local function filled(library)
  local sender, receiver = peers.pair(library)
  sender:send "x"
  library.select({ receiver }, nil, 30)
  return receiver, sender
end

local scenarios = {
  ["reports what is ready, in tables also keyed by object"] = function(library, record)
    local ready, sender = peers.receiver(library, "x")
    local quiet = peers.pair(library)
    local names = { [ready] = "ready", [quiet] = "quiet", [sender] = "sender" }
    selects(names, record, "one of two", library, { quiet, ready }, nil, 30)
    selects(names, record, "to send", library, nil, { sender, quiet }, 30)
    selects(names, record, "both", library, { quiet, ready }, { ready }, 30)
    selects(names, record, "no timeout", library, { ready })
    selects(names, record, "negative timeout", library, { ready }, {}, -1)
    selects(names, record, "a string for the timeout", library, { ready }, {}, "30")
  end,

  ["reports a timeout with two empty tables"] = function(library, record)
    local quiet = peers.pair(library)
    local names = { [quiet] = "quiet" }
    selects(names, record, "a socket", library, { quiet }, nil, 0.01)
    selects(names, record, "a socket, no time", library, { quiet }, nil, 0)
    selects(names, record, "nothing", library, {}, {}, 0.01)
    selects(names, record, "nil", library, nil, nil, 0.01)
  end,

  ["reports servers, ends and empty datagrams"] = function(library, record)
    local server, port = peers.server(library)
    local client = library.connect("127.0.0.1", port)
    local closed, peer = peers.pair(library)
    peer:close()
    local udp, other = peers.udp_pair(library)
    other:send("")
    local names = { [server] = "server", [client] = "client", [closed] = "closed by the peer", [udp] = "udp" }
    selects(names, record, "server", library, { server, client }, nil, 30)
    selects(names, record, "closed by the peer", library, { closed }, nil, 30)
    selects(names, record, "datagram", library, { udp }, nil, 30)
    client:close()
  end,

  ["ignores what has no descriptor"] = function(library, record)
    local ready = peers.receiver(library, "x")
    local closed = peers.pair(library)
    closed:close()
    local names = { [ready] = "ready" }
    local odd = {
      closed, library.tcp(), "text", {}, setmetatable({}, { __index = function() end }),
      { getfd = function() return -1 end }, { getfd = function() return "no number" end },
      { getfd = function() end }, ready,
    }
    selects(names, record, "odd ones", library, odd, odd, 30)
    selects(names, record, "only odd ones", library, { closed, "text", {} }, { {}, closed }, 0.01)
  end,

  ["reads its lists up to the first nil"] = function(library, record)
    local ready, quiet = peers.receiver(library, "x"), peers.pair(library)
    local names = { [ready] = "ready", [quiet] = "quiet" }
    selects(names, record, "behind a nil", library, { quiet, nil, ready }, nil, 0.01)
    selects(names, record, "by metamethod", library, setmetatable({}, { __index = { quiet, ready } }), nil, 30)
    selects(names, record, "by other keys", library, { [ready] = 1, x = ready, [0] = ready }, nil, 0.01)
  end,

  ["reports first what has data in its buffer, then by descriptor"] = function(library, record)
    local fresh = {}
    local names = {}
    for index = 1, 4 do
      fresh[index] = filled(library)
    end
    table.sort(fresh, function(one, other)
      return one:getfd() < other:getfd()
    end)
    for index, sock in ipairs(fresh) do
      names[sock] = "fresh " .. index
    end
    local first, second = peers.receiver(library, "one\ntwo\n"), peers.receiver(library, "one\ntwo\n")
    names[first], names[second] = "dirty 1", "dirty 2"
    first:receive()
    second:receive()
    selects_in_order(names, record, "mixed", library,
      { fresh[3], second, fresh[1], first, fresh[4], fresh[2] }, { fresh[4], fresh[2] }, 30)
    selects_in_order(names, record, "dirty alone", library, { second, first }, nil, 30)
    selects(names, record, "dirty to send", library, nil, { second }, 30)
  end,

  ["takes anything with getfd and dirty"] = function(library, record)
    local full, empty = filled(library), peers.pair(library)
    local plain, silent = wrapper(full), wrapper(empty)
    local dirty, clean = wrapper(empty, true), wrapper(full, false)
    local names = { [full] = "full", [empty] = "empty", [plain] = "plain", [silent] = "silent", [dirty] = "dirty",
      [clean] = "clean" }
    selects(names, record, "plain", library, { silent, plain }, nil, 30)
    selects(names, record, "with dirty", library, { silent, clean }, nil, 30)
    selects(names, record, "dirty", library, { dirty }, nil, 30)
    selects(names, record, "dirty with others", library, { plain, dirty }, { silent }, 30)
    selects(names, record, "dirty is not asked to send", library, nil, { dirty }, 30)
    selects(names, record, "to send", library, nil, { plain, silent }, 30)
    selects(names, record, "the same in both lists", library, { plain }, { plain }, 30)
    selects(names, record, "the same in both lists, dirty", library, { dirty }, { dirty }, 30)
    local filled_and_dirty = wrapper(full, true)
    names[filled_and_dirty] = "filled and dirty"
    selects(names, record, "its descriptor once more", library, { filled_and_dirty, plain, full }, nil, 30)
    selects(names, record, "its descriptor before", library, { full, plain, filled_and_dirty }, { plain }, 30)
    local textual = { getfd = function() return ("%d"):format(full:getfd()) end }
    names[textual] = "textual"
    selects(names, record, "a string for the descriptor", library, { textual }, nil, 30)
    selects(names, record, "waits", library, { silent }, nil, 0.01)
  end,

  ["reports the last of several objects with one descriptor"] = function(library, record)
    local full = filled(library)
    local first, second = wrapper(full), wrapper(full)
    local names = { [full] = "full", [first] = "first", [second] = "second" }
    selects(names, record, "in one list", library, { first, full, second }, nil, 30)
    selects(names, record, "in both lists", library, { full, first }, { second }, 30)
    selects(names, record, "the socket last", library, { first }, { full }, 30)
  end,

  ["raises LuaSocket's errors"] = function(library, record)
    local names = {}
    local full = peers.receiver(library, "x")
    selects(names, record, "no table", library, 1)
    selects(names, record, "no table to send", library, nil, "x")
    selects(names, record, "no number", library, {}, {}, "x")
    selects(names, record, "no number", library, {}, {}, {})
    selects(names, record, "number", library, { 1 }, nil, 0)
    selects(names, record, "boolean", library, { true }, nil, 0)
    selects(names, record, "function", library, nil, { print }, 0)
    selects(names, record, "in getfd", library, { { getfd = function() error("broken", 0) end } }, nil, 0)
    selects(names, record, "in dirty", library,
      { { getfd = function() return full:getfd() end, dirty = function() error("broken", 0) end } }, nil, 0)
  end,
}

describe("select of asyncify's socket table", function()
  before_each(cosock.reset)

  if oracle.available() then
    for title, scenario in pairs(scenarios) do
      it(title .. ", as LuaSocket's", function()
        assert.equal("", oracle.differences(scenario, nil, socket))
      end)
    end
  end

  it("lets other tasks run while it waits", function()
    local quiet = peers.pair(socket)
    local order = {}
    run.tasks(function()
      socket.select({ quiet }, nil, 0.01)
      order[#order + 1] = "selected"
    end, function()
      order[#order + 1] = "meanwhile"
    end)
    assert.same({ "meanwhile", "selected" }, order)
  end)

  it("lets other tasks run even if it never has to wait", function()
    local ready = peers.receiver(socket, "x")
    local stop
    run.tasks(function()
      while not stop do
        socket.select({ ready }, nil, 0)
      end
    end, function()
      stop = true
    end)
  end)

  it("wakes when a socket becomes ready, also by a wrapper of it", function()
    for _, wrap in ipairs { function(sock) return sock end, wrapper } do
      local client, peer = peers.pair(socket)
      local object = wrap(client)
      local recvr
      run.tasks(function()
        recvr = socket.select({ object })
      end, function()
        socket.sleep(0)
        peer:send "x"
      end)
      assert.equal(object, recvr[1])
      assert.equal(1, recvr[object])
    end
  end)

  if oracle.available() then
    it("waits for LuaSocket's own sockets", function()
      local client, peer = peers.pair(oracle.luasocket())
      local recvr, sendr
      run.tasks(function()
        recvr = socket.select({ client }, nil, 30)
        sendr = select(2, socket.select(nil, { client }, 30))
      end, function()
        socket.sleep(0)
        peer:send "x"
      end)
      assert.equal(client, recvr[1])
      assert.equal(client, sendr[1])
    end)

    it("leaves no descriptor behind", function()
      local client = peers.pair(oracle.luasocket())
      local function lowest_free()
        collectgarbage() -- what other specs have left has lower numbers
        collectgarbage()
        local probe = socket.udp4()
        local number = probe:getfd()
        probe:close()
        return number
      end
      local free = lowest_free()
      run.task(socket.select, { client }, { client, wrapper(client) }, 30)
      run.task(socket.select, { client }, nil, 0.001)
      socket.select({ client }, nil, 0.001)
      assert.equal(free, lowest_free())
    end)
  end

  it("reports a socket that another task closes meanwhile", function()
    local client = peers.pair(socket)
    local recvr
    run.tasks(function()
      recvr = socket.select({ client })
    end, function()
      socket.sleep(0)
      client:close()
    end)
    assert.equal(client, recvr[1])
  end)

  it("blocks the program outside of tasks, and runs no tasks", function()
    local quiet = peers.pair(socket)
    local ran
    cosock.spawn(function()
      ran = true
    end)
    assert.is_true(peers.seconds(function()
      assert.equal("timeout", (select(3, socket.select({ quiet }, nil, 0.03))))
    end) >= 0.025)
    assert.is_nil(ran)
  end)

  it("takes channels and what has setwaker, also outside of tasks", function()
    local tx, rx = channel.new()
    local quiet = peers.pair(socket)
    local gate = { setwaker = function(self, _, waker)
      if waker and self.open then
        waker()
      end
    end }
    for _, call in ipairs { socket.select, function(...) return run.task(socket.select, ...) end } do
      assert.equal("timeout", (select(3, call({ rx, quiet, gate }, nil, 0.001))))
      tx:send(1)
      local recvr = call({ quiet, rx, gate }, nil, 30)
      assert.same({ rx, [rx] = 1 }, recvr)
      gate.open = true
      recvr = call({ gate, quiet, rx }, nil, 30)
      assert.same({ gate, rx, [gate] = 1, [rx] = 2 }, recvr)
      gate.open = false
      rx:receive()
    end
  end)

  it("looks, but does not wait, in a coroutine that cannot wait", function()
    local ready = peers.receiver(socket, "x")
    local quiet = peers.pair(socket)
    run.task(function()
      coroutine.wrap(function()
        assert.equal(ready, socket.select({ ready }, nil, 30)[1])
        assert.equal("timeout", (select(3, socket.select({ quiet }, nil, 0))))
        assert.matches("cosock.coroutine", peers.raised(function()
          socket.select({ quiet }, nil, 1)
        end), 1, true)
      end)()
    end)
  end)

  it("raises if a descriptor is not open", function()
    local stale = { getfd = function() return 10000000 end }
    for _, call in ipairs { socket.select, function(...) return run.task(socket.select, ...) end } do
      for _, lists in ipairs { { { stale }, {} }, { {}, { stale } } } do
        local ok, message = pcall(call, lists[1], lists[2], 0)
        assert.is_false(ok)
        assert.matches("select failed", message, 1, true)
      end
    end
  end)

  it("points at the caller in its errors", function()
    for _, arguments in ipairs { { 1 }, { {}, 1 }, { {}, {}, "x" } } do
      local ok, message = pcall(function()
        socket.select(arguments[1], arguments[2], arguments[3])
      end)
      assert.is_false(ok)
      assert.matches("^[^:]*select_spec.lua:%d+: bad argument", message)
    end
  end)
end)

describe("sleep of asyncify's socket table", function()
  before_each(cosock.reset)

  for place, it in peers.inside_and_outside(it) do
    it("sleeps no less than it is told " .. place, function()
      assert.is_true(peers.seconds(function()
        socket.sleep(0.02)
      end) >= 0.019)
    end)

    it("returns nothing, and at once if the time is negative, " .. place, function()
      assert.equal(0, (select("#", socket.sleep(0))))
      assert.equal(0, (select("#", socket.sleep(-1))))
      socket.sleep "0.001"
    end)

    it("raises if the time is no number " .. place, function()
      assert.matches("bad argument #1 to 'sleep' %(number expected, got %a+%)", peers.raised(function()
        socket.sleep "soon"
      end))
      assert.matches("not a number", peers.raised(function()
        socket.sleep(0 / 0)
      end), 1, true)
    end)
  end

  it("lets others run in a task", function()
    local order = {}
    run.tasks(function()
      socket.sleep(0)
      order[#order + 1] = "slept"
    end, function()
      order[#order + 1] = "meanwhile"
    end)
    assert.same({ "meanwhile", "slept" }, order)
  end)
end)
