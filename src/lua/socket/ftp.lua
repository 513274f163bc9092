--- Transferring files: a client for FTP servers.

local require = ...

local argument = require "cosock.argument"
local closing = require "cosock.socket.closing"
local exception = require "cosock.socket.exception"
local field = require "cosock.field"
local ltn12 = require "cosock.ltn12"
local session = require "cosock.socket.ftp.session"
local single_line = require "cosock.socket.single_line"
local socket = require "cosock.socket"
local url = require "cosock.socket.url"

---@class cosock.socket.ftp
local M = {
  --- How long each step may take, in seconds. The limits on what a server may reply are in `cosock.socket.tp`.
  TIMEOUT = 60,
  --- Who the user is, unless told otherwise.
  USER = "ftp",
  --- The user's password.
  PASSWORD = "anonymous@anonymous.org",
  --- Whether data connections may be with another host than the control connection. A hostile server could have the
  --- client connect to a third one.
  ANY_DATA_HOST = false,
}
socket.ftp = M
session.settings = M

M.open = session.open

--- What `get` and `put` are asked for in a table. Fields that are missing are taken from the URL.
---@class cosock.FtpRequest : cosock.Transfer
---@field url? string
---@field host? string
---@field port? integer|string  (21)
---@field user? string  (`USER`)
---@field password? string  (`PASSWORD`)
---@field type? string  "i" for images, that is as they are; "a" for text; the server's default if nil
---@field create? fun(): any, string?  makes the socket of the control connection (`socket.tcp`)

--- What `command` is asked for.
---@class cosock.FtpCommands
---@field url? string
---@field host? string
---@field port? integer|string  (21)
---@field user? string  (`USER`)
---@field password? string  (`PASSWORD`)
---@field command string|string[]  one, or several to be sent in turn
---@field argument? string|table<integer, string>  its argument, or theirs
---@field check? cosock.ReplyCheck|table<integer, cosock.ReplyCheck>  what its reply has to be, or theirs. Otherwise
---  each has to be 2xx, or of those before the last of several 3xx
---@field create? fun(): any, string?  makes the socket (`socket.tcp`)

--- Reads the type of transfer out of a URL's parameters.
---@return string? type
---@return string? error
local function type_of(params)
  local kind = params:match "^type=([ai])$"
  if kind then
    return kind
  end
  return nil, ("invalid type '%s'"):format(params:match "^type=(.*)" or params)
end

--- What a URL asks for.
---
--- Raises for `socket.protect` if it is no URL of a file that can be transferred.
---@param text string
---@return cosock.FtpRequest
function M.genericform(text)
  local request = socket.try(url.parse(text, { path = "/", scheme = "ftp" }))
  socket.try(request.scheme == "ftp", ("wrong scheme '%s'"):format(request.scheme))
  socket.try(request.host, "missing hostname")
  if request.params then
    request.type = socket.try(type_of(request.params))
  end
  return request
end

--- A copy of a request, with what its URL says besides.
local function with_url(request)
  local complete = {}
  if request.url then
    complete = socket.try(url.parse(request.url))
    if complete.params then
      complete.type = socket.try(type_of(complete.params))
    end
  end
  for name, value in pairs(request) do
    complete[name] = value
  end
  return complete
end

--- The text of a path, or the empty one.
local function unescaped(path)
  return path and url.unescape(tostring(path)) or ""
end

