-- The sinks of cosock.ltn12.

local chunks = require "spec.support.chunks"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"

local pack, raised = peers.pack, peers.raised
local upper, doubling, collecting = chunks.upper, chunks.doubling, chunks.collecting
local drain, recording, temporary = chunks.drain, chunks.recording, chunks.temporary
local sink, source = ltn12.sink, ltn12.source

describe("sink", function()
  it(".null takes everything", function()
    assert.same({ n = 1, 1 }, pack(sink.null()("a")))
    assert.same({ n = 1, 1 }, pack(sink.null()(nil, "e")))
  end)

  it(".error takes nothing", function()
    assert.same({ n = 2, nil, "e" }, pack(sink.error "e"("a")))
  end)

  it(".table collects", function()
    local snk, array = sink.table()
    assert.same({ 1, 1, 1 }, { snk "a", snk "", snk(nil) })
    assert.same({ "a", "" }, array)
    local mine = { "x" }
    snk, array = sink.table(mine)
    snk "y"
    assert.equal(mine, array)
    assert.same({ "x", "y" }, mine)
    assert.equal("bad argument #1 to 'table' (table expected, got string)", raised(function() sink.table "a" end))
  end)

  it(".file writes and closes", function()
    local path = temporary ""
    finally(function() os.remove(path) end)
    local handle = assert(io.open(path, "wb"))
    local snk = sink.file(handle)
    assert.truthy(snk "ab")
    assert.truthy(snk "c")
    assert.same({ n = 1, 1 }, pack(snk(nil)))
    assert.equal("closed file", io.type(handle))
    assert.same({ "abc" }, drain(source.file(io.open(path, "rb"))))
  end)

  it(".file says why it has no file", function()
    assert.same({ n = 2, nil, "why" }, pack(sink.file(nil, "why")("a")))
    assert.same({ n = 2, nil, "unable to open file" }, pack(sink.file(nil)("a")))
  end)

  it(".file says when the disk is full, even if that turns out at the end", function()
    local full = io.open("/dev/full", "wb")
    if not full then
      pending "this system has no /dev/full"
      return
    end
    local snk = sink.file(full)
    assert.truthy(snk "a")
    assert.same({ n = 2, nil, "No space left on device" }, pack(snk(nil)))
  end)

  it(".file does not care how a process ended, nor that an object's close says nothing", function()
    assert.same({ n = 1, 1 }, pack(sink.file(io.popen("exit 3", "w"))(nil)))
    assert.same({ n = 1, 1 }, pack(sink.file { close = function() end }(nil)))
  end)

  it(".simplify follows a sink to the next", function()
    local last, array = sink.table()
    local first, calls = recording()
    local snk = sink.simplify(function(chunk, err)
      first(chunk, err)
      return 1, last
    end)
    assert.same({ 1, 1, 1 }, { snk "a", snk "b", snk "c" })
    assert.same({ { "b", "c" }, 1 }, { array, #calls })
    assert.same({ n = 2, nil, "e" }, pack(sink.simplify(sink.error "e")("a")))
    assert.equal("bad argument #1 to 'simplify' (function expected, got nil)", raised(function()
      sink.simplify()
    end))
  end)

  it(".chain filters", function()
    local last, array = sink.table()
    local snk = sink.chain(upper, doubling(), last)
    assert.same({ 1, 1, 1 }, { snk "ab", snk "", snk(nil) })
    assert.equal("AABB", table.concat(array))
  end)

  it(".chain tells the sink of the end, and of the source's error", function()
    local last, calls = recording()
    local snk = sink.chain(collecting(), last)
    snk "abcd"
    snk(nil, "e")
    assert.same({
      { n = 2, "", nil }, { n = 2, "abc", "e" }, { n = 2, "d", "e" }, { n = 2, nil, "e" },
    }, calls)
  end)

  it(".chain passes the sink's error on", function()
    assert.same({ n = 2, nil, "e" }, pack(sink.chain(upper, sink.error "e")("a")))
  end)

  it(".chain raises when a filter ends before its input does", function()
    local snk, calls = recording()
    assert.equal("filter returned inappropriate nil", raised(function()
      sink.chain(function() return nil end, snk)("a")
    end))
    assert.same({}, calls)
  end)

  it(".chain raises when something is missing", function()
    assert.equal("bad argument #1 to 'chain' (function expected, got nil)", raised(function() sink.chain() end))
    assert.equal("bad argument #2 to 'chain' (function expected, got nil)", raised(function() sink.chain(upper) end))
    assert.equal("bad argument #3 to 'chain' (function expected, got number)", raised(function()
      sink.chain(upper, upper, 5)
    end))
  end)
end)
