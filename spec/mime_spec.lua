-- cosock.mime: encodings as filters.

local ltn12 = require "cosock.ltn12"
local mime = require "cosock.mime"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local socket = require "cosock.socket"

local pack, raised = peers.pack, peers.raised

-- What a filter makes of chunks, to the end.
local function through(filter, ...)
  local sink, array = ltn12.sink.table()
  assert(ltn12.pump.all(ltn12.source.chain(ltn12.source.table { ... }, filter), sink))
  return table.concat(array)
end

-- A function of the lowest level, with arguments and results in one table each.
local function gives(name, cases)
  for _, case in ipairs(cases) do
    local arguments, results = case[1], case[2]
    local words = {}
    for index = 1, arguments.n or #arguments do
      words[index] = ("%q"):format(tostring(arguments[index])):gsub("\r", "\\r"):gsub("\\?\n", "\\n")
    end
    it(("%s(%s)"):format(name, table.concat(words, ", ")), function()
      assert.same({ n = 2, results[1], results[2] }, pack(mime[name](arguments[1], arguments[2], arguments[3])))
    end)
  end
end

it("has LuaSocket's constants and sets no global", function()
  assert.equal("MIME 1.0.3", mime._VERSION)
  assert.not_equal(mime, rawget(_G, "mime"))
end)

