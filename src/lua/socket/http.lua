--- HTTP, as LuaSocket's module of that name, with connections that are kept for later requests.

local require, native = ...

local connections = require "cosock.socket.http.connection"
local exchange = require "cosock.socket.http.exchange"
local ltn12 = require "cosock.ltn12"
local M = require "cosock.socket.http.settings"
local requests = require "cosock.socket.http.request"
local socket = require "cosock.socket"

--- The module for TLS.
---
--- Raises if there is none.
---@return cosock.https
local function https()
  if not native.modules["cosock.ssl.https"] then
    error("https needs TLS, and cosock was built without it", 0)
  end
  return require "cosock.ssl.https"
end

--- How to connect for each scheme: `create(request)` gives a function that makes the socket, `timeout()`
--- the seconds that each step may take, if that is not `TIMEOUT`.
---@type table<string, {port: integer, create: (fun(request: table): function), timeout: (fun(): number?)?}>
M.schemes = {
  http = {
    port = 80,
    create = function()
      return socket.tcp
    end,
  },
  https = {
    port = 443,
    create = function(request)
      return https().tcp(request)
    end,
    timeout = function()
      return https().TIMEOUT
    end,
  },
}

--- Makes requests until one is answered otherwise than by a redirect.
local perform = socket.protect(function(given)
  local redirects = 0
  local deadline, location
  while true do
    local task = requests.complete(given, deadline)
    task.redirects = redirects
    local code, headers, status, following = exchange.perform(task)
    if not following then
      if location then
        headers = headers or {}
        headers.location = headers.location or location
      elseif not headers then
        return 1, code
      end
      return 1, code, headers, status
    end
    given, deadline, location = following, task.deadline, headers.location
    redirects = redirects + 1
  end
end)

--- The request that `request(url, body)` makes.
---@param address string
---@param body? string  makes it a POST of a form
---@return cosock.HttpRequest request  with a field `target`: the table that the body of the reply comes into
function M.genericform(address, body)
  local target = {}
  local request = { url = address, sink = ltn12.sink.table(target), target = target }
  if body then
    request.method = "POST"
    request.source = ltn12.source.string(body)
    request.headers = { ["content-length"] = #body, ["content-type"] = "application/x-www-form-urlencoded" }
  end
  return request
end

--- A sink that fails when more than `most` bytes have come.
local function bounded(sink, most)
  local left = most
  return function(data, err)
    left = left - (data and #data or 0)
    if left < 0 then
      return nil, "body too long"
    end
    return sink(data, err)
  end
end

--- Makes a request and returns the body of the reply.
local function request_string(address, body)
  local request = M.genericform(address, body)
  if M.LIMITS.body_bytes < math.huge then
    request.sink = bounded(request.sink, M.LIMITS.body_bytes)
  end
  local ok, code, headers, status = perform(request)
  if ok then
    return table.concat(request.target), code, headers, status
  elseif #request.target > 0 then
    return nil, code, table.concat(request.target)
  end
  return nil, code
end

--- Makes a request. In a task, others run meanwhile.
---
--- Raises if a field is of the wrong type or there is no such scheme, and what a source or a sink raises.
---@param request string|cosock.HttpRequest  a URL, or a table that says more
---@param body? string  with a URL: makes the request a POST of a form
---@return string|1|nil body  1 if the request is a table: its `sink` has the body
---@return integer|string code  or the error: "timeout", "closed" (also if the body is shorter than it should
---  be), "connection refused" and others of sockets; a status line that is none; "malformed response headers",
---  "response headers too long", "too many response headers", "status line too long", "invalid chunk size",
---  "chunk size line too long", "too many interim replies", "body too long"; "invalid host 'nil'", "invalid path:
---  CR, LF and NUL are not allowed" and likewise of a host, a method, a header; or that of a source or sink
---@return table<string, string>|string|nil headers  names in lower case. If the form that returns the body failed:
---  what came of it.
---@return string? status  the first line of the reply
function M.request(request, body)
  if type(request) == "string" then
    local kind = type(body)
    if kind ~= "string" and kind ~= "number" and kind ~= "nil" then
      error(("bad argument #2 to 'request' (string expected, got %s)"):format(kind), 2)
    end
    return request_string(request, body and tostring(body))
  elseif type(request) ~= "table" then
    error(("bad argument #1 to 'request' (string or table expected, got %s)"):format(type(request)), 2)
  end
  requests.check(request, 2)
  return perform(request)
end

--- Opens a connection, to make each step of a request by itself.
---
--- Raises, for `socket.protect`, what making the socket or connecting failed with.
---@param host string
---@param port? integer|string  80 by default
---@param create? fun(): any, string?  makes the socket; `socket.tcp` by default
---@return cosock.HttpConnection
function M.open(host, port, create)
  return connections.open(host, port, create, M.TIMEOUT)
end

socket.http = M

return M
