--- Sending mail: a client for SMTP servers.

local require = ...

local argument = require "cosock.argument"
local closing = require "cosock.socket.closing"
local exception = require "cosock.socket.exception"
local field = require "cosock.field"
local ltn12 = require "cosock.ltn12"
local message = require "cosock.socket.smtp.message"
local mime = require "cosock.mime"
local single_line = require "cosock.socket.single_line"
local socket = require "cosock.socket"
local tp = require "cosock.socket.tp"
local upload = require "cosock.socket.upload"

---@class cosock.socket.smtp
local M = {
  --- How long each step may take, in seconds. The limits on what a server may reply are in `cosock.socket.tp`.
  TIMEOUT = 60,
  --- The server that mail is sent through, unless told otherwise.
  SERVER = "localhost",
  --- Its port.
  PORT = 25,
  --- How this host introduces itself.
  DOMAIN = os.getenv "SERVER_NAME" or "localhost",
  --- The time zone that messages tell. The time is UTC, whatever it says.
  ZONE = "-0000",
}
socket.smtp = M

--- What to send, and through which server.
---@class cosock.Mail
---@field from string  the sender's address, as it is to be sent: `<ann@example.org>`
---@field rcpt string|string[]  the recipients' addresses, likewise
---@field source cosock.Source  gives the message: see `message`
---@field user? string  together with `password`: to authenticate with, by LOGIN or PLAIN
---@field password? string
---@field server? string  (`SERVER`)
---@field port? integer|string  (`PORT`)
---@field domain? string  how this host introduces itself (`DOMAIN`)
---@field step? cosock.Step  moves each chunk of the message
---@field create? fun(): any, string?  makes the socket (`socket.tcp`)

--- A connection to a server. Its methods raise what `socket.protect` catches, after they closed it.
---@class cosock.SmtpSession
---@field tp cosock.Control
---@field try fun(...): ...
---@field package is_closed boolean?
local Session = {}

--- Sends a command and receives its reply.
local function exchange(self, expected, command, text)
  self.try(self.tp:command(command, text))
  return self.try(self.tp:check(expected))
end

--- Receives the greeting and introduces this host.
---@param domain? string  (`DOMAIN`)
---@return string extensions  the server's reply: what it can do
function Session:greet(domain)
  self.try(self.tp:check "2..")
  local _, extensions = exchange(self, "2..", "EHLO", domain or M.DOMAIN)
  return extensions
end

--- Says who sends.
---@param from string  the address as it is to be sent, and parameters if any
---@return integer code
---@return string reply
function Session:mail(from)
  field.text(from, "from")
  return exchange(self, "2..", "MAIL", "FROM:" .. from)
end

--- Says who is to receive.
---@param to string  the address as it is to be sent, and parameters if any
---@return integer code
---@return string reply
function Session:rcpt(to)
  field.text(to, "rcpt")
  return exchange(self, "2..", "RCPT", "TO:" .. to)
end

--- Sends a message as it is. The line with the dot that ends it is added.
---@param source cosock.Source  must double each dot at the beginning of a line: `mime.stuff`
---@param step? cosock.Step
---@return integer code
---@return string reply
function Session:data(source, step)
  exchange(self, "3..", "DATA")
  self.try(upload.send(self.tp, socket.sink("keep-open", self.tp:getcontrol()), source, step))
  self.try(self.tp:send "\r\n.\r\n")
  return self.try(self.tp:check "2..")
end

--- Takes leave. The connection stays open.
---@return integer code
---@return string reply
function Session:quit()
  return exchange(self, "2..", "QUIT")
end

--- Closes the connection, if it is open.
---@return 1
function Session:close()
  if not self.is_closed then
    self.is_closed = true
    self.tp:close()
  end
  return 1
end

--- Sends a line in base64 and receives the reply to it.
local function answer(self, expected, text)
  self.try(self.tp:send((mime.b64(text) or "") .. "\r\n"))
  return self.try(self.tp:check(expected))
end

--- Authenticates by AUTH LOGIN.
---@param user string
---@param password string
---@return integer code
---@return string reply
function Session:login(user, password)
  field.text(user, "user")
  field.text(password, "password")
  exchange(self, "3..", "AUTH", "LOGIN")
  answer(self, "3..", tostring(user))
  return answer(self, "2..", tostring(password))
end

--- Authenticates by AUTH PLAIN.
---@param user string
---@param password string
---@return integer code
---@return string reply
function Session:plain(user, password)
  field.text(user, "user")
  field.text(password, "password")
  local credentials = user .. "\0" .. password
  if select(2, credentials:gsub("%z", "")) > 1 then
    -- It would move what is the user and what the password.
    self.try(nil, "invalid user or password: NUL is not allowed")
  end
  return exchange(self, "2..", "AUTH", "PLAIN " .. mime.b64("\0" .. credentials))
