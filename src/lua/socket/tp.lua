--- The control connection of protocols in which a client sends commands, each a line, and a server answers each
--- with a reply: lines that begin with a code of three digits. SMTP and FTP are such.

local require, native = ...

local argument = require "cosock.argument"
local ltn12 = require "cosock.ltn12"
local single_line = require "cosock.socket.single_line"
local socket = require "cosock.socket"

local clock, is_socket = native.task.clock, native.task.is_socket

---@class cosock.socket.tp
local M = {
  --- How long each step may take, in seconds: connecting, sending a command, receiving a line of a reply, and
  --- receiving the whole reply.
  TIMEOUT = 60,
  --- How many bytes a line of a reply may have, without its LF.
  MAX_LINE_LENGTH = 8192,
  --- How many lines a reply may have.
  MAX_REPLY_LINES = 2048,
}
socket.tp = M

--- What a reply has to be: a pattern for its code, its code, or several of these of which one has to fit; or a
--- function that gets the code and the reply and decides what is returned.
---@alias cosock.ReplyCheck string|integer|(string|integer)[]|fun(code: integer, reply: string): any, any

--- A control connection.
---@class cosock.Control
---@field c any  the socket: programs exchange it for one with TLS
---@field inner_sock any  what `select` waits for in place of this object
---@field package timeout number?  how long a reply may take, in seconds
local Control = {}

local function receive_line(self)
  local most = M.MAX_LINE_LENGTH
  local line, err = self.c:receive("*l", nil, most)
  if line and #line > most then
    -- The socket is not one of ours, and knows no limit.
    return nil, "line too long"
  end
  return line, err
end

--- Receives the lines of a reply that has more than one.
---@return string? reply
---@return string? error
local function receive_lines(self, code, first_line)
  local lines = { first_line }
  local last_line = code .. " "
  local seconds = self.timeout
  local deadline = seconds and seconds >= 0 and clock() + seconds
  repeat
    if #lines == M.MAX_REPLY_LINES then
      return nil, "too many lines in server reply"
    elseif deadline and clock() > deadline then
      return nil, "timeout"
    end
    local line, err = receive_line(self)
    if not line then
      return nil, err
    end
    lines[#lines + 1] = line
    -- The blank may be missing where no text follows.
  until line:sub(1, 4) == last_line or line == code
  return table.concat(lines, "\n")
end

--- Receives a reply.
---@return string? code
---@return string? reply  all its lines; or the error
local function receive_reply(self)
  local line, err = receive_line(self)
  if not line then
    return nil, err
  end
  local code, separator = line:match "^(%d%d%d)(.?)"
  if not code then
    return nil, "invalid server reply"
  elseif separator ~= "-" then
    return code, line
  end
  local reply
  reply, err = receive_lines(self, code, line)
  if not reply then
    return nil, err
  end
  return code, reply
end

--- Whether a code is what was expected. A number is a pattern, too: 2 stands for every code with a 2.
local function fits(code, expected)
  return tonumber(code) == expected or code:find(expected) ~= nil
end

--- Raises unless `value` is a pattern or a code.
local function check_expected(value)
  if type(value) ~= "string" and type(value) ~= "number" then
    argument.fail(1, "check", "string, number, table or function", value, 2)
  end
end

--- Receives a reply and checks it.
---
--- Raises if `ok` is nothing that a reply can be checked by.
---@param ok cosock.ReplyCheck
---@return integer? code  or what the function returned
---@return string reply  its lines, joined with LF. If it is not as expected, it is the error. Other errors are
---  "invalid server reply", "line too long", "too many lines in server reply", "timeout", "closed"
function Control:check(ok)
  local kind = type(ok)
  if kind ~= "function" and kind ~= "table" then
    check_expected(ok)
  end
  local code, reply = receive_reply(self)
  if not code then
    return nil, reply
  elseif kind == "function" then
    return ok(tonumber(code), reply)
  elseif kind ~= "table" then
    ok = { ok }
  end
  for _, expected in ipairs(ok) do
    check_expected(expected)
    if fits(code, expected) then
      return tonumber(code), reply
    end
  end
  return nil, reply
end

--- Sends a command.
---
--- Raises if an argument is neither a string nor a number.
---@param command string  sent in capitals
---@param text? string|number  its argument
---@return integer? count  the bytes sent
---@return string? error  "invalid command: CR, LF and NUL are not allowed", or the socket's
function Control:command(command, text)
  local line = argument.string(command, 1, "command"):upper()
  if text then
    line = line .. " " .. argument.string(text, 2, "command")
  end
  local checked, err = single_line.check(line, "command")
  if not checked then
    return nil, err
  end
  return self.c:send(line .. "\r\n")
end

--- Sends bytes as they are.
---@param data string
---@return integer? last
---@return string? error
---@return integer? sent
function Control:send(data)
  return self.c:send(data)
end

--- Receives by a pattern, as the socket does.
---@param pattern? "*l"|"*a"|integer
---@param ... any
---@return string? data
---@return string? error
---@return string? partial
function Control:receive(pattern, ...)
  return self.c:receive(pattern, ...)
end

--- Sends all that a source gives.
---
--- Raises if an argument cannot be called.
---@param source cosock.Source
---@param step? cosock.Step
---@return 1? done
---@return any error
function Control:source(source, step)
  argument.callable(source, 1, "source")
  return ltn12.pump.all(source, socket.sink("keep-open", self.c), step)
end

--- Receives by a pattern and hands the result to a sink, once.
---@param sink cosock.Sink
---@param pattern? "*l"|"*a"|integer
---@return any ok
---@return any error
function Control:sink(sink, pattern)
  return sink(self.c:receive(pattern))
end

--- The socket's descriptor, so that the connection can be waited for.
---@return integer
function Control:getfd()
  return self.c:getfd()
end

--- Whether received bytes wait in the socket's buffer.
---@return boolean
function Control:dirty()
  return self.c:dirty()
end

--- The socket.
---@return any
function Control:getcontrol()
  return self.c
end

--- The peer's address.
---@return string? address
---@return integer|string port  or the error
---@return string? family
function Control:getpeername()
  return self.c:getpeername()
end

--- As in LuaSocket, the peer's address too. The local one is `getcontrol():getsockname()`.
Control.getsockname = Control.getpeername

--- Closes the connection.
---@return 1
function Control:close()
  self.c:close()
  return 1
end

local metatable = { __index = Control }

--- Has everything sent at once: otherwise the system keeps the end of a message back until the server has
--- acknowledged what came before it, which takes 40 ms.
local function send_at_once(sock)
  if is_socket(sock) and sock.class == "tcp{client}" then
    sock:setoption("tcp-nodelay", true)
  end
end

--- Connects to a server.
---
--- Raises if `host` or `port` is neither a string nor a number.
---@param host string
---@param port integer|string
---@param timeout? number  for each step, in seconds (`TIMEOUT`); negative for no limit
---@param create? fun(): any, string?  makes the socket (`socket.tcp`)
---@return cosock.Control? control
---@return string? error
function M.connect(host, port, timeout, create)
  argument.string(host, 1, "connect")
  argument.string(port, 2, "connect")
  timeout = timeout or M.TIMEOUT
  local sock, err = (create or socket.tcp)()
  if not sock then
    return nil, err
  end
  sock:settimeout(timeout)
  local connected
  connected, err = sock:connect(host, port)
  if not connected then
    sock:close()
    return nil, err
  end
  send_at_once(sock)
  return setmetatable({ c = sock, inner_sock = sock.inner_sock, timeout = tonumber(timeout) }, metatable)
end

return M
