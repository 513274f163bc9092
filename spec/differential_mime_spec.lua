-- Encodings: `cosock.mime` does what LuaSocket's `mime` does.

local Generator = require "spec.support.generator"
local Twins = require "spec.support.twins"

local twins = Twins.load("cosock.mime", "mime")
if not twins then
  it("has no LuaSocket here to compare cosock.mime with", function() end)
  return
end

local PIECES = {
  "\r", "\n", "\r\n", "\r\n", "=", "=41", "=\r\n", "=4", " ", " ", "\t", ".", "a", "b", "abcdef", "+/", "==", "A=",
  "\0", "\1", "\127", "\200", "\255", ("x"):rep(80), "YWJj", "YQ==",
}

-- Runs a filter of the lowest level over chunks and gives back every result.
local function run(codec, context, chunks, extra)
  local results = {}
  for index = 1, #chunks + 1 do
    local result
    result, context = codec(context, chunks[index], extra)
    results[#results + 1] = tostring(result)
    results[#results + 1] = tostring(tonumber(context) and ("%d"):format(context) or context)
  end
  return results
end

describe("as with LuaSocket, mime", function()
  it("has these members", function()
    for name, member in pairs(twins.theirs) do
      assert.equal(type(member), type(twins.ours[name]), name)
    end
    for _, group in ipairs { "encodet", "decodet", "wrapt" } do
      for name, member in pairs(twins.theirs[group]) do
        assert.equal(type(member), type(twins.ours[group][name]), name)
      end
    end
    assert.equal(twins.theirs._VERSION, twins.ours._VERSION)
  end)

  it("encodes and decodes generated chunks, with what is held back", function()
    local generator = Generator.new(1)
    for _ = 1, 1500 do
      local chunks = generator:split(generator:text(PIECES, 30))
      local held = generator:coin() and generator:text(PIECES, 4) or ""
      for _, name in ipairs { "b64", "unb64", "qp", "unqp" } do
        twins:both(name, function(mime)
          return run(mime[name], held, chunks)
        end)
      end
      local marker = generator:pick { "", "\n", "=0D=0A", "<end>" }
      twins:both("qp " .. marker, function(mime)
        return run(mime.qp, held, chunks, marker)
      end)
    end
  end)

  it("wraps, normalizes and stuffs generated chunks", function()
    local generator = Generator.new(2)
    for _ = 1, 1500 do
      local chunks = generator:split(generator:text(PIECES, 30))
      local length = generator:number(20) - 3
      local left = generator:number(25) - 5
      for _, name in ipairs { "wrp", "qpwrp" } do
        twins:both(("%s %d %d"):format(name, left, length), function(mime)
          return run(mime[name], left, chunks, length)
        end)
        twins:both(name, function(mime)
          return run(mime[name], 76, chunks)
        end)
      end
      local last = generator:pick { 0, 10, 13 }
      local marker = generator:pick { "", "\n", "<end>" }
      twins:both("eol " .. last, function(mime)
        return run(mime.eol, last, chunks, marker)
      end)
      local seen = generator:number(3) - 1
      twins:both("dot " .. seen, function(mime)
        return run(mime.dot, seen, chunks)
      end)
    end
  end)

  it("makes the same filters", function()
    local generator = Generator.new(3)
    for _ = 1, 300 do
      local chunks = generator:split(generator:text(PIECES, 30))
      for _, call in ipairs {
        { "encode", "base64" }, { "encode", "quoted-printable" }, { "encode", "quoted-printable", "binary" },
        { "encode", "quoted-printable", "text" }, { "decode", "base64" }, { "decode", "quoted-printable" }, { "wrap" },
        { "wrap", 5 }, { "wrap", "text" }, { "wrap", "text", 5 }, { "wrap", "base64", 7 }, { "wrap", "default" },
        { "wrap", "quoted-printable" }, { "wrap", "quoted-printable", 5 }, { "normalize" }, { "normalize", "\n" },
        { "stuff" },
      } do
        twins:both(table.concat(call, " "), function(mime)
          local filter = mime[call[1]](call[2], call[3])
          local results = {}
          for index = 1, #chunks + 1 do
            results[index] = tostring(filter(chunks[index]))
          end
          return results
        end)
      end
    end
  end)

  it("takes these arguments or raises", function()
    for _, name in ipairs { "b64", "unb64", "qp", "unqp" } do
      twins:same(name)
      for _, argument in ipairs { 5, "", true, {} } do
        twins:same(name, argument)
        twins:same(name, nil, argument)
        twins:same(name, "", argument)
        twins:same(name, "a", argument)
      end
    end
    for _, argument in ipairs { 5, "x", true, {} } do
      twins:same("qp", "", "\r\n", argument)
      twins:same("qp", nil, nil, argument)
      twins:same("eol", 0, "\r\n", argument)
      twins:same("wrp", 5, "abcdefg", argument)
    end
    for _, name in ipairs { "wrp", "qpwrp", "eol", "dot" } do
      twins:same(name)
      twins:same(name, nil, "a")
      for _, argument in ipairs { 5, "2", "x", -3, 76, 77, true, {} } do
        twins:same(name, argument)
        twins:same(name, argument, "abcdef")
        twins:same(name, argument, "\n.")
        twins:same(name, argument, 5)
        twins:same(name, 2, argument)
      end
    end
    for _, name in ipairs { "wrp", "qpwrp", "dot" } do
      twins:same(name, 2.7, "\n.abc")
      twins:same(name, -0.5, ".abc")
    end
    for _, name in ipairs { "encode", "decode", "wrap" } do
      twins:same(name, "no such")
      twins:same(name)
      twins:same(name, {})
    end
  end)
end)