--- Refuses what would add commands of its own.
local function check_lines(request)
  local lines = {
    { "user", request.user },
    { "password", request.password },
    { "type", request.type },
    { "path", not request.argument and unescaped(request.path) },
  }
  local commands, arguments = request.command, request.argument
  for name, texts in pairs { command = commands, argument = arguments } do
    for _, text in pairs(type(texts) == "table" and texts or { texts }) do
      lines[#lines + 1] = { name, text }
    end
  end
  for _, line in pairs(lines) do
    if line[2] then
      socket.try(single_line.check(tostring(line[2]), line[1]))
    end
  end
end

--- Connects to the server of a request and logs in, calls `fn` with the connection, and takes leave.
local function in_session(request, fn)
  socket.try(request.host, "missing hostname")
  check_lines(request)
  local connection = session.open(request.host, request.port, request.create)
  return closing.if_raised(connection, function()
    connection:greet()
    connection:login(request.user, request.password)
    local result = fn(connection)
    connection:quit()
    connection:close()
    return result
  end)
end

--- Transfers in one direction.
---@param method "send"|"receive"
local function transfer(request, method)
  return in_session(request, function(connection)
    if request.type then
      connection:type(request.type)
    end
    connection:passive()
    return connection[method](connection, request)
  end)
end

local function get_text(text)
  local request = M.genericform(text)
  local chunks
  request.sink, chunks = ltn12.sink.table()
  transfer(request, "receive")
  return table.concat(chunks)
end

local get = exception.protect(function(request)
  if type(request) == "string" then
    return get_text(request)
  end
  return transfer(with_url(request), "receive")
end)

local put = exception.protect(function(request, content)
  if type(request) == "string" then
    request = M.genericform(request)
    request.source = ltn12.source.string(content)
  else
    request = with_url(request)
  end
  return transfer(request, "send")
end)

--- Raises unless a request is a URL, or a table with what it needs.
local function check_request(request, name, callable)
  if type(request) == "table" then
    field.callable(request[callable], callable, 2)
  elseif type(request) ~= "string" then
    argument.fail(1, name, "string or table", request, 2)
  end
end

--- Fetches a file, or a list of files with the commands "list" and "nlst".
---
--- Raises if an argument or a field is of the wrong kind, and whatever the sink raises.
---@param request string|cosock.FtpRequest  a URL: `ftp://user:password@host:port/path;type=i`; or a table
---@return string|1|nil content  what was asked for by a URL; of a table, the sink has got it
---@return string? error  the server's reply if it refused; "missing hostname", "wrong scheme 'http'", "invalid type
---  'x'", "invalid url", "invalid epsv response"; "invalid path: CR, LF and NUL are not allowed", likewise user,
---  password, type, command and argument; what the sink gave; the sockets'
function M.get(request)
  check_request(request, "get", "sink")
  return get(request)
end

--- Stores a file.
---
--- Raises if an argument or a field is of the wrong kind, and whatever the source raises.
---@param request string|cosock.FtpRequest  as for `get`
---@param content? string  what to store, if the first argument is a URL
---@return integer? count  the bytes sent
---@return string? error  as of `get`
function M.put(request, content)
  check_request(request, "put", "source")
  return put(request, content)
end

--- What the reply to a command has to be, unless told otherwise: before the last of several, the server may ask for
--- more.
local function default_check(index, count)
  return index < count and { "2..", "3.." } or "2.."
end

--- Sends the commands of a request in turn.
local function send_commands(connection, request)
  local commands, arguments, checks = request.command, request.argument or {}, request.check or {}
  if type(commands) ~= "table" then
    commands, arguments, checks = { commands }, { request.argument }, { request.check }
  end
  for index, command in ipairs(commands) do
    connection.try(connection.tp:command(command, arguments[index]))
    connection.try(connection.tp:check(checks[index] or default_check(index, #commands)))
  end
  return 1
end

local command = exception.protect(function(request)
  request = with_url(request)
  socket.try(request.host, "missing hostname")
  socket.try(request.command, "missing command")
  return in_session(request, function(connection)
    return send_commands(connection, request)
  end)
end)

--- Sends commands that need no data connection.
---
--- Raises if the argument or a field is of the wrong kind.
---@param request cosock.FtpCommands
---@return 1? done
---@return string? error  as of `get`; "missing command"
function M.command(request)
  argument.check(request, "table", 1, "command")
  if type(request.command) == "table" then
    for _, name in ipairs { "argument", "check" } do
      if request[name] and type(request[name]) ~= "table" then
        field.fail(name, "table", request[name])
      end
    end
  end
  return command(request)
end

return M
