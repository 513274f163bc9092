--- What is sent with a request that does not say otherwise.

local require = ...

local head = require "cosock.socket.http.head"
local mime = require "cosock.mime"
local settings = require "cosock.socket.http.settings"
local single_line = require "cosock.socket.single_line"
local socket = require "cosock.socket"
local url = require "cosock.socket.url"

local try = socket.try

local M = {}

--- The header `host`: the port only if it is not the usual one.
local function host_of(request, default_port)
  local host, port = request.host, tostring(request.port)
  if host:find(":", 1, true) then
    host = "[" .. host .. "]"
  end
  if port ~= tostring(default_port) then
    host = host .. ":" .. port
  end
  return try(single_line.check(host, "host"))
end

local function basic(user, password)
  return "Basic " .. mime.b64(user .. ":" .. password)
end

--- The headers that every request has, but for the host.
local function common(is_shared)
  return {
    ["user-agent"] = settings.USERAGENT,
    connection = is_shared and "keep-alive, TE" or "close, TE",
    te = "trailers",
  }
end

--- The lines of those, as they were last needed: with `user_agent`, by `is_shared`.
local lines_of, user_agent = {}, nil

local function common_lines(is_shared)
  if user_agent ~= settings.USERAGENT then
    lines_of, user_agent = {}, settings.USERAGENT
  end
  local lines = lines_of[is_shared]
  if not lines then
    lines = try(head.header_lines(common(is_shared)))
    lines_of[is_shared] = lines
  end
  return lines
end

--- The headers to send, and the lines that they make.
---
--- Raises, for `socket.protect`, what is wrong with one.
---@param request table  a request with the parts of its URL
---@param default_port integer  the usual one of its scheme
---@param is_shared boolean  whether the connection may serve further requests
---@return table<string, string|number> headers  with names in lower case; empty if nothing depends on the
---  request but the host
---@return string lines
function M.headers(request, default_port, is_shared)
  local host, proxy = host_of(request, default_port), request.proxy_url
  if not (request.headers or request.user or request.source or proxy) then
    return {}, "Host: " .. host .. "\r\n" .. common_lines(is_shared)
  end
  local headers = common(is_shared)
  headers.host = host
  if request.user and request.password then
    headers.authorization = basic(request.user, url.unescape(request.password))
  end
  if proxy and proxy.user and proxy.password then
    headers["proxy-authorization"] = basic(proxy.user, proxy.password)
  end
  for name, value in pairs(request.headers or {}) do
    headers[name:lower()] = value
  end
  if request.source and not headers["content-length"] and not headers["transfer-encoding"] then
    headers["transfer-encoding"] = "chunked"
  end
  return headers, try(head.header_lines(headers))
end

return M
