-- A parallel downloader: up to twenty files at a time, and a line for each as it gets on.
--
--   lua examples/download.lua FOLDER URL ...
--   lua examples/download.lua /tmp http://127.0.0.1/one.txt http://127.0.0.1/two.txt

local cosock = require "cosock"
local http = require "cosock.socket.http"
local socket = require "cosock.socket"
local url = require "cosock.socket.url"

local AT_ONCE = 20
local EVERY = 1 -- seconds between two looks at those under way

local folder = table.remove(arg, 1)
if not folder or #arg == 0 then
  io.stderr:write "usage: lua download.lua FOLDER URL ...\n"
  os.exit(1)
end

--- The name for the file of a URL: the last part of its path, made unique.
local taken = {}
local function name_of(address)
  local path = (url.parse(address) or {}).path or ""
  local name = url.unescape(path:match "[^/]*$"):gsub("[^%w._-]", "_"):gsub("^%.+", "_")
  name = name == "" and "index.html" or name
  local unique, count = name, 1
  while taken[unique] do
    count = count + 1
    unique = count .. "-" .. name
  end
  taken[unique] = true
  return unique
end

local downloads = {}
for index, address in ipairs(arg) do
  downloads[index] = { address = address, name = name_of(address), bytes = 0 }
end

local function say(index, ...)
  print(("[%d/%d] %s: %s"):format(index, #downloads, downloads[index].name, string.format(...)))
end

--- Fetches one file. What is not complete keeps the ending ".part".
local function fetch(download)
  local path = folder .. "/" .. download.name
  local file, err = io.open(path .. ".part", "wb")
  if not file then
    return nil, err
  end
  local ok, code, _, status = http.request {
    url = download.address,
    sink = function(data)
      if not data then
        return 1
      end
      download.bytes = download.bytes + #data
      return file:write(data)
    end,
  }
  file:close()
  if not ok then
    return nil, code
  elseif code ~= 200 then
    os.remove(path .. ".part")
    return nil, status
  end
  return os.rename(path .. ".part", path)
end

-- The tasks share the list: each takes the next file when it is done with its last.
local begun, ended, failed = 0, 0, 0
for _ = 1, math.min(AT_ONCE, #downloads) do
  cosock.spawn(function()
    while begun < #downloads do
      begun = begun + 1
      local index = begun
      local download = downloads[index]
      download.started = socket.gettime()
      local ok, err = fetch(download)
      download.is_over = true
      ended = ended + 1
      if ok then
        say(index, "%d bytes in %.1f seconds", download.bytes, socket.gettime() - download.started)
      else
        failed = failed + 1
        say(index, "failed after %d bytes: %s", download.bytes, err)
      end
    end
  end, "downloader")
end

cosock.spawn(function()
  while ended < #downloads do
    socket.sleep(EVERY)
    for index, download in ipairs(downloads) do
      if download.started and not download.is_over then
        say(index, "%d bytes so far", download.bytes)
      end
    end
  end
end, "progress")

cosock.run()
print(("%d of %d files"):format(#downloads - failed, #downloads))
os.exit(failed == 0 and 0 or 1)
