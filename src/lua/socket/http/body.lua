--- The bodies of replies: how long they are, and sources that receive them.

local require = ...

local chunked = require "cosock.socket.http.chunked"
local stream = require "cosock.socket.stream"

local M = {}

--- The most that is received at once. The least is the block size of `socket.source`, so that a server has
--- as long for each block as with LuaSocket; what has arrived beyond it comes along.
local MOST = 65536

--- A body under way.
---@class cosock.HttpBody
---@field is_complete boolean  whether its end has been received
---@field package reader {receive: function}
---@field package left number  bytes that are not received yet
---@field package failure string?  why there will be no more
local Sized = {}
Sized.__index = Sized

--- The source: returns the next block; nil at the end. When the body breaks off, what came in is returned
--- before the error.
---@return string? data
---@return string? error
function Sized:next()
  if self.left <= 0 then
    self.is_complete = true
    return nil
  elseif self.failure then
    return nil, self.failure
  end
  local least = math.min(stream.socket.BLOCKSIZE, self.left)
  local data, err, partial = self.reader:receive(least, nil, math.min(MOST, self.left))
  if data then
    self.left = self.left - #data
    return data
  end
  self.failure = err
  if partial and partial ~= "" then
    return partial
  end
  return nil, err
end

--- A body that ends when the server closes the connection.
---@class cosock.HttpOpenBody
---@field is_complete false  nothing can follow it
---@field package reader {receive: function, close: function, is_cut_off: function}
---@field package ended boolean?
---@field package failure string?
local Open = {}
Open.__index = Open

--- The source, as above. Closes the connection at the end. By TLS the server tells it: anybody can reset a connection.
---@return string? data
---@return string? error
function Open:next()
  if self.ended then
    return nil
  elseif self.failure then
    return nil, self.failure
  end
  local data, err, partial = self.reader:receive(stream.socket.BLOCKSIZE, nil, MOST)
  if data then
    return data
  elseif err == "closed" and not self.reader:is_cut_off() then
    self.reader:close()
    self.ended = true
    return partial
  end
  self.failure = err
  if partial and partial ~= "" then
    return partial
  end
  return nil, err
end

--- A body of so many bytes.
---@param reader {receive: function}
---@param length number
---@return cosock.HttpBody
function M.sized(reader, length)
  return setmetatable({ reader = reader, left = length, is_complete = false }, Sized)
end

--- A body that ends with the connection.
---@param reader {receive: function, close: function, is_cut_off: function}
---@return cosock.HttpOpenBody
function M.open(reader)
  return setmetatable({ reader = reader, is_complete = false }, Open)
end

--- The length that headers tell. Several equal ones, joined by commas, count as one.
---@param headers table<string, string>
---@return number?
function M.length(headers)
  local text = headers["content-length"]
  if not text or not text:find(",", 1, true) then
    local length = tonumber(text)
    -- Half a byte would never come, and some interpreters read "nan" as a number.
    return length == math.floor(length or 0) and length or nil
  end
  local common
  for item in text:gmatch "[^,]+" do
    local length = item:match "^%s*(%d+)%s*$"
    if not length or common and length ~= common then
      return nil
    end
    common = length
  end
  return tonumber(common)
end

--- The body that headers announce.
---@param reader {receive: function, close: function, is_cut_off: function}
---@param headers table<string, string>
---@return cosock.HttpBody|cosock.HttpOpenBody|cosock.ChunkedBody
function M.announced(reader, headers)
  local coding = headers["transfer-encoding"]
  if coding and coding ~= "identity" then
    return chunked.new(reader)
  end
  local length = M.length(headers)
  if length then
    return M.sized(reader, length)
  end
  return M.open(reader)
end

return M