describe("low level:", function()
  gives("b64", {
    { { "", "" }, { "", "" } },
    { { "", "a" }, { "", "a" } },
    { { "a", "b" }, { "", "ab" } },
    { { "ab", "c" }, { "YWJj", "" } },
    { { "", "abcd" }, { "YWJj", "d" } },
    { { "abcdef", "g" }, { "YWJjZGVm", "g" } },
    { { "a" }, { "YQ==" } },
    { { "ab" }, { "YWI=" } },
    { { "abcd" }, { "YWJjZA==" } },
    { { "\0\255\254" }, { "AP/+" } },
    { { "" }, {} },
    { { n = 2, nil, "a" }, {} },
    { { 1, 23 }, { "MTIz", "" } },
  })

  gives("unb64", {
    { { "", "" }, { "", "" } },
    { { "", "YWJ" }, { "", "YWJ" } },
    { { "YWJ", "j" }, { "abc", "" } },
    { { "", "YW\r\nJj Z-G" }, { "abc", "ZG" } },
    { { "", "YQ==YWI=" }, { "aab", "" } },
    { { "YWJjZ" }, { "abc" } },
    { { "YWJ" }, {} },
    { { "AAAA" }, { "\0\0\0" } },
    { { "", "====" }, { "\0", "" } },
    { { "", "A=AA" }, { "\0\0\0", "" } },
    { { "", "AA=A" }, { "\0", "" } },
    { { "", "YR==" }, { "a", "" } },
    { { n = 2, nil, "a" }, {} },
  })

  gives("qp", {
    { { "", "" }, { "", "" } },
    { { "", "a=~!\127\0\255" }, { "a=3D~!=7F=00=FF", "" } },
    { { "", "a " }, { "a", " " } },
    { { " ", "b" }, { "", " b" } },
    { { " b", "c" }, { " bc", "" } },
    { { " \r", "\nc" }, { "=20\r\nc", "" } },
    { { "", "a\tb \r\n\r\n\rc\nd" }, { "a\tb=20\r\n\r\n=0Dc=0Ad", "" } },
    { { "", "\r" }, { "", "\r" } },
    { { "", "a\r\nb", "<>" }, { "a<>b", "" } },
    { { "", "a\r\nb", "" }, { "ab", "" } },
    { { "a " }, { "a=20=\r\n" } },
    { { "a b" }, { "a=20b=\r\n" } },
    { { "abc" }, { "abc" } },
    { { "\r" }, { "=0D=\r\n" } },
    { { "" }, {} },
    { { n = 2, nil, "a" }, {} },
  })

  gives("unqp", {
    { { "", "" }, { "", "" } },
    { { "", "a=3D=3d=C3" }, { "a==\195", "" } },
    { { "", "a=" }, { "a", "=" } },
    { { "=", "4" }, { "", "=4" } },
    { { "=4", "1" }, { "A", "" } },
    { { "", "a=\r\nb\r\nc" }, { "ab\r\nc", "" } },
    { { "", "=zz=4g==41" }, { "=zz=4g==41", "" } },
    { { "", "a\nb\1\200c\9" }, { "abc\9", "" } },
    { { "", "a\rbc" }, { "ac", "" } },
    { { "a=4" }, { "a" } },
    { { "=4" }, {} },
    { { "=00a" }, {} },
    { { "a=00" }, { "a\0" } },
    { { n = 2, nil, "a" }, {} },
  })

  gives("wrp", {
    { { 76, ("x"):rep(77) }, { ("x"):rep(76) .. "\r\nx", 75 } },
    { { 3, "abcdef", 4 }, { "abc\r\ndef", 1 } },
    { { 3, "abc", 4 }, { "abc", 0 } },
    { { 0, "a\r\n\nb", 4 }, { "\r\na\r\n\r\nb", 3 } },
    { { 4, "", 4 }, { "", 4 } },
    { { n = 3, 4, nil, 4 }, { nil, 4 } },
    { { n = 3, 3, nil, 4 }, { "\r\n", 4 } },
    { { 75 }, { "\r\n", 76 } },
    { { "3", "abcd", "3" }, { "abc\r\nd", 2 } },
  })

  gives("qpwrp", {
    { { 76, ("x"):rep(77) }, { ("x"):rep(75) .. "=\r\nxx", 74 } },
    { { 5, "a=41b", 5 }, { "a=41=\r\nb", 4 } },
    { { 4, "a=41b", 5 }, { "a=\r\n=41b", 1 } },
    { { 5, "a\r\nb\nc\rd", 5 }, { "a\r\nb\r\ncd", 3 } },
    { { n = 3, 4, nil, 4 }, { nil, 4 } },
    { { n = 3, 3, nil, 4 }, { "=\r\n", 4 } },
  })

  gives("eol", {
    { { 0, "a\rb\nc\r\nd\n\re" }, { "a\r\nb\r\nc\r\nd\r\ne", 0 } },
    { { 0, "a\r\rb\n\nc" }, { "a\r\n\r\nb\r\n\r\nc", 0 } },
    { { 0, "a\r" }, { "a\r\n", 13 } },
    { { 13, "\nb" }, { "b", 0 } },
    { { 10, "\nb" }, { "\r\nb", 0 } },
    { { 0, "a\nb", "<>" }, { "a<>b", 0 } },
    { { 13 }, { nil, 0 } },
  })

  gives("dot", {
    { { 2, ".a\r\n.b.\r\n..\n.\r." }, { "..a\r\n..b.\r\n...\n.\r.", 0 } },
    { { 2, "" }, { "", 2 } },
    { { 0, "a\r" }, { "a\r", 1 } },
    { { 1, "\n" }, { "\n", 2 } },
    { { 1, "\n." }, { "\n..", 0 } },
    { { 0, "\n." }, { "\n.", 0 } },
    { { 0 }, { nil, 2 } },
  })

  it("raise for wrong arguments", function()
    for _, name in ipairs { "b64", "unb64", "qp", "unqp" } do
      assert.matches("^bad argument #1 to '.*' %(string expected, got table%)$", raised(function()
        mime[name]({}, "")
      end))
      assert.matches("^bad argument #2 to '.*' %(string expected, got boolean%)$", raised(function()
        mime[name]("", true)
      end))
    end
    assert.matches("^bad argument #3 to '.*' %(string expected, got table%)$", raised(function()
      mime.qp("", "", {})
    end))
    for _, name in ipairs { "wrp", "qpwrp", "eol", "dot" } do
      assert.matches("^bad argument #1 to '.*' %(number expected, got no value%)$", raised(function()
        mime[name]()
      end))
      assert.matches("^bad argument #2 to '.*' %(string expected, got table%)$", raised(function()
        mime[name](0, {})
      end))
    end
    assert.matches("^bad argument #3 to '.*' %(number expected, got table%)$", raised(function()
      mime.wrp(1, "", {})
    end))
    assert.matches("^bad argument #1 to '.*' %(number has no integer representation%)$", raised(function()
      mime.eol(0.5, "")
    end))
  end)
end)

