--- Real servers, started for a spec on ports that the system chose.
---
---     local server = servers.smtp()
---     ... server.port ... server:mail() ...
---     server:stop()

local process = require "spec.support.process"

local M = {}

-- Where Debian's packages for Python are; another may come first in the path.
local PYTHON = "/usr/bin/python3"

local Server = {}
Server.__index = Server

local function quoted(path)
  return "'" .. path .. "'"
end

--- The contents of a file in the server's directory; nil if there is none.
---@param name string
---@return string?
function Server:read(name)
  local file = io.open(self.directory .. "/" .. name, "rb")
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  return text
end

--- Puts a file into the server's directory.
---@param name string
---@param text string
function Server:write(name, text)
  local file = assert(io.open(self.directory .. "/" .. name, "wb"))
  file:write(text)
  file:close()
end

--- What the server has got of the next mail.
---@class ReceivedMail
---@field from string
---@field to string  the recipients, with commas between them
---@field by string  how the client authenticated: "LOGIN", "PLAIN" or "None"
---@field domain string  how the client introduced itself
---@field text string

--- Waits until an SMTP server has accepted the next mail.
---@return ReceivedMail
function Server:mail()
  local number, from, to, by, domain = self.child:expect "^mail\t(%d+)\t(.-)\t(.-)\t(.-)\t(.*)$"
  return { from = from, to = to, by = by, domain = domain, text = self:read(number .. ".eml") }
end

--- Ends the server and removes its directory.
function Server:stop()
  self.child:stop()
  os.execute("rm -rf " .. quoted(self.directory))
end

local function start(program, ...)
  local directory = os.tmpname()
  os.remove(directory)
  assert(os.execute("mkdir " .. quoted(directory)))
  local child = process.command(PYTHON, "spec/support/" .. program, directory, ...)
  local port = tonumber((child:expect "^port%s(%d+)$"))
  return setmetatable({ child = child, directory = directory, port = port }, Server)
end

--- Starts an SMTP server on 127.0.0.1.
---@param ... string  the ways to authenticate that it offers ("LOGIN" and "PLAIN"); before them, `--tls=` and a folder
---  of certificates for one that speaks TLS
---@return table server
function M.smtp(...)
  return start("smtp_server.py", ...)
end

--- Starts an FTP server.
---@param address? string  (127.0.0.1)
---@param ... string  commands that it shall not know
---@return table server
function M.ftp(address, ...)
  return start("ftp_server.py", address or "127.0.0.1", ...)
end

--- Starts what speaks TLS in front of a server that does not.
---@param certificates string  a folder
---@param port integer  the server's
---@return table child
---@return integer port
function M.tls_front(certificates, port)
  local child = process.file("spec/support/tls_front.lua", certificates, port)
  return child, tonumber((child:expect "^port (%d+)$"))
end

--- Starts a server for XML-RPC (/RPC2) and SOAP (/soap).
---@param clients integer  how many have to call the method `meet` for it to answer
---@return table server
function M.rpc(clients)
  return start("rpc_server.py", clients)
end

return M
