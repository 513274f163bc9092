--- HTTP over TLS, as LuaSec's module of that name: `cosock.socket.http` with servers that prove who they are.

local require = ...

local http = require "cosock.socket.http"
local layers = require "cosock.socket.http.layers"
local M = require "cosock.ssl.https.settings"
local profiles = require "cosock.ssl.https.profile"
local requests = require "cosock.socket.http.request"
local sockets = require "cosock.ssl.https.socket"
local ssl = require "cosock.ssl"
local url = require "cosock.socket.url"

M._VERSION = ssl._VERSION
M._COPYRIGHT = ssl._COPYRIGHT

--- A request: the fields of one for `cosock.socket.http`, and those of a configuration for `cosock.ssl`. Where one is
--- missing or false, that of `https.cfg` counts. The field `password` is for the key, too, if there is one.
---@class cosock.HttpsRequest : cosock.HttpRequest, cosock.ssl.Configuration
---@field verify? string|string[]  "peer" by default: the certificate has to be vouched for by somebody whom the system
---  trusts, or whom `cafile` and `capath` name, and be for the host. "none" switches that off.
---@field cafile? string  trusted in place of the system's
---@field capath? string  likewise
---@field hostname? string  whom to ask for and to expect in place of the URL's host

--- Makes a function that makes sockets for `create`, as `socket.http`, `smtp` and others have it: they speak TLS as
--- soon as they are connected. (Of FTP, that protects the commands, not the files.)
---
--- Raises if the argument is of the wrong type.
---@param params? cosock.ssl.Configuration  with the defaults of requests
---@return fun(): cosock.https.Socket?, string? create
function M.tcp(params)
  if params ~= nil and type(params) ~= "table" then
    error(("bad argument #1 to 'tcp' (table expected, got %s)"):format(type(params)), 2)
  end
  local profile = profiles.of(params or {})
  if not profile.create then
    profile.create = function()
      return sockets.new(profile)
    end
    layers.define(profile.create, profile)
  end
  return profile.create
end

--- The URL with the scheme of this module, and its port.
local function secure_url(text)
  if text:find "^https:" and tostring(M.PORT) == "443" then
    return text
  end
  local parts = url.parse(text)
  if not parts or parts.scheme ~= "https" and parts.scheme ~= "http" then
    return text
  end
  parts.scheme, parts.port = "https", parts.port or M.PORT
  return url.build(parts)
end

--- The same request for http.
local function secure_request(given)
  local request = {}
  for name, value in pairs(given) do
    request[name] = value
  end
  if given.url then
    request.url = secure_url(given.url)
  else
    request.port = given.port or M.PORT
    request.scheme = given.scheme or "https"
  end
  if request.scheme == "http" then
    request.scheme = "https"
  end
  return request
end

--- Returns four values in any case, as LuaSec does.
local function four(first, second, third, fourth)
  return first, second, third, fourth
end

--- Makes a request. In a task, others run meanwhile. The server has to prove that it is the host which the URL names,
--- unless the request says otherwise.
---
--- Redirects are followed as by `cosock.socket.http`: with all that the request asks of TLS, and never from https to
--- http. Its keys and its `hostname` are for the first host only.
---
--- Raises if a field is of the wrong type or there is no such scheme, and what a source or a sink raises.
---@param request string|cosock.HttpsRequest  a URL, or a table that says more
---@param body? string  with a URL: makes the request a POST of a form
---@return string|1|nil body  1 if the request is a table: its `sink` has the body
---@return integer|string code  or the error: those of `cosock.socket.http`; of TLS: "wantread" and "wantwrite" if the
---  time for a step is up ("timeout" if that for the whole request is), "unexpected eof while reading" if the
---  connection breaks off, "certificate verify failed: " and which check has failed, "wrong version number" where there
---  is no TLS, and others in OpenSSL's words; "proxy: " and what the proxy says; "create function not permitted"
---@return table<string, string>|string|nil headers  names in lower case. If the form that returns the body failed:
---  what came of it.
---@return string? status  the first line of the reply
function M.request(request, body)
  local kind = type(request)
  if kind == "string" then
    local body_kind = type(body)
    if body_kind ~= "string" and body_kind ~= "number" and body_kind ~= "nil" then
      error(("bad argument #2 to 'request' (string expected, got %s)"):format(body_kind), 2)
    end
    return four(http.request(secure_url(request), body))
  elseif kind ~= "table" then
    error(("bad argument #1 to 'request' (string or table expected, got %s)"):format(kind), 2)
  end
  requests.check(request, 2)
  if request.create then
    return nil, "create function not permitted"
  end
  return four(http.request(secure_request(request)))
end

return M