describe("mime.encode and mime.decode", function()
  local data = {}
  for byte = 0, 255 do
    data[#data + 1] = string.char(byte)
  end
  data = table.concat(data) .. " \r\n\r\n=\t\r\n"

  it("know base64", function()
    assert.equal("SGVsbG8sIHdvcmxkIQ==", through(mime.encode "base64", "Hel", "lo, wo", "", "rld!"))
    assert.equal("Hello, world!", through(mime.decode "base64", "SGVsb", "G8sIHd\r\n", "", "vcmxkIQ=="))
    assert.equal(data, through(mime.decode "base64", through(mime.encode "base64", data)))
  end)

  it("know quoted-printable", function()
    assert.equal("a=3Db=20\r\nc", through(mime.encode "quoted-printable", "a=b ", "\r", "\nc"))
    assert.equal("a=b \r\nc", through(mime.decode "quoted-printable", "a=3", "Db=2", "0\r\nc"))
    assert.equal(data, through(mime.decode "quoted-printable", through(mime.encode "quoted-printable", data)))
  end)

  it("know quoted-printable of binary data", function()
    assert.equal("a=0D=0Ab", through(mime.encode("quoted-printable", "binary"), "a\r", "\nb"))
    assert.equal("a\r\nb", through(mime.encode("quoted-printable", "text"), "a\r", "\nb"))
  end)

  it("raise for what they do not know", function()
    assert.equal("unknown key (x)", raised(function() mime.encode "x" end))
    assert.equal("unknown key (x)", raised(function() mime.decode "x" end))
    assert.equal("unknown key (default)", raised(function() mime.encode() end))
    assert.equal("unknown key (default)", raised(function() mime.decode() end))
  end)

  it("can be taught", function()
    finally(function()
      mime.encodet["without"] = nil
    end)
    mime.encodet["without"] = function(letter)
      return function(chunk)
        return chunk and (chunk:gsub(letter, ""))
      end
    end
    assert.equal("ac", through(mime.encode("without", "b"), "abc"))
  end)
end)

describe("mime.wrap", function()
  local text = ("x"):rep(100)

  it("breaks text", function()
    local expected = ("x"):rep(76) .. "\r\n" .. ("x"):rep(24) .. "\r\n"
    for _, kind in ipairs { "text", "base64", "default" } do
      assert.equal(expected, through(mime.wrap(kind), text:sub(1, 50), text:sub(51)))
    end
    assert.equal(expected, through(mime.wrap(), text))
  end)

  it("takes a length", function()
    assert.equal("abcde\r\nfg\r\n", through(mime.wrap("text", 5), "abcdefg"))
    assert.equal("abcde\r\nfg\r\n", through(mime.wrap(5), "abcdefg"))
  end)

  it("breaks quoted-printable", function()
    assert.equal(("x"):rep(75) .. "=\r\n" .. ("x"):rep(25) .. "=\r\n", through(mime.wrap "quoted-printable", text))
  end)

  it("raises for what it does not know", function()
    assert.equal("unknown key (x)", raised(function() mime.wrap "x" end))
  end)
end)

describe("mime.normalize", function()
  it("makes line endings the same", function()
    assert.equal("a\r\nb\r\n\r\nc", through(mime.normalize(), "a\r", "\nb\n", "\nc"))
    assert.equal("a\nb\n\nc", through(mime.normalize "\n", "a\r", "\nb\n", "\nc"))
  end)
end)

describe("mime.stuff", function()
  it("doubles dots at the beginnings of lines", function()
    assert.equal("..\r\n..a.b\r\n", through(mime.stuff(), ".\r", "\n", ".a.b\r\n"))
  end)
end)

it("encodes in 20 tasks at once, of data that comes over sockets", function()
  local bodies, results = {}, {}
  local tasks = {}
  for index = 1, 20 do
    bodies[index] = ("%d \0\r\n"):format(index):rep(3000)
    local sender, receiver = peers.pair(socket)
    tasks[#tasks + 1] = function()
      local encoded = ltn12.source.chain(ltn12.source.string(bodies[index]), mime.encode "base64", mime.wrap "base64")
      assert(ltn12.pump.all(encoded, socket.sink("close-when-done", sender)))
    end
    tasks[#tasks + 1] = function()
      local sink, array = ltn12.sink.table()
      assert(ltn12.pump.all(socket.source("until-closed", receiver), ltn12.sink.chain(mime.decode "base64", sink)))
      results[index] = table.concat(array)
    end
  end
  run.tasks((table.unpack or unpack)(tasks)) -- luacheck: ignore 143
  assert.same(bodies, results)
end)
