-- `select` on sockets, channels and objects of other libraries all at once, in cosock's form and in LuaSocket's.

local channel = require "cosock.channel"
local cosock = require "cosock"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local socket = require "cosock.socket"

local forms = {
  { "cosock's form", socket.select },
  { "LuaSocket's form", cosock.asyncify("socket").select },
}

--- A queue with a limit. Each end is wakeable in one direction, and only there.
local function bounded(limit)
  local queue, wakers = {}, {}
  local function wake(kind)
    if wakers[kind] then
      wakers[kind]()
    end
  end
  local function wakeable(expected, is_ready)
    return {
      setwaker = function(_, kind, waker)
        assert(kind == expected)
        wakers[kind] = waker
        if waker and is_ready() then
          waker()
        end
      end,
    }
  end
  local receiver = wakeable("recvr", function()
    return #queue > 0
  end)
  function receiver.receive()
    local value = table.remove(queue, 1)
    wake "sendr"
    return value
  end
  local sender = wakeable("sendr", function()
    return #queue < limit
  end)
  function sender.send(_, value)
    queue[#queue + 1] = value
    wake "recvr"
  end
  return sender, receiver, wakers
end

--- An alarm on which one can wait. It rings after a time, or when somebody says so.
local function alarm(seconds)
  local bell = { rung = false }
  function bell.setwaker(_, kind, waker)
    assert(kind == "recvr")
    bell.waker = waker
    if waker and bell.rung then
      waker()
    end
  end
  function bell.ring()
    bell.rung = true
    if bell.waker then
      bell.waker()
    end
  end
  if seconds then
    cosock.timers.set(seconds, bell.ring)
  end
  return bell
end

--- A bus with one subscriber, written as a class.
local Subscriber = {}
Subscriber.__index = Subscriber
function Subscriber:setwaker(kind, waker)
  assert(kind == "recvr")
  self.waker = waker
  if waker and #self > 0 then
    waker()
  end
end
function Subscriber:publish(message)
  self[#self + 1] = message
  if self.waker then
    self.waker()
  end
end

--- Everything one can wait for to receive, by name, and what makes it ready.
local function everything()
  local tcp, peer = peers.pair(socket)
  local borrowed, borrowed_peer = peers.udp_pair(socket)
  local tx, rx = channel.new()
  local sender, receiver = bounded(1)
  local subscriber = setmetatable({}, Subscriber)
  local objects = {
    tcp = tcp,
    borrower = { inner_sock = borrowed.inner_sock, setwaker = borrowed.setwaker, _wake = borrowed._wake },
    channel = rx,
    bounded = receiver,
    subscriber = subscriber,
    alarm = alarm(),
  }
  local fire = {
    tcp = function()
      peer:send "x"
    end,
    borrower = function()
      borrowed_peer:send "x"
    end,
    channel = function()
      tx:send(1)
    end,
    bounded = function()
      sender:send(1)
    end,
    subscriber = function()
      subscriber:publish "news"
    end,
    alarm = function()
      objects.alarm.ring()
    end,
  }
  return objects, fire, sender
end

local NAMES = { "alarm", "borrower", "bounded", "channel", "subscriber", "tcp" }

for _, form in ipairs(forms) do
  local name, select = form[1], form[2]

  describe("select in " .. name, function()
    before_each(cosock.reset)
    after_each(cosock.reset)

    local function listed(objects)
      local list = {}
      for index, key in ipairs(NAMES) do
        list[index] = objects[key]
      end
      return list
    end

    for _, key in ipairs(NAMES) do
      it("wakes for one of many: " .. key, function()
        local objects, fire = everything()
        local recvr, sendr, err
        run.tasks(function()
          recvr, sendr, err = select(listed(objects), nil, 30)
        end, function()
          socket.sleep(0)
          fire[key]()
        end)
        assert.equal(objects[key], recvr[1])
        assert.equal(1, #recvr)
        assert.equal(0, #sendr)
        assert.is_nil(err)
      end)

      it("finds it ready at once: " .. key, function()
        local objects, fire = everything()
        run.task(function()
          fire[key]()
          if key == "tcp" or key == "borrower" then
            socket.select({ objects[key] }, nil, 30) -- until it has arrived
          end
          for _ = 1, 2 do
            assert.equal(objects[key], select(listed(objects), nil, 30)[1])
          end
        end)
      end)
    end

    it("takes back every waker", function()
      local objects = everything()
      run.task(select, listed(objects), nil, 0.001)
      for _, key in ipairs { "alarm", "subscriber" } do
        assert.is_nil(objects[key].waker)
      end
    end)

    it("waits to send to a bounded channel and to a socket", function()
      local objects, _, sender = everything()
      sender:send "fills it"
      local full = peers.pair(socket)
      peers.fill(full)
      local sendr
      run.tasks(function()
        local _, found, err = select(nil, { full, sender }, 0.001)
        assert.equal("timeout", err)
        assert.is_true(found == nil or #found == 0)
        _, sendr = select({ objects.tcp }, { full, sender }, 30)
      end, function()
        socket.sleep(0.01)
        objects.bounded:receive()
      end)
      assert.equal(sender, sendr[1])
      assert.equal(1, #sendr)
    end)

    it("wakes for a timer that rings", function()
      local rings = alarm(0.005)
      local objects = everything()
      local list = listed(objects)
      list[#list + 1] = rings
      local recvr = run.task(select, list, nil, 30)
      assert.equal(rings, recvr[1])
    end)

    it("keeps tasks apart that wait for different things", function()
      local objects, fire = everything()
      local woken = {}
      local bodies = {}
      for index, key in ipairs(NAMES) do
        bodies[index] = function()
          woken[key] = select({ objects[key] }, nil, 30)[1] == objects[key]
        end
      end
      bodies[#bodies + 1] = function()
        socket.sleep(0)
        for _, key in ipairs(NAMES) do
          assert.is_nil(woken[key])
          fire[key]()
        end
      end
      run.tasks((table.unpack or unpack)(bodies)) -- luacheck: ignore 143
      for _, key in ipairs(NAMES) do
        assert.is_true(woken[key], key)
      end
    end)
  end)
end
