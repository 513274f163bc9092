-- The sources of cosock.ltn12.

local chunks = require "spec.support.chunks"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"

local pack, raised = peers.pack, peers.raised
local upper, doubling, collecting = chunks.upper, chunks.doubling, chunks.collecting
local drain, temporary = chunks.drain, chunks.temporary
local source = ltn12.source

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
    local given = drain(source.string(("x"):rep(2048) .. ("y"):rep(2048) .. "z"))
    assert.same({ ("x"):rep(2048), ("y"):rep(2048), "z" }, given)
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
    local given = drain(source.file(handle))
    assert.same({ 2048, 2048, 904 }, { #given[1], #given[2], #given[3] })
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
    local given, err = drain(source.cat(source.string "a", source.error "e", source.string "b"))
    assert.same({ { "a" }, "e" }, { given, err })
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
