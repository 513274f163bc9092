-- cosock.ltn12: sources, filters, sinks and pumps.

local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local socket = require "cosock.socket"

local pack, raised = peers.pack, peers.raised
local filter, source, sink, pump = ltn12.filter, ltn12.source, ltn12.sink, ltn12.pump

local function upper(chunk)
  return chunk and chunk:upper()
end

-- Gives every byte twice, one input byte a call, and holds back the rest.
local function doubling()
  local held = ""
  return function(chunk)
    held = held .. (chunk or "")
    local byte = held:sub(1, 1)
    held = held:sub(2)
    if byte == "" then
      return chunk and ""
    end
    return byte .. byte
  end
end

-- Gives what it got when it gets nil, in pieces of three bytes.
local function collecting()
  local held = ""
  return function(chunk)
    if chunk then
      held = held .. chunk
      return ""
    end
    local piece = held:sub(1, 3)
    held = held:sub(4)
    return piece ~= "" and piece or nil
  end
end

local function drain(src)
  local chunks = {}
  while true do
    local chunk, err = src()
    if not chunk then
      return chunks, err
    end
    chunks[#chunks + 1] = chunk
  end
end

-- A sink that writes down its arguments.
local function recording()
  local calls = {}
  return function(...)
    calls[#calls + 1] = pack(...)
    return 1
  end, calls
end

local function temporary(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

it("has LuaSocket's constants and sets no global", function()
  assert.equal("LTN12 1.0.3", ltn12._VERSION)
  assert.equal(2048, ltn12.BLOCKSIZE)
  -- LuaSocket itself sets this one on Lua 5.1.
  assert.not_equal(ltn12, rawget(_G, "ltn12"))
end)

describe("filter.cycle", function()
  it("passes on what the function remembers, and the extra value", function()
    local seen = {}
    local cycle = filter.cycle(function(context, chunk, extra)
      seen[#seen + 1] = { context, chunk, extra }
      return chunk and chunk .. "!", context + 1
    end, 5, "extra")
    assert.same({ n = 1, "a!" }, pack(cycle "a"))
    assert.same({ n = 1, nil }, pack(cycle(nil)))
    assert.same({ { 5, "a", "extra" }, { 6, nil, "extra" } }, seen)
  end)

  it("raises without a function", function()
    assert.equal("bad argument #1 to 'cycle' (function expected, got nil)", raised(function() filter.cycle() end))
    assert.equal("bad argument #1 to 'cycle' (function expected, got table)", raised(function() filter.cycle {} end))
  end)
end)

describe("filter.chain", function()
  local function through(chained, ...)
    return table.concat(drain(source.chain(source.table { ... }, chained)))
  end

  it("runs the data through all filters in order", function()
    assert.equal("AABBCC", through(filter.chain(upper, doubling()), "ab", "c"))
    assert.equal("AABBCC", through(filter.chain(doubling(), upper), "ab", "c"))
    assert.equal("AAAABBBBCCCC", through(filter.chain(doubling(), upper, doubling()), "", "abc", ""))
  end)

  it("flushes them one after the other", function()
    assert.equal("AABBCCDDEE", through(filter.chain(collecting(), doubling(), collecting(), upper), "abcd", "e"))
    assert.equal("abcde", through(filter.chain(collecting(), collecting(), collecting()), "abcd", "e"))
  end)

  it("may be a single filter", function()
    assert.equal("ABC", through(filter.chain(upper), "ab", "c"))
  end)

  it("gives what one chunk became bit by bit, as long as it is given empty chunks", function()
    local chained = filter.chain(upper, doubling())
    assert.same({ "AA", "BB", "" }, { chained "ab", chained "", chained "" })
    assert.same({ "CC", "" }, { chained "c", chained "" })
    assert.same({ n = 1, nil }, pack(chained(nil)))
  end)

  it("raises when a filter ends before its input does", function()
    local chained = filter.chain(upper, function() return nil end)
    assert.equal("filter returned inappropriate nil", raised(function() chained "a" end))
  end)

  it("raises when an argument is no filter", function()
    assert.equal("bad argument #1 to 'chain' (function expected, got nil)", raised(function() filter.chain() end))
    assert.equal("bad argument #2 to 'chain' (function expected, got number)", raised(function()
      filter.chain(upper, 5)
    end))
  end)
end)

describe("source", function()
  it(".empty gives nothing", function()
    assert.same({ n = 1, nil }, pack(source.empty()()))
  end)

  it(".error gives its error again and again", function()
    local src = source.error "e"
    assert.same({ n = 2, nil, "e" }, pack(src()))
    assert.same({ n = 2, nil, "e" }, pack(src()))
  end)

  it(".string gives pieces", function()
    local chunks = drain(source.string(("x"):rep(2048) .. ("y"):rep(2048) .. "z"))
    assert.same({ ("x"):rep(2048), ("y"):rep(2048), "z" }, chunks)
    assert.same({}, drain(source.string ""))
    assert.same({}, drain(source.string(nil)))
    assert.same({ "15" }, drain(source.string(15)))
    assert.equal("bad argument #1 to 'string' (string expected, got table)", raised(function() source.string {} end))
  end)

  it("heeds BLOCKSIZE when it is called", function()
    local src = source.string "abcdefg"
    finally(function()
      ltn12.BLOCKSIZE = 2048
    end)
    ltn12.BLOCKSIZE = 2
    assert.equal("ab", src())
    ltn12.BLOCKSIZE = 3
    assert.equal("cde", src())
    assert.equal("fg", src())
  end)

  it(".table gives the elements up to the first nil", function()
    assert.same({ "a", "", "b" }, drain(source.table { "a", "", "b", nil, "c" }))
    assert.equal("bad argument #1 to 'table' (table expected, got nil)", raised(function() source.table() end))
  end)

  it(".file gives blocks and closes the file", function()
    local path = temporary(("x"):rep(5000))
    finally(function() os.remove(path) end)
    local handle = assert(io.open(path, "rb"))
    local chunks = drain(source.file(handle))
    assert.same({ 2048, 2048, 904 }, { #chunks[1], #chunks[2], #chunks[3] })
    assert.equal("closed file", io.type(handle))
  end)

  it(".file says why it has no file", function()
    assert.same({ n = 2, nil, "why" }, pack(source.file(nil, "why")()))
    assert.same({ n = 2, nil, "unable to open file" }, pack(source.file(nil)()))
  end)

  it(".file says why it cannot read", function()
    local handle = assert(io.open("/", "rb"))
    assert.same({ n = 2, nil, "Is a directory" }, pack(source.file(handle)()))
    assert.equal("closed file", io.type(handle))
  end)

  it(".cat gives one source after the other", function()
    assert.same({ "a", "b", "c" }, drain(source.cat(source.table { "a", "b" }, source.empty(), source.string "c")))
    assert.same({}, drain(source.cat()))
    local chunks, err = drain(source.cat(source.string "a", source.error "e", source.string "b"))
    assert.same({ { "a" }, "e" }, { chunks, err })
    assert.equal("bad argument #2 to 'cat' (function expected, got string)", raised(function()
      source.cat(source.empty(), "a")
    end))
  end)

  it(".rewind takes chunks back", function()
    local src = source.rewind(source.table { "a", "b" })
    assert.equal("a", src())
    assert.same({ n = 0 }, pack(src "2"))
    src "1"
    assert.same({ "1", "2", "b" }, drain(src))
    assert.equal("bad argument #1 to 'rewind' (function expected, got nil)", raised(function() source.rewind() end))
  end)

  it(".simplify follows a source to the next", function()
    local last = source.table { "b", "c" }
    local src = source.simplify(function()
      return "a", last
    end)
    assert.same({ "a", "b", "c" }, drain(src))
    local failing = source.simplify(source.error "e")
    assert.same({ n = 2, nil, "e" }, pack(failing()))
    assert.same({ n = 2, nil, "e" }, pack(failing()))
    assert.equal("bad argument #1 to 'simplify' (function expected, got nil)", raised(function()
      source.simplify()
    end))
  end)

  it(".chain filters", function()
    assert.same({ "A", "B" }, drain(source.chain(source.table { "a", "", "b" }, upper)))
    assert.same({ "AA", "BB", "CC" }, drain(source.chain(source.table { "ab", "c" }, upper, doubling())))
    assert.same({ "abc", "d" }, drain(source.chain(source.table { "ab", "cd" }, collecting())))
  end)

  it(".chain passes errors on", function()
    local src = source.chain(source.cat(source.string "a", source.error "e"), upper)
    assert.equal("A", src())
    assert.same({ n = 2, nil, "e" }, pack(src()))
  end)

  it(".chain tells what filters do wrong", function()
    local src = source.chain(source.empty(), upper)
    assert.same({ n = 1, nil }, pack(src()))
    assert.equal("source is empty!", raised(src))
    assert.equal("filter returned inappropriate nil", raised(source.chain(source.string "a", function() end)))
    assert.equal('filter returned ""', raised(source.chain(source.empty(), function() return "" end)))
    assert.equal("bad argument #1 to 'chain' (function expected, got nil)", raised(function() source.chain() end))
    assert.equal("bad argument #2 to 'chain' (function expected, got nil)", raised(function()
      source.chain(source.empty())
    end))
  end)
end)

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
