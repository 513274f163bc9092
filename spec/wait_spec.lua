-- The wait protocol: a task yields two lists of wakeable objects and a timeout.

local cosock = require "cosock"
local socket = require "cosock.socket"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local support = require "spec.cosock.support"

local gate = support.gate

--- Waits in a first task and runs `wake` in a second one; returns what the wait returned.
local function wait(recvt, sendt, timeout, wake)
  local result
  run.tasks(function()
    result = { coroutine.yield(recvt, sendt, timeout) }
  end, wake or function() end)
  return result[1], result[2], result[3]
end

describe("a task that yields its wait", function()
  after_each(cosock.reset)

  it("is resumed with the objects that became ready", function()
    local first, second, third = gate(), gate(), gate()
    local recvr, sendr, err = wait({ first, second }, { third }, nil, function()
      second:open()
    end)
    assert.equal(1, #recvr)
    assert.equal(second, recvr[1])
    assert.same({}, sendr)
    assert.is_nil(err)
  end)

  it("is resumed with what is ready to send in the second place", function()
    local first, second = gate(), gate()
    local recvr, sendr, err = wait({ first }, { second }, nil, function()
      second:open "sendr"
    end)
    assert.same({}, recvr)
    assert.equal(1, #sendr)
    assert.equal(second, sendr[1])
    assert.is_nil(err)
  end)

  it("is resumed once with all that became ready before it went on", function()
    local first, second, third = gate(), gate(), gate()
    local recvr, sendr = wait({ first, second }, { third }, nil, function()
      second:open()
      third:open "sendr"
      first:open()
    end)
    assert.equal(2, #recvr)
    assert.is_true(recvr[1] == first and recvr[2] == second or recvr[1] == second and recvr[2] == first)
    assert.equal(third, sendr[1])
  end)

  it("may name one object in both lists", function()
    local both = gate()
    local recvr, sendr = wait({ both }, { both }, nil, function()
      both:open "recvr"
      both:open "sendr"
    end)
    assert.equal(both, recvr[1])
    assert.equal(both, sendr[1])
    table.sort(both.log)
    assert.same({ "recvr function", "recvr nil", "sendr function", "sendr nil" }, both.log)
  end)

  it("hands each object a waker when it parks and takes it back once, before it goes on", function()
    local woken, idle, sender = gate(), gate(), gate()
    local seen
    run.tasks(function()
      coroutine.yield({ woken, idle }, { sender })
      seen = { #woken.log, #idle.log, #sender.log }
    end, function()
      assert.same({ "recvr function" }, woken.log)
      assert.same({ "recvr function" }, idle.log)
      assert.same({ "sendr function" }, sender.log)
      woken:open()
    end)
    assert.same({ 2, 2, 2 }, seen)
    assert.same({ "recvr function", "recvr nil" }, woken.log)
    assert.same({ "recvr function", "recvr nil" }, idle.log)
    assert.same({ "sendr function", "sendr nil" }, sender.log)
  end)

  it("takes the wakers back once when the time has run out", function()
    local object = gate()
    wait({ object }, { object }, 0.001)
    table.sort(object.log)
    assert.same({ "recvr function", "recvr nil", "sendr function", "sendr nil" }, object.log)
  end)

  it("names an object once that was woken twice", function()
    local object = gate()
    local recvr = wait({ object }, nil, nil, function()
      object:open()
      object:open()
    end)
    assert.equal(1, #recvr)
  end)

  it("takes sockets themselves", function()
    local client, peer = peers.pair(socket)
    local recvr = wait({ client }, nil, 10, function()
      peer:send "x"
    end)
    assert.equal(client, recvr[1])
    client:close()
    peer:close()
  end)

  it("can wait again and again", function()
    local object = gate()
    local turns = 0
    run.tasks(function()
      for _ = 1, 100 do
        local recvr = coroutine.yield({ object })
        turns = turns + #recvr
      end
    end, function()
      while turns < 100 do
        object:open()
        socket.sleep(0)
      end
    end)
    assert.equal(100, turns)
    assert.equal(200, #object.log)
  end)
end)

describe("a waker", function()
  after_each(cosock.reset)

  it("may be called inside setwaker", function()
    local ready = gate()
    local idle = gate()
    function ready:setwaker(kind, waker)
      getmetatable(self).setwaker(self, kind, waker)
      if waker then
        waker()
      end
    end
    for _, list in ipairs { { ready, idle }, { idle, ready } } do
      local recvr, _, err = wait(list)
      assert.equal(1, #recvr)
      assert.equal(ready, recvr[1])
      assert.is_nil(err)
    end
    assert.same({ "recvr function", "recvr nil", "recvr function", "recvr nil" }, ready.log)
    assert.equal(0, #idle.log % 2)
  end)

  it("wakes the task at once when called inside setwaker with no time to wait", function()
    local ready = gate()
    function ready.setwaker(_, _, waker)
      if waker then
        waker()
      end
    end
    assert.equal(ready, wait({ ready }, nil, 0)[1])
  end)

  it("has no effect once the task waits for something else", function()
    local object, other = gate(), gate()
    local err
    run.tasks(function()
      coroutine.yield({ object })
      err = select(3, coroutine.yield({ other }, nil, 0.01))
    end, function()
      local waker = object.wakers.recvr
      waker()
      socket.sleep(0)
      assert.equal(1, #other.log)
      waker()
    end)
    assert.equal("timeout", err)
  end)

  it("has no effect once the task waits for the same object anew", function()
    local object = gate()
    local err
    run.tasks(function()
      coroutine.yield({ object })
      err = select(3, coroutine.yield({ object }, nil, 0.01))
    end, function()
      local waker = object.wakers.recvr
      waker()
      socket.sleep(0)
      assert.equal(3, #object.log)
      waker()
    end)
    assert.equal("timeout", err)
  end)

  it("has no effect once the task has ended", function()
    local object = gate()
    local waker
    wait({ object }, nil, nil, function()
      waker = object.wakers.recvr
      waker()
    end)
    waker()
    cosock.run()
  end)

  it("works when called outside the loop", function()
    local object = gate()
    local recvr
    cosock.reset()
    cosock.spawn(function()
      recvr = coroutine.yield({ object })
    end)
    cosock.spawn(function()
      error "ends run"
    end)
    assert.has_error(cosock.run)
    object:open()
    cosock.run()
    assert.equal(object, recvr[1])
  end)
end)

describe("the timeout of a wait", function()
  after_each(cosock.reset)

  it("ends it with nil, nil and timeout", function()
    local recvr, sendr, err = wait({ gate() }, { gate() }, 0.001)
    assert.is_nil(recvr)
    assert.is_nil(sendr)
    assert.equal("timeout", err)
  end)

  it("holds without any object to wait for", function()
    for _, lists in ipairs { {}, { {} }, { nil, {} }, { {}, {} } } do
      local recvr, sendr, err = wait(lists[1], lists[2], 0.001)
      assert.is_nil(recvr)
      assert.is_nil(sendr)
      assert.equal("timeout", err)
    end
  end)

  it("is not shorter than asked", function()
    local elapsed = run.task(function()
      local start = socket.gettime()
      coroutine.yield(nil, nil, 0.05)
      return socket.gettime() - start
    end)
    assert.is_true(elapsed >= 0.045)
  end)

  it("of zero ends it without waiting", function()
    local _, _, err = wait({ gate() }, { gate() }, 0)
    assert.equal("timeout", err)
  end)

  it("is none when nil, negative or too large to count", function()
    local limits = { n = 6, nil, -1, -math.huge, math.huge, 1e300, math.maxinteger or 2 ^ 63 }
    for index = 1, limits.n do
      local object = gate()
      local recvr, _, err = wait({ object }, nil, limits[index], function()
        socket.sleep(0.002)
        object:open()
      end)
      assert.equal(object, recvr and recvr[1], "limit " .. index)
      assert.is_nil(err)
    end
  end)

  it("does not fire once the task was woken", function()
    local object = gate()
    local resumed = 0
    run.tasks(function()
      coroutine.yield({ object }, nil, 0.005)
      resumed = resumed + 1
      socket.sleep(0.02)
      resumed = resumed + 1
    end, function()
      object:open()
    end)
    assert.equal(2, resumed)
  end)
end)

describe("a wait that is wrong", function()
  local failures

  before_each(function()
    cosock.reset()
    failures = {}
    cosock.set_error_handler(function(err, handle)
      failures[#failures + 1] = { err = err, name = handle.name }
    end)
  end)

  after_each(function()
    cosock.set_error_handler(nil)
    cosock.reset()
  end)

  --- Runs a task that yields `...`, and another that must not notice.
  local function fails(...)
    local passed, other = false, false
    cosock.spawn(function(...)
      coroutine.yield(...)
      passed = true
    end, "wrong", ...)
    cosock.spawn(function()
      socket.sleep(0.002)
      other = true
    end, "other")
    cosock.run()
    assert.is_false(passed)
    assert.is_true(other)
    assert.equal(1, #failures)
    assert.equal("wrong", failures[1].name)
    return failures[1].err
  end

  it("raises in the task that yields no list in the first place", function()
    fails(42)
  end)

  it("raises in the task that yields no list in the second place", function()
    fails(nil, "text")
  end)

  it("raises in the task that yields no number as its timeout", function()
    fails(nil, nil, {})
  end)

  it("raises in the task that yields an object without setwaker", function()
    fails { 42 }
  end)

  it("raises in the task what an object's setwaker raised", function()
    local problem = { "broken" }
    local broken = {
      setwaker = function()
        error(problem)
      end,
    }
    assert.equal(problem, fails { broken })
  end)

  it("takes back the wakers of the other objects when one raises", function()
    local before, after = gate(), gate()
    local broken = {
      setwaker = function()
        error "broken"
      end,
    }
    fails({ before, broken, after }, { before })
    for _, object in ipairs { before, after } do
      assert.equal(0, #object.log % 2)
      assert.is_nil(next(object.wakers))
    end
  end)
end)
