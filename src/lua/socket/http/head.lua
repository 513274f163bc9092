--- The heads of messages: request lines, status lines and headers.

local require = ...

local canonic = require("cosock.socket.headers").canonic
local settings = require "cosock.socket.http.settings"

local M = {}

--- What would end a line, or the text for those who take it for a C string.
local FORBIDDEN = "[%z\r\n]"

--- Text that is safe to show in a message of one line.
local function show(text)
  return (text:gsub("%c", function(byte)
    return ("\\%d"):format(byte:byte())
  end))
end

--- Whether `text` may be part of a line.
---@param what string  what it is, for the message
---@param text string
---@return boolean? ok
---@return string? error  such as "invalid path '/a\13\10b: c' (no CR, LF or NUL)"
function M.check(what, text)
  if text:find(FORBIDDEN) then
    return nil, ("invalid %s '%s' (no CR, LF or NUL)"):format(what, show(text))
  end
  return true
end

--- The first line of a request.
---@param method string
---@param target string
---@return string? line  with its end
---@return string? error
function M.request_line(method, target)
  local ok, err = M.check("method", method)
  if ok then
    ok, err = M.check("path", target)
  end
  if not ok then
    return nil, err
  end
  return method .. " " .. target .. " HTTP/1.1\r\n"
end

--- The lines of a table of headers, and the empty one that ends them. Known names are sent in capitals.
---@param headers table<string, string|number>
---@return string? lines
---@return string? error
function M.header_lines(headers)
  local parts, count = {}, 0
  for name, value in pairs(headers) do
    if type(name) ~= "string" or name:find(FORBIDDEN) then
      return nil, ("invalid header name '%s' (no CR, LF or NUL)"):format(show(tostring(name)))
    elseif type(value) == "string" and value:find(FORBIDDEN) then
      -- The value may be a secret.
      return nil, ("invalid header '%s' (no CR, LF or NUL)"):format(name)
    end
    if type(value) == "number" and value % 1 == 0 then
      value = ("%.0f"):format(value) -- a length that was computed may be a float
    end
    parts[count + 1], parts[count + 2], parts[count + 3], parts[count + 4] =
      canonic[name] or name, ": ", value, "\r\n"
    count = count + 4
  end
  parts[count + 1] = "\r\n"
  return table.concat(parts)
end

--- Receives a line, the name of whose limit tells what it is.
---@param reader {receive: function}
---@param most integer
---@param message string  the error if it is longer
---@param prefix string?
---@return string? line
---@return string? error
function M.receive_line(reader, most, message, prefix)
  local line, err = reader:receive("*l", prefix, most)
  if line then
    if #line > most then
      return nil, message -- a socket that knows no limits
    end
    return line
  end
  return nil, err == "line too long" and message or err
end

--- Whether a byte is white space, as `%s` has it.
local function is_space(byte)
  return byte == 32 or byte ~= nil and byte >= 9 and byte <= 13
end

--- Receives headers up to the empty line. Names become lower case; what comes twice is joined by a comma,
--- and a line that begins with white space goes on with the one before.
---@param reader {receive: function}  a socket, or whatever receives like one
---@param headers? table<string, string>  to be added to
---@return table<string, string>? headers
---@return string? error
function M.receive_headers(reader, headers)
  headers = headers or {}
  local limits = settings.LIMITS
  local lines_left, bytes_left = limits.header_count, limits.header_bytes
  local name, value
  while true do
    -- The line that goes beyond the limit is not received to its end.
    local line, err = reader:receive("*l", nil, bytes_left + 2)
    if not line then
      return nil, err == "line too long" and "response headers too long" or err
    end
    lines_left, bytes_left = lines_left - 1, bytes_left - #line - 2
    if name and is_space(line:byte()) then
      value = value .. line
    else
      if name then
        local present = headers[name]
        headers[name] = present and present .. ", " .. value or value
      end
      if line == "" then
        return headers
      end
      name, value = line:match "^([^:]*):%s*(.*)"
      if not name then
        return nil, "malformed response headers"
      end
      name = name:lower()
    end
    if lines_left < 0 then
      return nil, "too many response headers"
    elseif bytes_left < 0 then
      return nil, "response headers too long"
    end
  end
end

return M
