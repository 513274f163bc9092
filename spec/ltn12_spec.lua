-- cosock.ltn12: its pumps, and all of it in tasks. Filters, sources and sinks have specs of their own.

local chunks = require "spec.support.chunks"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local socket = require "cosock.socket"

local pack, raised = peers.pack, peers.raised
local upper, doubling, collecting = chunks.upper, chunks.doubling, chunks.collecting
local recording = chunks.recording
local filter, source, sink, pump = ltn12.filter, ltn12.source, ltn12.sink, ltn12.pump

it("has LuaSocket's constants and sets no global", function()
  assert.equal("LTN12 1.0.3", ltn12._VERSION)
  assert.equal(2048, ltn12.BLOCKSIZE)
  -- LuaSocket itself sets this one on Lua 5.1.
  assert.not_equal(ltn12, rawget(_G, "ltn12"))
end)

describe("pump", function()
  it(".step moves one chunk", function()
    local snk, calls = recording()
    local src = source.string "a"
    assert.same({ n = 1, 1 }, pack(pump.step(src, snk)))
    assert.same({ n = 2, nil, nil }, pack(pump.step(src, snk)))
    assert.same({ n = 2, nil, "e" }, pack(pump.step(source.error "e", snk)))
    assert.same({ { n = 2, "a", nil }, { n = 2, nil, nil }, { n = 2, nil, "e" } }, calls)
    assert.same({ n = 2, nil, "s" }, pack(pump.step(source.string "a", sink.error "s")))
    assert.same({ n = 2, nil, "e" }, pack(pump.step(source.error "e", sink.error "s")))
  end)

  it(".all moves all chunks", function()
    local snk, array = sink.table()
    assert.same({ n = 1, 1 }, pack(pump.all(source.table { "a", "b", "c" }, snk)))
    assert.same({ "a", "b", "c" }, array)
  end)

  it(".all ends at an error", function()
    assert.same({ n = 2, nil, "e" }, pack(pump.all(source.cat(source.string "a", source.error "e"), sink.null())))
    assert.same({ n = 2, nil, "s" }, pack(pump.all(source.string "a", sink.error "s")))
    assert.same({ n = 1, 1 }, pack(pump.all(source.string "a", sink.error(nil))))
  end)

  it(".all takes a step", function()
    local count = 0
    local snk, array = sink.table()
    assert.equal(1, pump.all(source.table { "a", "b" }, snk, function(src, to)
      count = count + 1
      return pump.step(src, to)
    end))
    assert.same({ 3, { "a", "b" } }, { count, array })
  end)

  it(".all raises for wrong arguments", function()
    assert.equal("bad argument #1 to 'all' (function expected, got nil)", raised(function() pump.all() end))
    assert.equal("bad argument #2 to 'all' (function expected, got string)", raised(function()
      pump.all(source.empty(), "a")
    end))
    assert.equal("bad argument #3 to 'all' (function expected, got number)", raised(function()
      pump.all(source.empty(), sink.null(), 5)
    end))
  end)
end)

describe("in a task", function()
  it("sources, filters, sinks and steps may wait, and others run meanwhile", function()
    local order = {}
    local function waiting(name, call)
      return function(...)
        socket.sleep(0)
        order[name] = (order[name] or 0) + 1
        return call(...)
      end
    end
    local others = 0
    local done = false
    local snk, array = sink.table()
    run.tasks(function()
      local src = source.chain(waiting("source", source.table { "a", "b", "c" }),
        filter.cycle(waiting("low", function(context, chunk)
          return upper(chunk), context
        end)),
        waiting("filter", doubling()))
      local to = sink.chain(waiting("sink filter", collecting()), waiting("other", upper), waiting("sink", snk))
      assert(pump.all(source.cat(source.simplify(source.rewind(src))), sink.simplify(to), waiting("step", pump.step)))
      done = true
    end, function()
      while not done do
        others = others + 1
        socket.sleep(0)
      end
    end)
    assert.equal("AABBCC", table.concat(array))
    for _, name in ipairs { "source", "low", "filter", "sink filter", "other", "sink", "step" } do
      assert.is_true(order[name] > 1, name)
    end
    assert.is_true(others > order.source)
  end)

  it("move data from socket to socket", function()
    local received
    local data = ("0123456789"):rep(20000)
    local sender, receiver = peers.pair(socket)
    run.tasks(function()
      assert(pump.all(source.string(data), socket.sink("close-when-done", sender)))
    end, function()
      local snk, array = sink.table()
      assert(pump.all(socket.source("until-closed", receiver), snk))
      received = table.concat(array)
    end)
    assert.equal(data, received)
  end)
end)
