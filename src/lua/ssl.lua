--- LuaSec's functions, waiting in the task.

local require, native = ...

local certificate = require "cosock.ssl.certificate"
local config = require "cosock.ssl.config"
local context = require "cosock.ssl.context"
local decisions = require "cosock.ssl.decisions"
require "cosock.ssl.connection" -- gives the objects their methods

local tls = native.tls

---@class cosock.ssl
local M = {
  _VERSION = "1.3.2",
  _COPYRIGHT = "cosock-rs, with the interface of LuaSec 1.3.2",
  config = config,
  loadcertificate = certificate.load,
}

--- Makes a context: the settings that connections have in common.
---
--- Raises if a field is of the wrong type.
---@param configuration cosock.ssl.Configuration
---@return cosock.ssl.Context? context
---@return string? error
function M.newcontext(configuration)
  return context.new(configuration, "newcontext", 3)
end

--- Whether LuaSec would get along with this in place of a socket.
local function has_descriptor(sock)
  local kind = type(sock)
  if kind ~= "table" and kind ~= "userdata" then
    return false
  end
  return type(sock.getfd) == "function" and type(sock.setfd) == "function"
end

--- Makes a connection that takes over a socket's descriptor. The socket is left without one, open but
--- of no use. What the socket has received already is read by the connection; its timeouts and
--- statistics stay behind.
---
--- Raises if an argument is of the wrong type.
---@param sock any  connected; a socket, or whatever has `getfd` and `setfd`
---@param configuration cosock.ssl.Configuration|cosock.ssl.Context  what to make a context of, or one
---@return cosock.ssl.Connection? connection  before its handshake
---@return string? error
function M.wrap(sock, configuration)
  local settings, err = configuration
  if type(configuration) == "table" then
    settings, err = context.new(configuration, "wrap", 3)
    if not settings then
      return nil, err
    end
  end
  local connection
  connection, err = tls.create(settings)
  if not connection then
    return nil, err
  elseif not tls.adopt(connection, sock) then
    if not has_descriptor(sock) then
      error(("bad argument #1 to 'wrap' (socket expected, got %s)"):format(type(sock)), 2)
    end
    tls.setfd(connection, sock:getfd())
    sock:setfd(-1)
  end
  decisions.attach(connection, settings)
  return connection
end

return M
