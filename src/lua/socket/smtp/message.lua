--- Messages as mail carries them: header fields and a body, or parts that are messages themselves.

local require, native = ...

local headers = require "cosock.socket.headers"
local pcall = require "cosock.pcall"
local single_line = require "cosock.socket.single_line"
local socket = require "cosock.socket"
local tasks = require "cosock.task"

local clock = native.task.clock

local M = {}

--- A message.
---@class cosock.Message
---@field headers? table<string, string|number>  header fields
---@field body? string|cosock.Source|cosock.Multipart
---@field zone? string  the time zone that the date tells (`smtp.ZONE`)

--- The parts of a message that has several.
---@class cosock.Multipart
---@field preamble? string  for readers that know nothing of parts
---@field epilogue? string  likewise, at the end
---@field [integer] cosock.Message

local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

--- The time of now in UTC as messages tell it. `os.date` alone would use the words of the locale.
local function date(zone)
  local now = os.date "!*t"
  return ("%s, %02d %s %d %02d:%02d:%02d %s"):format(
    DAYS[now.wday], now.day, MONTHS[now.month], now.year, now.hour, now.min, now.sec, zone)
end

local boundaries = 0

--- Something that no part holds: nobody can tell it beforehand, and no encoding of MIME gives "=_".
local function new_boundary()
  boundaries = boundaries + 1
  local nanoseconds = math.floor(clock() * 1e9 % 2 ^ 31)
  return ("=_%x.%x.%s"):format(boundaries, nanoseconds, tostring({}):match "(%x+)$")
end

--- The boundary that a content type names, if it does.
local function find_boundary(content_type)
  for name, value in content_type:gmatch ";%s*([%w-]+)%s*=%s*([^;]*)" do
    value = value:match '^"([^"]+)"' or value:match "^[^%s\"]+"
    if name:lower() == "boundary" and value then
      return value
    end
  end
end

--- A copy with names in lower case.
---@return table<string, any>? fields
---@return string? error
local function lower_names(fields)
  if type(fields) ~= "table" then
    return nil, ("bad field 'headers' (table expected, got %s)"):format(type(fields))
  end
  local lower = {}
  for name, value in pairs(fields) do
    lower[tostring(name):lower()] = value
  end
  return lower
end

--- Refuses a header field that would end before its end. A value may be folded: have line ends with white space
--- and something else behind them.
---@return string? value
---@return string? error
local function check_field(name, value)
  local kind = type(value)
  if kind ~= "string" and kind ~= "number" then
    return nil, ("bad header field '%s' (string expected, got %s)"):format(name, kind)
  end
  local ok, err = single_line.check(name, "name of a header field")
  if ok then
    local unfolded = tostring(value):gsub("\r\n[ \t]+([^ \t\r\n%z])", " %1")
    ok, err = single_line.check(unfolded, ("header field '%s'"):format(name))
  end
  return ok and tostring(value), err
end

--- Appends header fields, in the order of their names, to the pieces of a message.
---@return string? error
local function append_fields(pieces, fields)
  local names = {}
  for name in pairs(fields) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value, err = check_field(name, fields[name])
    if not value then
      return err
    end
    pieces[#pieces + 1] = ("%s: %s\r\n"):format(headers.canonic[name] or name, value)
  end
  pieces[#pieces + 1] = "\r\n"
end

--- Appends a text before the first or after the last part.
---@return string? error
local function append_text(pieces, body, field)
  local text = body[field]
  if text == nil then
    return
  elseif type(text) ~= "string" and type(text) ~= "number" then
    return ("bad field '%s' (string expected, got %s)"):format(field, type(text))
  end
  pieces[#pieces + 1] = text .. "\r\n"
end

local append_message

--- Appends several messages as parts of one.
---@return string? error
local function append_parts(pieces, fields, body)
  local content_type = tostring(fields["content-type"] or "multipart/mixed")
  local boundary = find_boundary(content_type)
  if not boundary then
    boundary = new_boundary()
    content_type = ('%s; boundary="%s"'):format(content_type, boundary)
  end
  fields["content-type"] = content_type
  local err = append_fields(pieces, fields) or append_text(pieces, body, "preamble")
  for _, part in ipairs(body) do
    if err then
      return err
    elseif type(part) ~= "table" then
      return ("bad part of a message (table expected, got %s)"):format(type(part))
    end
    pieces[#pieces + 1] = ("\r\n--%s\r\n"):format(boundary)
    local part_fields
    part_fields, err = lower_names(part.headers or {})
    err = err or append_message(pieces, part_fields, part.body)
  end
  if err then
    return err
  end
  pieces[#pieces + 1] = ("\r\n--%s--\r\n\r\n"):format(boundary)
  return append_text(pieces, body, "epilogue")
end

--- Appends header fields and a body to the pieces of a message: strings, and sources of more.
---@return string? error
function append_message(pieces, fields, body)
  local kind = type(body)
  local is_source = tasks.is_callable(body)
  if kind == "table" and not is_source then
    return append_parts(pieces, fields, body)
  elseif body ~= nil and kind ~= "string" and kind ~= "number" and not is_source then
    return ("bad field 'body' (string, function or table expected, got %s)"):format(kind)
  end
  fields["content-type"] = fields["content-type"] or 'text/plain; charset="iso-8859-1"'
  local err = append_fields(pieces, fields)
  if err then
    return err
  end
  pieces[#pieces + 1] = is_source and body or tostring(body or "")
end

--- The pieces of a message. Its table gets the header fields that it is sent with.
---@return (string|cosock.Source)[]? pieces
---@return string? error
local function take_apart(message, zone)
  local fields, err = lower_names(message.headers or {})
  if not fields then
    return nil, err
  end
  fields.date = fields.date or date(message.zone or zone)
  fields["x-mailer"] = fields["x-mailer"] or socket._VERSION
  fields["mime-version"] = "1.0"
  message.headers = fields
  local own = {}
  for name, value in pairs(fields) do
    own[name] = value
  end
  local pieces = {}
  err = append_message(pieces, own, message.body)
  if err then
    return nil, err
  end
  return pieces
end

--- A source that gives the pieces of a message one after the other.
local function source_of(pieces)
  local index, is_finished = 1, false
  return function()
    if is_finished then
      -- As LuaSocket's, which is a coroutine.
      return nil, "cannot resume dead coroutine"
    end
    while pieces[index] do
      local first = index
      while type(pieces[index]) == "string" do
        index = index + 1
      end
      if index > first then
        return table.concat(pieces, "", first, index - 1)
      end
      local ok, chunk, err = pcall(pieces[index])
      if not ok then
        is_finished = true
        return nil, chunk
      elseif chunk or err then
        return chunk, err
      end
      index = index + 1
    end
    is_finished = true
    return nil
  end
end

--- Makes a source out of a message. Its body may come from sources that wait.
---
--- In the message's table, `headers` is replaced by the header fields that are sent, with names in lower case.
---
---@param message cosock.Message
---@param zone string  the time zone that the date tells, if the message does not say
---@return cosock.Source source  its errors are those of the body's sources, also those that they raise; "invalid
---  header field 'subject': CR, LF and NUL are not allowed"; "bad field 'body' (...)" and the like
function M.source(message, zone)
  local pieces, err = take_apart(message, zone)
  if not pieces then
    return function()
      return nil, err
    end
  end
  return source_of(pieces)
end

return M
