--- The chunked coding: a body in pieces that tell their own size.

local require = ...

local head = require "cosock.socket.http.head"
local settings = require "cosock.socket.http.settings"
local stream = require "cosock.socket.stream"

local M = {}

--- Chunks of up to so many bytes are handed over whole; larger ones come in pieces, so that no server
--- can make the program hold more.
M.WHOLE = 65536

--- Most digits that the size of a chunk may have: what is larger is no whole number to Lua.
local MOST_DIGITS = 13

--- The size that the first line of a chunk tells.
---@param line string
---@return integer?
local function chunk_size(line)
  local digits = line:match "^%s*(%x+)%s*$" or line:match "^%s*(%x+)%s*;"
  digits = digits and digits:gsub("^0+(%x)", "%1")
  if digits and #digits <= MOST_DIGITS then
    return tonumber(digits, 16)
  end
end

--- A body under way.
---@class cosock.ChunkedBody
---@field is_complete boolean  whether its end has been received, and nothing was wrong before
---@field package reader {receive: function}
---@field package headers table?  where the trailers go
---@field package left integer  bytes left of a chunk that comes in pieces
---@field package failure string?  why there will be no more
---@field package ended boolean?
---@field package is_sound boolean
local Body = {}
Body.__index = Body

--- Passes on what came in before an error; the error comes next.
function Body:fail(err, partial)
  self.failure = err
  if partial and partial ~= "" then
    return partial
  end
  return nil, err
end

--- The line end behind a chunk. What else stands there is overlooked, as LuaSocket does, but nobody can
--- tell any more where the reply ends.
function Body:end_chunk()
  local line, err = head.receive_line(self.reader, settings.LIMITS.chunk_line, "chunk too long")
  if line ~= "" then
    self.is_sound = false
    self.failure = err
  end
end

--- Goes on with a chunk that is not received yet to its end.
function Body:go_on()
  local least = math.min(stream.socket.BLOCKSIZE, self.left)
  local data, err, partial = self.reader:receive(least, nil, math.min(M.WHOLE, self.left))
  if not data then
    return self:fail(err, partial)
  end
  self.left = self.left - #data
  if self.left == 0 then
    self:end_chunk()
  end
  return data
end

--- The source: returns the next chunk, or a piece of a large one; nil at the end.
---@return string? data
---@return string? error  "invalid chunk size", "chunk size line too long", or what receiving or the trailers
---  failed with
function Body:next()
  if self.failure then
    return nil, self.failure
  elseif self.ended then
    return nil
  elseif self.left > 0 then
    return self:go_on()
  end
  local line, err = head.receive_line(self.reader, settings.LIMITS.chunk_line, "chunk size line too long")
  if not line then
    return self:fail(err)
  end
  local size = chunk_size(line)
  if not size then
    return self:fail "invalid chunk size"
  elseif size == 0 then
    local trailers
    trailers, err = head.receive_headers(self.reader, self.headers)
    if not trailers then
      return self:fail(err)
    end
    self.ended, self.is_complete = true, self.is_sound
    return nil
  elseif size > M.WHOLE then
    self.left = size
    return self:go_on()
  end
  local data, partial
  data, err, partial = self.reader:receive(size)
  if not data then
    return self:fail(err, partial)
  end
  self:end_chunk()
  return data
end

--- Reads a chunked body.
---@param reader {receive: function}  a socket, or whatever receives like one
---@param headers? table<string, string>  where the headers behind the body go
---@return cosock.ChunkedBody
function M.new(reader, headers)
  return setmetatable({ reader = reader, headers = headers, left = 0, is_sound = true, is_complete = false }, Body)
end

--- Sends a piece of a body as a chunk; sends the last one if there is no more. An empty piece would end the
--- body, so nothing is sent for it; nor is the end if the source failed: the server must not take a part
--- for the whole.
---@param writer {send: function}  a socket, or whatever sends like one
---@param data string?
---@param err any  why there is no more, if that is an error
---@return any ok
---@return string? error
function M.send(writer, data, err)
  if not data then
    if err then
      return 1
    end
    return writer:send "0\r\n\r\n"
  elseif data == "" then
    return 1
  end
  return writer:send(("%X\r\n"):format(#data) .. data .. "\r\n")
end

--- Reads a chunked body from a socket. The third argument of `socket.source` is a table for the headers
--- behind the body.
stream.sourcet["http-chunked"] = function(sock, headers)
  local body = M.new(sock, headers)
  return stream.around(sock, function()
    return body:next()
  end)
end

--- Writes a chunked body to a socket, and leaves that open.
stream.sinkt["http-chunked"] = function(sock)
  return stream.around(sock, function(_, data, err)
    return M.send(sock, data, err)
  end)
end

return M
