-- Closing: the peer is told, nobody waits for ever, and what was sent arrives.

local cosock = require "cosock"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local socket = require "cosock.socket"
local ssl = require "cosock.ssl"
local tls = require "spec.support.tls"

local pack = peers.pack

for place, it_there in peers.inside_and_outside(it) do
  describe("closing a connection, " .. place .. ",", function()
    it_there("returns nothing, and may be repeated", function()
      local one = tls.pair()
      assert.same({ n = 0 }, pack(one:close()))
      assert.same({ n = 0 }, pack(one:close()))
      assert.equal(-1, one:getfd())
      assert.is_truthy(tostring(one):find("^SSL connection: .* %(closed%)$"))
    end)

    it_there("tells the peer", function()
      local one, other = tls.pair()
      one:send("last words")
      one:close()
      assert.same({ n = 3, nil, "closed", "last words" }, pack(other:receive()))
    end)

    it_there("before the handshake ends the connection below", function()
      local mine, theirs = tls.sockets()
      local connection = assert(ssl.wrap(mine, tls.client()))
      connection:close()
      assert.same({ n = 3, nil, "closed", "" }, pack(theirs:receive()))
    end)

    it_there("empties the buffer", function()
      local one, other = tls.pair()
      one:send("two\nlines\n")
      other:receive()
      other:close()
      assert.is_false(other:dirty())
      assert.same({ n = 3, nil, "closed", "" }, pack(other:receive()))
    end)

    it_there("waits as long as its limit allows for a peer that takes nothing", function()
      local one, other = tls.pair()
      one:settimeout(0)
      repeat
        local _, _, sent = one:send(("x"):rep(100000))
      until sent and sent < 100000
      one:settimeout(0.05)
      local seconds = peers.seconds(function()
        one:close()
      end)
      assert.is_true(seconds < 5, seconds)
      assert.equal(-1, one:getfd())
      other:close()
    end)

    it_there("makes every method give nil or nothing", function()
      local one = tls.pair()
      one:close()
      for _, name in ipairs {
        "dohandshake", "getalpn", "getsniname", "getversion", "info", "getpeercertificate", "getpeerchain",
        "getlocalcertificate", "getlocalchain", "getfinished",
      } do
        assert.same({ n = 2, nil, "closed" }, pack(one[name](one)), name)
      end
      assert.same({ n = 2, nil, "closed" }, pack(one:sni("name")))
      assert.same({ n = 2, nil, "closed" }, pack(one:setdane("name")))
      assert.same({ n = 2, nil, "closed" }, pack(one:settlsa(3, 1, 1, ("x"):rep(32))))
      assert.same({ n = 2, false, "closed" }, pack(one:getpeerverification()))
      assert.same({ n = 0 }, pack(one:getpeerfinished()))
      assert.same({ n = 0 }, pack(one:exportkeyingmaterial("label", 10)))
      assert.same({ n = 3, nil, "closed", 1 }, pack(one:send("abc", 2)))
      assert.same({ n = 3, nil, "closed", "prefix" }, pack(one:receive("*l", "prefix")))
      assert.equal("nothing", one:want())
      assert.is_false(one:dirty())
      assert.equal(1, one:settimeout(1))
    end)
  end)
end

describe("closing a connection", function()
  it("waits for a peer that takes its time, and loses nothing", function()
    local one, other = tls.pair()
    local SIZE = 20000000
    local received
    run.tasks(function()
      assert.equal(SIZE, (one:send(("x"):rep(SIZE))))
      one:close()
    end, function()
      socket.sleep(0.05)
      received = other:receive("*a")
    end)
    assert.equal(SIZE, #received)
  end)

  it("delivers what was sent last, though nothing was read", function()
    -- A server sends tickets behind its handshake. A client that closes with those unread must not break off.
    for _ = 1, 20 do
      local one, other = tls.pair()
      one:send("some\n")
      one:send("more\n")
      one:close()
      assert.equal("some\nmore\n", other:receive("*a"))
    end
  end)

  it("delivers what was sent at once, though the server's tickets come later", function()
    -- What the server has not made room for yet is lost if its tickets reach a client that is closed.
    for _, limit in ipairs { -1, 0 } do
      local one, other = tls.ends(tls.client(), tls.server())
      local SIZE = 300000
      local received
      run.tasks(function()
        assert(one:dohandshake())
        one:settimeout(limit)
        assert.equal(SIZE, (one:send(("x"):rep(SIZE))))
        one:close()
      end, function()
        assert(other:dohandshake())
        received = { other:receive("*a") }
      end)
      assert.equal(SIZE, #received[1])
    end
  end)

  it("does not wait for a server that never reads what was sent", function()
    local one, other = tls.ends(tls.client(), tls.server())
    local waited
    run.tasks(function()
      assert(one:dohandshake())
      one:settimeout(0)
      assert.equal(300000, (one:send(("x"):rep(300000))))
      waited = peers.seconds(function()
        one:close()
      end)
    end, function()
      assert(other:dohandshake())
    end)
    assert.is_true(waited < 5, waited)
    other:close()
  end)

  it("lets other tasks run", function()
    local one, other = tls.pair()
    one:settimeout(0)
    repeat
      local _, _, sent = one:send(("x"):rep(100000))
    until sent and sent < 100000
    one:settimeout(0.2)
    local turns, done = 0, false
    run.tasks(function()
      one:close()
      done = true
    end, function()
      while not done do
        turns = turns + 1
        socket.sleep(0.01)
      end
    end)
    assert.is_true(turns > 5, turns)
    other:close()
  end)

  it("works in a coroutine that cannot wait", function()
    local one, other = tls.pair()
    run.tasks(function()
      coroutine.wrap(function()
        one:close()
      end)()
    end)
    assert.same({ n = 3, nil, "closed", "" }, pack(other:receive()))
  end)

  it("happens when the connection is garbage", function()
    local other = select(2, tls.pair())
    for _ = 1, 200 do -- what the helper keeps for a while
      tls.pair()
    end
    collectgarbage()
    collectgarbage()
    other:settimeout(5)
    assert.same({ n = 3, nil, "closed", "" }, pack(other:receive()))
  end)

  it("happens at the end of a scope, and of a cancelled task", function()
    if _VERSION < "Lua 5.4" or jit then
      pending "needs to-be-closed variables"
    end
    local load_scope = assert(
      (loadstring or load)("local connection <close> = ... coroutine.yield()")) -- luacheck: ignore 113
    local one, other = tls.pair()
    run.tasks(function()
      local scope = coroutine.wrap(load_scope)
      scope(one)
      scope()
    end)
    assert.same({ n = 3, nil, "closed", "" }, pack(other:receive()))
    one, other = tls.pair()
    run.tasks(function()
      local task = cosock.spawn(assert(load("local connection <close> = ... connection:receive()")), "reader", one)
      socket.sleep(0.001)
      task:cancel()
    end)
    assert.same({ n = 3, nil, "closed", "" }, pack(other:receive()))
  end)
end)
