-- Several tasks on one connection.

local cosock = require "cosock"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local socket = require "cosock.socket"
local tls = require "spec.support.tls"

local pack = peers.pack

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
