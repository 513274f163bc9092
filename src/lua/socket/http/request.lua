--- What a program asks for, made complete: where to connect, what to send.

local require, native = ...

local default = require "cosock.socket.http.default"
local deep = require "cosock.deep"
local head = require "cosock.socket.http.head"
local layers = require "cosock.socket.http.layers"
local origins = require "cosock.socket.http.origin"
local settings = require "cosock.socket.http.settings"
local single_line = require "cosock.socket.single_line"
local socket = require "cosock.socket"
local tasks = require "cosock.task"
local tunnels = require "cosock.socket.http.tunnel"
local url = require "cosock.socket.url"

local clock = native.task.clock
local try = socket.try

local M = {}

--- A request as the program gives it. What LuaSocket has no such field for is marked with *.
---@class cosock.HttpRequest
---@field url? string  where to; any part of it may also be a field of its own, which comes first: `scheme`,
---  `host`, `port`, `path`, `params`, `query`, `fragment`, `user`, `password`
---@field method? string  GET by default
---@field headers? table<string, string|number>  come before those that are sent by default
---@field source? function  the body to send; in chunks unless there is a `content-length` among the headers
---@field sink? function  takes the body of the reply
---@field step? function  pumps both
---@field proxy? string|false  the URL of a proxy; comes before `http.PROXY`. What needs TLS goes through a tunnel
---  of it. A header `proxy-authorization` goes to the proxy only.
---@field redirect? boolean  false not to follow any
---@field maxredirects? integer|false  how many to follow (`http.LIMITS.redirects`); false for any number
---@field create? function  makes the socket; such a connection is used for this request only
---@field uri? string  what is asked for, in place of what the URL says
---@field deadline? number  *seconds that the whole request may take, redirects included
---  Further fields are parameters for TLS, see `cosock.ssl.https`.

--- The parts of a URL.
local PARTS = { "scheme", "host", "port", "path", "params", "query", "fragment", "user", "password" }

--- The fields that are none of the parameters for TLS.
local OWN = {
  url = true, method = true, headers = true, source = true, sink = true, step = true, proxy = true,
  redirect = true, maxredirects = true, create = true, uri = true, deadline = true, authority = true,
  userinfo = true, proxy_url = true,
}
for _, part in ipairs(PARTS) do
  OWN[part] = true
end

local DEFAULTS = { scheme = "http", path = "/" }

--- The port of a proxy whose URL names none.
local PROXY_PORT = 3128

--- The types that fields have to have, where a wrong one would be found out too late.
local TYPES = {
  url = "string", method = "string", headers = "table", source = "function", sink = "function",
  step = "function", create = "function", proxy = "string", uri = "string", deadline = "number",
}

--- Raises if a field of a request is of the wrong type.
---@param given cosock.HttpRequest
---@param level integer  of the caller to blame
function M.check(given, level)
  for field, expected in pairs(TYPES) do
    local value = given[field]
    local is_right = value == nil
      or type(value) == expected
      or expected == "function" and tasks.is_callable(value)
      or field == "proxy" and value == false
    if not is_right then
      error(("bad argument #1 to 'request' (field '%s': %s expected, got %s)"):format(field, expected, type(value)),
        level + 1)
    end
  end
  for name, value in pairs(given.headers or {}) do
    if type(name) ~= "string" or type(value) ~= "string" and type(value) ~= "number" then
      error(("bad argument #1 to 'request' (header '%s': string expected, got %s)"):format(
        tostring(name), type(type(name) == "string" and value or name)), level + 1)
    end
  end
end

--- What is asked for: all of the URL of a proxy, else the path and what follows.
local function target_of(request)
  if request.uri then
    return request.uri
  elseif request.proxy_url then
    return url.build {
      scheme = request.scheme, user = request.user, password = request.password, host = request.host,
      port = request.port, path = request.path, params = request.params, query = request.query,
      fragment = request.fragment,
    }
  end
  return url.build {
    path = try(request.path, "invalid path 'nil'"),
    params = request.params,
    query = request.query,
    fragment = request.fragment,
  }
end

--- What a request says to the `create` of a scheme with TLS.
---@param request table
---@return table?
function M.parameters(request)
  local parameters
  for name, value in pairs(request) do
    if not OWN[name] then
      parameters = parameters or {}
      parameters[name] = value
    end
  end
  return parameters
end

--- The scheme of that name.
local function scheme_of(name)
  if name == nil then
    error("the request has neither a URL nor a scheme", 0)
  end
  local scheme = settings.schemes[name]
  if not scheme then
    error(("unknown scheme '%s'"):format(tostring(name)), 0)
  end
  return scheme
