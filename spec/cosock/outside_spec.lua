-- Waiting where there is no task to wait in.

local channel = require "cosock.channel"
local cosock = require "cosock"
local socket = require "cosock.socket"
local peers = require "spec.support.peers"
local support = require "spec.cosock.support"

local function raises(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.matches("attempt to yield from outside a coroutine", message, 1, true)
end

describe("outside a task", function()
  before_each(cosock.reset)

  it("select raises", function()
    local _, rx = channel.new()
    raises(socket.select, { rx })
    raises(socket.select, { rx }, nil, 0.01)
    raises(socket.select, nil, nil, 0.01)
  end)

  it("sleep raises", function()
    raises(socket.sleep, 0.01)
  end)

  it("a channel's receive raises", function()
    local tx, rx = channel.new()
    raises(rx.receive, rx)
    rx:settimeout(0.01)
    raises(rx.receive, rx)
    tx:close()
  end)

  it("nothing stays behind of a wait that raised", function()
    local gate = support.gate()
    raises(socket.select, { gate })
    assert.equal(0, #gate.log % 2)
    cosock.run()
  end)

  it("a channel can be sent to and closed", function()
    local tx, rx = channel.new()
    assert.is_true(tx:send "kept")
    tx:close()
    local got, err
    cosock.spawn(function()
      got = rx:receive()
      err = select(2, rx:receive())
    end)
    cosock.run()
    assert.equal("kept", got)
    assert.equal("closed", err)
  end)

  it("a socket's methods block the program, up to the timeout", function()
    local client, peer = peers.pair(socket)
    client:settimeout(0.01)
    local line, err = client:receive()
    assert.is_nil(line)
    assert.equal("timeout", err)
    peer:send "a line\n"
    client:settimeout(10)
    assert.equal("a line", (client:receive()))
    client:close()
    peer:close()
  end)

  it("a socket that blocks runs no tasks", function()
    local ran = false
    cosock.spawn(function()
      ran = true
    end)
    local client, peer = peers.pair(socket)
    client:settimeout(0.01)
    client:receive()
    assert.is_false(ran)
    cosock.run()
    client:close()
    peer:close()
  end)
end)
