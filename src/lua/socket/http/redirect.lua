--- Following redirects.

local require = ...

local deep = require "cosock.deep"
local layers = require "cosock.socket.http.layers"
local requests = require "cosock.socket.http.request"
local settings = require "cosock.socket.http.settings"
local url = require "cosock.socket.url"

local M = {}

--- The codes that are followed.
local CODES = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

--- The headers that are meant for one host and nobody else.
local PRIVATE = { authorization = true, cookie = true, host = true }

--- The URL that was requested, to which a location is relative. Its user and password are those that
--- stood in the URL.
local function base_of(task)
  local parts = task.parts
  return url.build {
    scheme = parts.scheme, userinfo = parts.userinfo, host = parts.host,
    port = tostring(parts.port) ~= tostring(settings.schemes[parts.scheme].port) and parts.port or nil,
    path = parts.path, params = parts.params, query = parts.query,
  }
end

--- Whether a request to `target` reaches whom the first one reached, in the same way or a better one.
local function is_same_host(parts, target)
  local port = target.port or settings.schemes[target.scheme].port
  if parts.host:lower() ~= (target.host or ""):lower() then
    return false
  elseif parts.scheme == target.scheme then
    return tostring(parts.port) == tostring(port)
  end
  return parts.scheme == "http" and target.scheme == "https"
    and tostring(parts.port) == "80" and tostring(port) == "443"
end

--- The headers without those that are meant for the first host.
local function public_headers(headers)
  local result = {}
  for name, value in pairs(headers or {}) do
    if not PRIVATE[name:lower()] then
      result[name] = value
    end
  end
  return result
end

--- What proves to a server who the client is, and what expects another name than the URL's.
local FOR_ONE_HOST = { "key", "certificate", "certificates", "psk", "hostname" }

--- What the next request asks of TLS: no less than the one before, which may have asked by its `create`.
local function parameters_for(task, layer, is_same)
  local parameters = layer and deep.copy(layer.parameters) or requests.parameters(task.given) or {}
  if not is_same then
    for _, field in ipairs(FOR_ONE_HOST) do
      parameters[field] = nil
    end
  elseif parameters.key and not parameters.certificates then
    -- The password stays with the key. In a field of its own it would be that of the URL's user, too.
    parameters.certificates = {
      {
        key = parameters.key, certificate = parameters.certificate,
        password = parameters.password or task.parts.password,
      },
    }
    parameters.key, parameters.certificate = nil, nil
  end
  parameters.password = nil
  return parameters
end

--- Whether the request is one that may be redirected further.
local function may_follow(task, code)
  local given = task.given
  local most = given.maxredirects
  if most == nil then
    most = settings.LIMITS.redirects
  end
  return CODES[code]
    and given.redirect ~= false
    and (given.method == nil or given.method == "GET" or given.method == "HEAD")
    and not given.source
    and (most == false or task.redirects < most)
end

--- The request that a reply redirects to, unless that is none to be followed.
---@param task cosock.HttpTask
---@param code integer
---@param headers table<string, string>
---@return cosock.HttpRequest?
function M.follow(task, code, headers)
  local location = headers.location
  local first = location and may_follow(task, code) and location:find "%S"
  if not first then
    return nil
  end
  location = location:sub(first):match "^.*%S"
  local given, parts = task.given, task.parts
  local address = url.absolute(base_of(task), location)
  local target = url.parse(address) or {}
  local layer = layers.of(given.create)
  local is_secure = layer or parts.scheme == "https"
  if not settings.schemes[target.scheme] or is_secure and target.scheme ~= "https" then
    return nil
  end
  -- What it says about TLS stays; the method, the credentials and the step do not.
  local is_same = is_same_host(parts, target)
  local following = parameters_for(task, layer, is_same)
  following.url = address
  following.sink = given.sink
  following.proxy = given.proxy
  following.maxredirects = given.maxredirects
  following.headers = is_same and given.headers or public_headers(given.headers)
  -- What makes sockets for the first host may know its secrets: the fields above make others.
  if given.scheme == target.scheme and (is_same or not layer) then
    following.create = given.create
  end
  return following
end

return M
