--- Tunnels: a proxy that is asked by CONNECT passes on whatever comes, in both directions. So it sees nothing of what
--- TLS protects.

local require = ...

local head = require "cosock.socket.http.head"
local mime = require "cosock.mime"
local settings = require "cosock.socket.http.settings"
local single_line = require "cosock.socket.single_line"
local socket = require "cosock.socket"
local url = require "cosock.socket.url"

local try = socket.try

local M = {}

--- A way through a proxy.
---@class cosock.HttpTunnel
---@field host string  where it ends
---@field head string  what the proxy is asked
---@field via string  tells the proxy and who asks it from others

--- Describes a tunnel to the host of a request.
---
--- Raises, for `socket.protect`, what is wrong with the host or the proxy's user.
---@param request table  a request with the parts of its URL
---@param proxy table  the parts of the proxy's URL
---@param authorization string|number|nil  what to tell the proxy about the user, if its URL is not to be asked
---@return cosock.HttpTunnel
function M.new(request, proxy, authorization)
  local host = request.host
  local authority = (host:find(":", 1, true) and "[" .. host .. "]" or host) .. ":" .. request.port
  try(single_line.check(authority, "host"))
  if not authorization and proxy.user and proxy.password then
    authorization = "Basic " .. mime.b64(url.unescape(proxy.user) .. ":" .. url.unescape(proxy.password))
  end
  local lines = try(head.header_lines {
    host = authority,
    ["user-agent"] = settings.USERAGENT,
    ["proxy-authorization"] = authorization,
  })
  return {
    host = host,
    head = try(head.request_line("CONNECT", authority)) .. lines,
    via = ("%s:%s %s"):format(proxy.host, proxy.port or "", authorization or ""),
  }
end

--- Receives a reply of the proxy.
---@return integer? code
---@return string status  the first line; or the error
local function receive_reply(connection)
  local start, err = connection:receive_start()
  if not start then
    return nil, err
  elseif start ~= "HTTP/" then
    return nil, "its reply is not one of HTTP"
  end
  local status
  status, err = head.receive_line(connection, settings.LIMITS.status_line, "status line too long", start)
  if not status then
    return nil, err
  end
  local code = tonumber(status:match "^HTTP/%d+%.%d+ (%d%d%d)")
  if not code then
    return nil, "its reply is not one of HTTP"
  end
  local headers
  headers, err = head.receive_headers(connection)
  if not headers then
    return nil, err
  end
  return code, status
end

--- Opens the tunnel on a connection to the proxy.
---@param connection cosock.HttpConnection
---@param tunnel cosock.HttpTunnel
---@return true? done
---@return string? error  "refused with HTTP/1.1 403 Forbidden", "its reply is not one of HTTP", or another
function M.open(connection, tunnel)
  local ok, err = connection:send(tunnel.head)
  if not ok then
    return nil, err
  end
  for _ = 0, settings.LIMITS.interim_replies do
    local code, status = receive_reply(connection)
    if not code then
      return nil, status
    elseif code >= 300 then
      return nil, "refused with " .. status
    elseif code >= 200 then
      return true
    end
  end
  return nil, "too many interim replies"
end

return M