end

--- Where to connect: the proxy, or the host itself.
---@return string scheme
---@return string host
---@return integer|string port
local function destination(request)
  local proxy = request.proxy_url
  if proxy then
    try(single_line.check(try(proxy.host, "invalid proxy"), "proxy"))
    return proxy.scheme, proxy.host, proxy.port or PROXY_PORT
  end
  return request.scheme, request.host, request.port
end

--- Reads the URL of the proxy, if one is to be used.
local function proxy_of(given)
  local text = given.proxy
  if text == nil then
    text = settings.PROXY
  end
  if not text then
    return nil
  end
  local proxy = url.parse(text)
  if not (proxy and proxy.scheme) then
    error(("the proxy's URL '%s' has no scheme"):format(tostring(text)), 0)
  end
  return proxy
end

--- The tunnel that leads to the host of a request, through its proxy.
local function tunnel_of(request, create)
  local proxy = request.proxy_url
  -- Without one, the proxy would see, and could change, what TLS is to protect.
  try(layers.of(create), "proxy not supported for " .. request.scheme)
  try(proxy.scheme == "http", ("proxy with %s not supported for %s"):format(proxy.scheme, request.scheme))
  local authorization
  if request.headers then
    -- What is for the proxy is not for the server.
    local headers = {}
    for name, value in pairs(request.headers) do
      if name:lower() == "proxy-authorization" then
        authorization = value
      else
        headers[name] = value
      end
    end
    request.headers = headers
  end
  return tunnels.new(request, proxy, authorization)
end

--- Which requests may share a connection with this one.
local function origin_of(request, scheme, connects, create, tunnel)
  local host, port, parameters = request.host, request.port, nil
  if request.proxy_url then
    local _
    _, host, port = destination(request)
  end
  local layer = layers.of(create)
  if layer then
    parameters = layer.parameters
  elseif scheme ~= "http" then
    parameters = deep.copy(M.parameters(request))
  end
  return origins.new(scheme, host, port, connects.create, parameters, tunnel and tunnel.via)
end

--- A request made complete.
---@class cosock.HttpTask
---@field given cosock.HttpRequest  as the program gave it
---@field parts table  the parts of the URL
---@field method string
---@field target string
---@field headers table<string, string|number>  names in lower case; empty if they are nothing but the usual ones
---@field head string  all that is sent before the body
---@field deadline number?  on the runtime's clock
---@field create function  makes the socket
---@field tunnel cosock.HttpTunnel?  if there is one to open
---@field host string  to connect to
---@field port integer|string
---@field timeout number?  seconds for each step
---@field origin cosock.HttpOrigin?  if the connection may be one that others used, or will

--- Makes a request complete. The program's table is left as it is.
---
--- Raises, for `socket.protect`, what is wrong with a host, a path or a header; and an error if there is no
--- such scheme.
---@param given cosock.HttpRequest
---@param deadline number?  of a request that this one continues
---@return cosock.HttpTask
function M.complete(given, deadline)
  local request = given.url and url.parse(given.url, DEFAULTS) or {}
  for name, value in pairs(given) do
    request[name] = value
  end
  local scheme = scheme_of(request.scheme)
  if request.port == nil or request.port == "" then
    request.port = scheme.port
  end
  try(request.host and request.host ~= "", ("invalid host '%s'"):format(tostring(request.host)))
  request.proxy_url = proxy_of(given)
  local tunnel
  if request.proxy_url and request.scheme ~= "http" then
    tunnel = tunnel_of(request, given.create or scheme.create(request))
  end

  local connects_by, host, port = destination(request)
  if tunnel then
    -- From here on the proxy is no concern of the request.
    connects_by, request.proxy_url = request.scheme, nil
  end
  local connects = scheme_of(connects_by)
  local create = given.create or connects.create(request)
  local is_shared = not given.create and settings.POOL and true or false
  local method, target = given.method, target_of(request)
  if not method or method == "" then
    method = "GET"
  end
  local headers, lines = default.headers(request, scheme.port, is_shared)
  local timeout = settings.TIMEOUT
  if connects.timeout then
    timeout = connects.timeout()
  end
  return {
    given = given,
    parts = request,
    method = method,
    target = target,
    headers = headers,
    head = try(head.request_line(method, target)) .. lines,
    deadline = deadline or given.deadline and clock() + given.deadline,
    create = create,
    tunnel = tunnel,
    host = host,
    port = port,
    timeout = timeout,
    origin = is_shared and origin_of(request, connects_by, connects, create, tunnel) or nil,
  }
end

return M
