--- A connection to an FTP server, command by command.

local require = ...

local closing = require "cosock.socket.closing"
local data = require "cosock.socket.ftp.data"
local exception = require "cosock.socket.exception"
local field = require "cosock.field"
local ltn12 = require "cosock.ltn12"
local socket = require "cosock.socket"
local tp = require "cosock.socket.tp"
local upload = require "cosock.socket.upload"
local url = require "cosock.socket.url"

local M = {}

--- What `TIMEOUT`, `USER`, `PASSWORD` and `ANY_DATA_HOST` are: the module's table.
---@type cosock.socket.ftp
M.settings = nil

--- What to transfer.
---@class cosock.Transfer
---@field path? string  of the file, as in a URL: a slash in front of it is dropped, and it is unescaped
---@field argument? string  of the command, as it is, in place of the path
---@field command? string  (`"retr"` to receive, `"stor"` to send)
---@field source? cosock.Source  gives what is sent
---@field sink? cosock.Sink  takes what is received
---@field step? cosock.Step  moves each chunk

--- A connection to a server. Its methods raise what `socket.protect` catches, after they closed it.
---@class cosock.FtpSession
---@field tp cosock.Control
---@field try fun(...): ...
---@field pasvt? {address: string, port: integer}  where the server listens
---@field server? any  where the client listens
---@field data? any  the data connection
---@field package is_closed boolean?
local Session = {}

--- Sends a command and receives its reply.
local function exchange(self, expected, command, text)
  self.try(self.tp:command(command, text))
  return self.try(self.tp:check(expected))
end

--- Receives the greeting.
---@return 1
function Session:greet()
  local code = self.try(self.tp:check { "1..", "2.." })
  if code < 200 then
    self.try(self.tp:check "2..")
  end
  return 1
end

--- Says who the user is.
---@param user? string  (`USER`)
---@param password? string  (`PASSWORD`)
---@return 1
function Session:login(user, password)
  local code = exchange(self, { "2..", 331 }, "USER", user or M.settings.USER)
  if code == 331 then
    exchange(self, "2..", "PASS", password or M.settings.PASSWORD)
  end
  return 1
end

--- Changes the directory.
---@param directory string
---@return 1
function Session:cwd(directory)
  exchange(self, 250, "CWD", directory)
  return 1
end

--- Sets how files are transferred.
---@param kind string  "i" for images, that is as they are; "a" for text
---@return 1
function Session:type(kind)
  exchange(self, 200, "TYPE", kind)
  return 1
end

--- Forgets the data connection of before.
local function reset(self)
  for _, name in ipairs { "data", "server" } do
    if self[name] then
      self[name]:close()
      self[name] = nil
    end
  end
  self.pasvt = nil
end

--- Remembers where a reply to PASV says that the server listens.
local function take_pasv(self, reply)
  local host, port = data.parse_pasv(reply)
  self.try(host, reply)
  self.pasvt = { address = host, port = port }
  return host, port
end

--- Remembers where a reply to EPSV says that the server listens.
local function take_epsv(self, reply)
  local port = self.try(data.parse_epsv(reply), "invalid epsv response")
  local host = self.try(self.tp:getpeername())
  self.pasvt = { address = host, port = port }
  return host, port
end

--- Asks the server to listen for the next transfer's data connection: the passive mode, for IPv4.
---@return string host
---@return integer port
function Session:pasv()
  reset(self)
  local _, reply = exchange(self, 227, "PASV")
  return take_pasv(self, reply)
end

--- Asks the server to listen for the next transfer's data connection: the extended passive mode, for IPv4 and
--- IPv6.
---@return string host
---@return integer port
function Session:epsv()
  reset(self)
  local _, reply = exchange(self, 229, "EPSV")
  return take_epsv(self, reply)
end

--- Asks the server to listen for the next transfer's data connection, in the extended passive mode or, if it does not
--- know that, in the passive mode.
---@return string host
---@return integer port
function Session:passive()
  reset(self)
  local code, reply = exchange(self, upload.any_reply, "EPSV")
  if code == 229 then
    return take_epsv(self, reply)
  elseif code >= 500 then
    local pasv_code, pasv_reply = exchange(self, upload.any_reply, "PASV")
    if pasv_code == 227 then
      return take_pasv(self, pasv_reply)
    end
  end
  return self.try(nil, reply)
end

--- Listens on the local address of the control connection.
local function listen(self)
  local host = self.try(self.tp:getcontrol():getsockname())
  self.server = self.try(socket.bind(host, 0))
  local _, port = self.try(self.server:getsockname())
  return host, port
