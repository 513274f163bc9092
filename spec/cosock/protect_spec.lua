-- `socket.protect` and `socket.newtry` around what waits, on every interpreter.

local channel = require "cosock.channel"
local cosock = require "cosock"
local socket = require "cosock.socket"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

describe("socket.protect in a task", function()
  before_each(cosock.reset)

  it("can be waited across", function()
    local client, peer = peers.pair(socket)
    local line
    run.tasks(function()
      line = socket.protect(function()
        return socket.try(client:receive())
      end)()
    end, function()
      peer:send "waited for\n"
    end)
    assert.equal("waited for", line)
    client:close()
    peer:close()
  end)

  it("can be waited across in layers", function()
    local tx, rx = channel.new()
    local inner, outer
    run.tasks(function()
      outer = socket.protect(function()
        inner = socket.protect(function()
          return rx:receive()
        end)()
        return rx:receive()
      end)()
    end, function()
      tx:send "first"
      socket.sleep(0)
      tx:send "second"
    end)
    assert.equal("first", inner)
    assert.equal("second", outer)
  end)

  it("lets other tasks run while it waits", function()
    local order = {}
    run.tasks(function()
      socket.protect(function()
        socket.sleep(0.005)
        order[#order + 1] = "protected"
      end)()
    end, function()
      order[#order + 1] = "other"
    end)
    assert.same({ "other", "protected" }, order)
  end)

  it("passes arguments in and all results out", function()
    local results = run.task(function()
      return peers.pack(socket.protect(function(...)
        socket.sleep(0)
        return select("#", ...), nil, ..., false
      end)("a", nil, "c", nil))
    end)
    assert.same({ n = 4, 4, nil, "a", false }, results)
  end)

  it("turns what try raised after a wait into nil and the error", function()
    local client, peer = peers.pair(socket)
    peer:close()
    local results = run.task(function()
      return peers.pack(socket.protect(function()
        socket.sleep(0)
        socket.try(client:receive())
      end)())
    end)
    assert.same({ n = 2, nil, "closed" }, results)
    client:close()
  end)

  it("calls the finalizer of newtry before it returns", function()
    local finalized = false
    local value, err = run.task(function()
      local try = socket.newtry(function()
        finalized = true
      end)
      return socket.protect(function()
        socket.sleep(0)
        try(nil, "given up")
      end)()
    end)
    assert.is_nil(value)
    assert.equal("given up", err)
    assert.is_true(finalized)
  end)

  it("raises every other error as it is", function()
    local problem = { "no exception of try" }
    local caught
    cosock.set_error_handler(function(err)
      caught = err
    end)
    cosock.spawn(function()
      socket.protect(function()
        socket.sleep(0)
        error(problem)
      end)()
    end)
    cosock.run()
    cosock.set_error_handler(nil)
    assert.equal(problem, caught)
  end)
end)