end

--- The names of the ways to authenticate that a server offers.
local function mechanisms(extensions)
  local names = {}
  for line in extensions:upper():gmatch "[^\n]+" do
    -- Old servers write "AUTH=LOGIN".
    local list = line:gsub("^%d%d%d[- ]", ""):match "^AUTH[ =](.*)"
    for name in (list or ""):gmatch "[^%s=]+" do
      names[name] = true
    end
  end
  return names
end

--- Authenticates, by LOGIN if the server offers that, else by PLAIN. Without a user and a password, does
--- nothing.
---
--- Raises "authentication not supported" for `socket.protect` if the server offers neither.
---@param user? string
---@param password? string
---@param extensions string  what `greet` returned
---@return integer code
---@return string? reply
function Session:auth(user, password, extensions)
  if not user or not password then
    return 1
  end
  field.text(extensions, "extensions")
  local offered = mechanisms(tostring(extensions))
  if offered.LOGIN then
    return self:login(user, password)
  elseif offered.PLAIN then
    return self:plain(user, password)
  end
  return self.try(nil, "authentication not supported")
end

--- Raises unless what is to be sent, from whom and to whom, is of the right kinds.
local function check_mail(mail)
  field.text(mail.from, "from", 2)
  if type(mail.rcpt) ~= "table" then
    field.text(mail.rcpt, "rcpt", 2)
  else
    for _, recipient in ipairs(mail.rcpt) do
      field.text(recipient, "rcpt", 2)
    end
  end
  field.callable(mail.source, "source", 2)
end

--- Sends a mail: says from whom and to whom, and sends the message with its dots doubled.
---@param mail cosock.Mail
function Session:send(mail)
  check_mail(mail)
  self:mail(mail.from)
  local recipients = mail.rcpt
  if type(recipients) == "table" then
    for _, recipient in ipairs(recipients) do
      self:rcpt(recipient)
    end
  else
    self:rcpt(recipients)
  end
  self:data(ltn12.source.chain(mail.source, mime.stuff()), mail.step)
end

local metatable = { __index = Session }

--- Connects to a server.
---
--- Raises for `socket.protect` if it cannot be reached.
---@param server? string  (`SERVER`)
---@param port? integer|string  (`PORT`)
---@param create? fun(): any, string?  makes the socket (`socket.tcp`)
---@return cosock.SmtpSession
function M.open(server, port, create)
  local control = socket.try(tp.connect(server or M.SERVER, port or M.PORT, M.TIMEOUT, create))
  local self = setmetatable({ tp = control }, metatable)
  self.try = exception.newtry(function()
    self:close()
  end)
  return self
end

--- Refuses what would add commands of its own.
local function check_lines(mail)
  local lines = { { "sender", mail.from }, { "domain", mail.domain or M.DOMAIN } }
  local recipients = mail.rcpt
  for _, recipient in ipairs(type(recipients) == "table" and recipients or { recipients }) do
    lines[#lines + 1] = { "recipient", recipient }
  end
  for _, line in ipairs(lines) do
    socket.try(single_line.check(tostring(line[2]), line[1]))
  end
end

local function deliver(session, mail)
  local extensions = session:greet(mail.domain)
  session:auth(mail.user, mail.password, extensions)
  session:send(mail)
  session:quit()
  return session:close()
end

local connect_and_deliver = exception.protect(function(mail)
  check_lines(mail)
  local session = M.open(mail.server, mail.port, mail.create)
  return closing.if_raised(session, deliver, session, mail)
end)

--- Sends a mail. Line ends of the message have to be CR LF: `mime.normalize` makes them so, and should wherever
--- a part of the message comes from elsewhere, as some servers take a dot between two lone LF for its end.
---
--- Raises if a field is missing or of the wrong kind, and whatever the source raises.
---@param mail cosock.Mail
---@return 1? sent
---@return string? error  the server's reply if it refused; "authentication not supported"; "invalid sender: CR, LF
---  and NUL are not allowed", likewise recipient and domain; what the source gave; the socket's
function M.send(mail)
  argument.check(mail, "table", 1, "send")
  check_mail(mail)
  for _, name in ipairs { "user", "password", "server", "port", "domain" } do
    if mail[name] then
      field.text(mail[name], name)
    end
  end
  return connect_and_deliver(mail)
end

--- Makes a source of a message for `send`. Its body may come from sources that wait.
---
--- In the message's table, `headers` is replaced by the header fields that are sent, with names in lower case.
---
--- Raises if `mail_message` is no table. Whatever else is wrong with it, the source tells.
---@param mail_message cosock.Message
---@return cosock.Source
function M.message(mail_message)
  argument.check(mail_message, "table", 1, "message")
  return message.source(mail_message, M.ZONE)
end

return M
