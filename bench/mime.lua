-- Codecs and pumps against LuaSocket's, both in this process: mime.lua [KIBIBYTES]
-- Each is measured in turn with the other, by the same code.

local KIBIBYTES = tonumber(arg[1]) or 1024
local FILE_FACTOR = 4 -- how many times as long the file is that is pumped
local REPETITIONS = 15

local ours = { mime = require "cosock.mime", ltn12 = require "cosock.ltn12" }
local found, mime = pcall(require, "mime")
if not found then
  print "mime: LuaSocket is not installed for this interpreter"
  return
end
local theirs = { mime = mime, ltn12 = require "ltn12" }

local size = KIBIBYTES * 1024

-- Bytes without any order, the same in every run.
local function binary()
  local bytes, state = {}, 1
  for index = 1, size do
    state = state * 16807 % 2147483647
    bytes[index] = string.char(state % 256)
  end
  return table.concat(bytes)
end

-- Lines of words, as in a mail; one letter in forty is not ASCII.
local function text()
  local line = "The quick brown fox jumps over the lazy dog \195\169t\195\169, and then again from the beginning.\r\n"
  return line:rep(math.ceil(size / #line)):sub(1, size)
end

local function convert(name, data)
  return function(library)
    return library.mime[name]("", data)
  end
end

local function pump(path)
  return function(library)
    local ltn12 = library.ltn12
    local source = ltn12.source.file(assert(io.open(path, "rb")))
    local sink = ltn12.sink.chain(library.mime.encode "base64", library.mime.wrap "base64", ltn12.sink.null())
    return assert(ltn12.pump.all(source, sink))
  end
end

-- Seconds of CPU time.
local function measure(work, library, times)
  collectgarbage()
  local start = os.clock()
  for _ = 1, times do
    work(library)
  end
  return os.clock() - start
end

local function median(numbers)
  table.sort(numbers)
  return numbers[math.ceil(#numbers / 2)]
end

local function compare(name, bytes, work)
  -- So often that one measurement of ours takes some milliseconds.
  local times = 1
  while measure(work, ours, times) < 0.005 do
    times = times * 2
  end
  local own, other, ratios = {}, {}, {}
  for repetition = 1, REPETITIONS do
    own[repetition] = measure(work, ours, times)
    other[repetition] = measure(work, theirs, times)
    ratios[repetition] = other[repetition] / own[repetition]
  end
  local speed = bytes * times / 1e6
  print(("  %-24s %7.0f MB/s, LuaSocket %5.0f MB/s"):format(name, speed / median(own), speed / median(other)))
  -- The median sorts them.
  print(("  %-24s ratio: %.2f (%.2f-%.2f)"):format("", median(ratios), ratios[1], ratios[REPETITIONS]))
end

local data, words = binary(), text()
local path = os.tmpname()
local file = assert(io.open(path, "wb"))
for _ = 1, FILE_FACTOR do
  file:write(data)
end
file:close()

print(("mime: %d KiB, a file of %d KiB, %d repetitions"):format(KIBIBYTES, KIBIBYTES * FILE_FACTOR, REPETITIONS))
local ok, err = pcall(function()
  compare("b64", size, convert("b64", data))
  compare("qp of text", size, convert("qp", words))
  compare("qp of bytes", size, convert("qp", data))
  local lines = mime.wrap "base64"((mime.b64("", data)))
  compare("unb64 of lines", #lines, convert("unb64", lines))
  local quoted = mime.wrap "quoted-printable"((mime.qp("", words)))
  compare("unqp of text", #quoted, convert("unqp", quoted))
  compare("pump of a file", size * FILE_FACTOR, pump(path))
end)
os.remove(path)
assert(ok, err)
