-- Chunks: `cosock.ltn12` does what LuaSocket's `ltn12` does.

local Generator = require "spec.support.generator"
local Twins = require "spec.support.twins"

local twins = Twins.load("cosock.ltn12", "ltn12")
if not twins then
  it("has no LuaSocket here to compare cosock.ltn12 with", function() end)
  return
end

-- A source that fails or ends where the plan says so, and writes down every call.
local function make_source(plan, log)
  local index = 0
  return function()
    index = index + 1
    local chunk = plan[index]
    log[#log + 1] = "source"
    if chunk == "fail" then
      return nil, "source failed"
    end
    return chunk
  end
end

-- Filters of all kinds: some give more than they get, some hold back, some give nothing at all.
local filters = {
  function() -- one byte a call
    local held = ""
    return function(chunk)
      held = held .. (chunk or "")
      local byte = held:sub(1, 1)
      held = held:sub(2)
      return byte ~= "" and byte or chunk and ""
    end
  end,
  function() -- everything at the end
    local held = ""
    return function(chunk)
      if chunk then
        held = held .. chunk
        return ""
      end
      local all = held
      held = ""
      return all ~= "" and all or nil
    end
  end,
  function() -- twice
    return function(chunk)
      return chunk and chunk .. chunk
    end
  end,
  function() -- drops every "b"
    return function(chunk)
      return chunk and (chunk:gsub("b", ""))
    end
  end,
  function() -- adds a last chunk
    local ended = false
    return function(chunk)
      if chunk or ended then
        return chunk
      end
      ended = true
      return "$"
    end
  end,
}

local function ends_too_early()
  local count = 0
  return function(chunk)
    count = count + 1
    return count < 4 and chunk or nil
  end
end

-- Up to four filters, and what they were called with is written down.
local function chosen(generator, log, may_be_bad)
  local made = {}
  for index = 1, generator:number(4) do
    local filter = generator:pick(filters)()
    if may_be_bad and generator:number(20) == 1 then
      filter = ends_too_early()
    end
    made[index] = function(chunk)
      log[#log + 1] = ("filter %d: %s"):format(index, tostring(chunk))
      return filter(chunk)
    end
  end
  return made
end

-- A sink that fails when the plan says so, and writes down every call.
local function make_sink(fails_at, log)
  local count = 0
  return function(chunk, err)
    count = count + 1
    log[#log + 1] = ("sink: %s, %s"):format(tostring(chunk), tostring(err))
    if count >= fails_at then
      return nil, "sink failed"
    end
    return 1
  end
end

local unpack = table.unpack or unpack -- luacheck: ignore 143

local CHUNKS = { "a", "b", "ab", "abc", "", "cab" }

local function plan_of(generator)
  local plan = {}
  for index = 1, generator:number(6) - 1 do
    plan[index] = generator:number(20) == 1 and "fail" or generator:pick(CHUNKS)
  end
  return plan
end

-- Calls `count` times, whatever comes of it, and writes down what that was.
local function call_often(count, log, fn, ...)
  for _ = 1, count do
    local ok, chunk, err = pcall(fn, ...)
    log[#log + 1] = ("%s %s %s"):format(tostring(ok), ok and tostring(chunk) or "raised", ok and tostring(err) or "")
    if not ok then
      return
    end
  end
end

describe("as with LuaSocket, ltn12", function()
  it("has these members", function()
    for _, group in ipairs { "filter", "source", "sink", "pump" } do
      for name, member in pairs(twins.theirs[group]) do
        assert.equal(type(member), type(twins.ours[group][name]), name)
      end
    end
    assert.equal(twins.theirs._VERSION, twins.ours._VERSION)
    assert.equal(twins.theirs.BLOCKSIZE, twins.ours.BLOCKSIZE)
  end)

  it("chains generated filters behind generated sources", function()
    for seed = 1, 3000 do
      twins:both("seed " .. seed, function(ltn12)
        local generator, log = Generator.new(seed), {}
        local made = chosen(generator, log, true)
        local source = ltn12.source.chain(make_source(plan_of(generator), log), unpack(made))
        call_often(30, log, source)
        return log
      end)
    end
  end)

  it("chains generated filters before generated sinks", function()
    for seed = 1, 3000 do
      twins:both("seed " .. seed, function(ltn12)
        local generator, log = Generator.new(seed), {}
        local made = chosen(generator, log)
        made[#made + 1] = make_sink(generator:number(30), log)
        local sink = ltn12.sink.chain(unpack(made))
        for _, chunk in ipairs(plan_of(generator)) do
          call_often(1, log, sink, chunk)
        end
        call_often(1, log, sink, nil, "error")
        return log
      end)
    end
  end)

  it("calls chained filters the same, whether the caller asks for all of a chunk or not", function()
    for seed = 1, 3000 do
      twins:both("seed " .. seed, function(ltn12)
        local generator, log = Generator.new(seed), {}
        local chain = ltn12.filter.chain(unpack(chosen(generator, log, true)))
        for _, chunk in ipairs(plan_of(generator)) do
          call_often(1, log, chain, chunk)
          call_often(generator:number(4) - 1, log, chain, "")
        end
        call_often(6, log, chain, nil)
        return log
      end)
    end
  end)

  it("pumps from generated sources to generated sinks", function()
    for seed = 1, 2000 do
      twins:both("seed " .. seed, function(ltn12)
        local generator, log = Generator.new(seed), {}
        local source = ltn12.source.cat(
          make_source(plan_of(generator), log),
          ltn12.source.rewind(make_source(plan_of(generator), log)),
          ltn12.source.table(plan_of(generator)))
        local sink = make_sink(generator:number(20), log)
        if generator:coin() then
          call_often(3, log, ltn12.pump.step, source, sink)
        end
        call_often(1, log, ltn12.pump.all, source, sink)
        return log
      end)
    end
  end)

  it("simplifies sources and sinks", function()
    twins:both("sources", function(ltn12)
      local log = {}
      local last = ltn12.source.table { "b", "c" }
      local source = ltn12.source.simplify(function() return "a", last end)
      call_often(5, log, source)
      return log
    end)
    twins:both("sinks", function(ltn12)
      local log = {}
      local last = make_sink(3, log)
      local sink = ltn12.sink.simplify(function() return 1, last end)
      call_often(5, log, sink, "a")
      return log
    end)
  end)

  it("gives the same results at the edges", function()
    for title, fn in pairs {
      ["cycle without a function"] = function(ltn12) return ltn12.filter.cycle() end,
      ["a table source without a table"] = function(ltn12) return ltn12.source.table() end,
      ["no pump"] = function(ltn12) return ltn12.pump.all() end,
      ["no filters for a source"] = function(ltn12) return ltn12.source.chain(ltn12.source.empty()) end,
      ["no sink"] = function(ltn12) return ltn12.sink.chain(tostring) end,
      ["no sources"] = function(ltn12) return ltn12.source.cat()() end,
      ["empty"] = function(ltn12) return ltn12.source.empty()() end,
      ["error"] = function(ltn12) return ltn12.source.error(5)() end,
      ["no error"] = function(ltn12) return ltn12.source.error()() end,
      ["null"] = function(ltn12) return ltn12.sink.null()() end,
      ["error sink"] = function(ltn12) return ltn12.sink.error(5)() end,
      ["file"] = function(ltn12) return ltn12.source.file()() end,
      ["file with an error"] = function(ltn12) return ltn12.source.file(nil, 5)() end,
      ["file sink"] = function(ltn12) return ltn12.sink.file()() end,
      ["file sink with an error"] = function(ltn12) return ltn12.sink.file(nil, 5)() end,
      ["no string"] = function(ltn12) return ltn12.source.string()() end,
      ["empty string"] = function(ltn12) return ltn12.source.string ""() end,
      ["number for a string"] = function(ltn12) return ltn12.source.string(5)() end,
      ["rewind returns nothing"] = function(ltn12) return ltn12.source.rewind(tostring)("a") end,
      ["table sink"] = function(ltn12)
        local sink, array = ltn12.sink.table()
        return sink "a", sink(nil, "e"), array
      end,
    } do
      twins:both(title, fn)
    end
  end)
end)
