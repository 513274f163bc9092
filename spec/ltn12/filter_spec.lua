-- The filters of cosock.ltn12.

local chunks = require "spec.support.chunks"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"

local pack, raised = peers.pack, peers.raised
local upper, doubling, collecting, drain = chunks.upper, chunks.doubling, chunks.collecting, chunks.drain
local filter, source = ltn12.filter, ltn12.source

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