end

--- Tells the server where to connect to for the next transfer: the active mode, for IPv4. Without arguments, listens
--- there.
---@param host? string
---@param port? integer
---@return 1
function Session:port(host, port)
  reset(self)
  if not host then
    host, port = listen(self)
  end
  local argument = self.try(data.port_argument(host, port), "PORT needs an IPv4 address: use eprt")
  exchange(self, "2..", "PORT", argument)
  return 1
end

--- Tells the server where to connect to for the next transfer: the extended active mode, for IPv4 and IPv6. Without
--- arguments, listens there.
---@param family? integer  1 for IPv4, 2 for IPv6
---@param host? string
---@param port? integer
---@return 1
function Session:eprt(family, host, port)
  reset(self)
  if not host then
    host, port = listen(self)
  end
  exchange(self, "2..", "EPRT", data.eprt_argument(family, host, port))
  return 1
end

--- Makes the data connection of the passive mode.
function Session:pasvconnect()
  local host = self.pasvt.address
  if not M.settings.ANY_DATA_HOST then
    host = self.try(self.tp:getpeername())
  end
  self.data = self.try(data.connect(host, self.pasvt.port, M.settings.TIMEOUT))
end

--- Waits for the data connection of the active mode.
function Session:portconnect()
  local host
  if not M.settings.ANY_DATA_HOST then
    host = self.try(self.tp:getpeername())
  end
  self.data = self.try(data.accept(self.server, host, M.settings.TIMEOUT))
  self.server:close()
  self.server = nil
end

--- The argument of a command that transfers.
local function argument_of(transfer)
  local argument = transfer.argument
  if not argument then
    argument = url.unescape((tostring(transfer.path or ""):gsub("^[/\\]", "")))
  end
  return argument ~= "" and argument or nil
end

--- Begins a transfer: sends its command and, in the passive modes, makes the data connection before.
---@return integer code
---@return string reply
local function begin(self, transfer, command)
  self.try(self.pasvt or self.server, "need port or pasv first")
  if self.pasvt then
    self:pasvconnect()
  end
  return exchange(self, { "1..", "2.." }, transfer.command or command, argument_of(transfer))
end

--- Ends a transfer.
local function finish(self)
  if self.data then
    self.data:close()
    self.data = nil
  end
  self.pasvt = nil
end

--- Sends a file.
---
--- Raises what the source raises, after closing the connection.
---@param transfer cosock.Transfer
---@return integer count  the bytes sent
function Session:send(transfer)
  field.callable(transfer.source, "source")
  local code = begin(self, transfer, "stor")
  if self.server then
    self:portconnect()
  end
  local sink = socket.sink("close-when-done", self.data)
  local count = self.try(closing.if_raised(self, upload.send, self.tp, sink, transfer.source, transfer.step))
  finish(self)
  if code < 200 then
    self.try(self.tp:check "2..")
  end
  return count
end

--- Receives a file, or a list of files. If the server answers in its reply, that is what is received.
---
--- Raises what the sink raises, after closing the connection.
---@param transfer cosock.Transfer
---@return 1
function Session:receive(transfer)
  field.callable(transfer.sink, "sink")
  local code, reply = begin(self, transfer, "retr")
  local source
  if code >= 200 then
    source = ltn12.source.string(reply)
  else
    if self.server then
      self:portconnect()
    end
    source = socket.source("until-closed", self.data)
  end
  self.try(closing.if_raised(self, ltn12.pump.all, source, transfer.sink, transfer.step))
  finish(self)
  if code < 200 then
    self.try(self.tp:check "2..")
  end
  return 1
end

--- Takes leave. The connection stays open.
---@return 1
function Session:quit()
  exchange(self, "2..", "QUIT")
  return 1
end

--- Closes the connection, if it is open, with its data connection.
---@return 1
function Session:close()
  reset(self)
  if not self.is_closed then
    self.is_closed = true
    self.tp:close()
  end
  return 1
end

local metatable = { __index = Session }

--- Connects to a server.
---
--- Raises for `socket.protect` if it cannot be reached.
---@param server string
---@param port? integer|string  (21)
---@param create? fun(): any, string?  makes the socket (`socket.tcp`)
---@return cosock.FtpSession
function M.open(server, port, create)
  local control = socket.try(tp.connect(server, port or 21, M.settings.TIMEOUT, create))
  local self = setmetatable({ tp = control }, metatable)
  self.try = exception.newtry(function()
    self:close()
  end)
  return self
end

return M
