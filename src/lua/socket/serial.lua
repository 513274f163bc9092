--- LuaSocket's serial lines, waiting in the task. They serve for any device that can be read from and written to.

local require, native = ...

local class = require "cosock.socket.class"
local make = require "cosock.socket.method"

local serial = native.serial

--- The methods of serial lines.
---@class cosock.Serial
---@field class "serial{client}"
---@field close fun(self): 1  closes it, and wakes whoever waits for it
---@field dirty fun(self): boolean  whether something has been received and not handed out
---@field getfd fun(self): integer  the descriptor, -1 if there is none
---@field getstats fun(self): integer, integer, number  bytes received, bytes sent, and seconds of age
---@field setfd fun(self, descriptor: integer)  replaces the descriptor, without closing it
---@field setstats fun(self, received?: integer, sent?: integer, age?: number): 1  what `getstats` is to count from
---@field settimeout fun(self, seconds?: number, mode?: "b"|"t"): 1  how long an operation may wait, nil or negative for
---  no limit: in mode "t" in all, else at a time
local M = {}

for _, name in ipairs { "close", "dirty", "getfd", "getstats", "setfd", "setstats", "settimeout" } do
  M[name] = serial[name]
end

--- Receives by a pattern, waiting until there is enough.
---@param pattern? "*l"|"*a"|integer  a line (the default), everything up to the end, or so many bytes
---@param prefix? string  put in front of the result; a number of bytes counts it
---@return string? data
---@return string? error  "timeout", "closed", or the system's
---@return string? partial  what has arrived, which will not come again
M.receive = make.receive(serial.receive)

--- Sends bytes `i` to `j` of a string, counted as `string.sub` does. Returns when the system has taken all.
---@param data string|number
---@param i? integer
---@param j? integer
---@return integer? last  the index of the last byte sent
---@return string? error  "timeout", "closed", or the system's
---@return integer? sent  if it failed, the index of the last byte sent
M.send = make.send(serial.send)

class.define(M, { "serial{client}" }, serial.serial)

--- Opens a device for reading and writing. Speed, parity and the like stay as they are: `stty` sets them.
---@param path string
---@return cosock.Serial? line
---@return string? error  the system's
---@return integer? errno
local open = serial.serial

return open
