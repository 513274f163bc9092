--- A connection to a server, and the steps of a request on it. Errors of the steps are raised as `socket.try`
--- does, for `socket.protect` to catch.

local require, native = ...

local bodies = require "cosock.socket.http.body"
local chunked = require "cosock.socket.http.chunked"
local closing = require "cosock.socket.closing"
local head = require "cosock.socket.http.head"
local layers = require "cosock.socket.http.layers"
local ltn12 = require "cosock.ltn12"
local settings = require "cosock.socket.http.settings"
local socket = require "cosock.socket"
local tunnels = require "cosock.socket.http.tunnel"

local clock = native.task.clock
local is_cut_off, is_quiet, take_headers = native.http.is_cut_off, native.http.is_quiet, native.http.take_headers

local M = {}

--- What sockets say when the time is up; the last two, those that speak TLS.
local TIMEOUTS = { timeout = true, wantread = true, wantwrite = true }

--- Whether an error says that the time is up.
---@param err any
---@return boolean
function M.is_timeout(err)
  return TIMEOUTS[err] or false
end

--- The object that `http.open` returns.
---@class cosock.HttpConnection
---@field c any  the socket
---@field try fun(...): ...  as `socket.try`; closes the connection first
---@field deadline number?  when the whole request has to be over, on the runtime's clock
---@field timeout number?  seconds that each step may take
---@field is_last_step boolean?  whether the whole request has no more time than the step that is under way
---@field origin cosock.HttpOrigin?  if others may use the connection after this request
---@field has_answered boolean?  whether anything of the reply has come
---@field send_error string?  why sending failed
---@field body table?  the body of the reply, once it is under way
---@field body_sent integer?  bytes of the request's body that were sent, if they are counted
---@field package since number  when it began to wait in the pool
---@field package older cosock.HttpConnection?  in the pool
---@field package newer cosock.HttpConnection?  in the pool
local Connection = {}
Connection.__index = Connection

--- Leaves the next step no more time than the whole request has.
---@return boolean? ok
---@return string? error  "timeout" if there is none left
function Connection:limit()
  local deadline = self.deadline
  if not deadline then
    return true
  end
  local left, timeout = deadline - clock(), self.timeout
  self.is_last_step = not timeout or timeout < 0 or timeout >= left
  if left <= 0 then
    return nil, "timeout"
  elseif not self.is_last_step then
    left = timeout
  end
  return self.c:settimeout(left)
end

--- The error to tell: that the time for the whole request is up, whatever the socket calls it.
---@param err any
---@return any
function Connection:reason(err)
  if self.is_last_step and M.is_timeout(err) then
    return "timeout"
  end
  return err
end

--- Sets how long each step may take from now on.
---@param timeout number?  seconds
---@return boolean? ok
---@return string? error  "timeout" if the whole request has no time left
function Connection:set_timeout(timeout)
  self.timeout = timeout
  if self.deadline then
    return self:limit()
  end
  return self.c:settimeout(timeout)
end

--- Receives, as the socket does.
---@param pattern? string|integer
---@param prefix? string
---@param most? integer
---@return string? data
---@return string? error
---@return string? partial
function Connection:receive(pattern, prefix, most)
  if self.deadline then
    local ok, err = self:limit()
    if not ok then
      return nil, err, prefix or ""
    end
    local data, partial
    data, err, partial = self.c:receive(pattern, prefix, most)
    return data, self:reason(err), partial
  end
  return self.c:receive(pattern, prefix, most)
end

--- Sends, as the socket does. Remembers if it fails.
---@param data string
---@return integer? last
---@return string? error
function Connection:send(data)
  local ok, err = self:limit()
  if ok then
    ok, err = self.c:send(data)
  end
  if not ok then
    err = self:reason(err)
    self.send_error = err
  end
  return ok, err
end

--- Closes the connection.
---@return 1
function Connection:close()
  -- A socket that is made of several, as for TLS, may have nothing to close before it has connected.
  return self.c.close and self.c:close() or 1
end

--- Sends the first line of a request.
---@param method string?  GET by default
---@param uri string  what is requested
---@return integer last
function Connection:sendrequestline(method, uri)
  return self.try(self:send(self.try(head.request_line(method or "GET", uri))))
end

--- Sends headers and the empty line behind them.
---@param headers table<string, string|number>
---@return 1
function Connection:sendheaders(headers)
  self.try(self:send(self.try(head.header_lines(headers))))
  return 1
end

--- A sink that sends a body as the headers announce it: as it is if they tell its length, else in chunks.
---@param headers table<string, string|number>  with names in lower case
---@return function
function Connection:body_sink(headers)
  if not headers["content-length"] then
    return function(data, err)
      return chunked.send(self, data, err)
    end
  end
  self.body_sent = 0
  return function(data)
    if not data then
      return 1
    end
    self.body_sent = self.body_sent + #data
    return self:send(data)
  end
end

--- Sends a body.
---@param headers table<string, string|number>  those that were sent, with names in lower case
---@param source? function  nothing by default
---@param step? function  `ltn12.pump.step` by default
---@return 1
function Connection:sendbody(headers, source, step)
  return self.try(ltn12.pump.all(source or ltn12.source.empty(), self:body_sink(headers), step or ltn12.pump.step))
end

--- Receives the first five bytes of a reply.
---@param partial? string  what has come already
---@return string? start
---@return string? error
---@return string? partial
function Connection:receive_start(partial)
  local start, err
  start, err, partial = self:receive(5, partial)
  if start or partial and partial ~= "" then
    self.has_answered = true
  end
  return start, err, partial
end

--- Receives the first line of a reply.
---@param partial? string  what has come already of its first five bytes
---@return integer? code  nil if it has none: the reply is of the kind that HTTP/0.9 has
---@return string status  the line; or what came instead of one
function Connection:receivestatusline(partial)
  local status = partial and #partial >= 5 and partial or self.try(self:receive_start(partial))
  if status ~= "HTTP/" then
    return nil, status
  end
  status = self.try(head.receive_line(self, settings.LIMITS.status_line, "status line too long", status))
  local code = status:match "HTTP/%d*%.%d* (%d%d%d)"
  return self.try(tonumber(code), status), status
end

--- Receives the headers of a reply.
---@return table<string, string> headers  names in lower case
function Connection:receiveheaders()
  local limits = settings.LIMITS
  local headers = take_headers(self.c, limits.header_count, limits.header_bytes)
  if headers then
    return headers -- all had come, and there was nothing unusual about them
  end
  -- Where nothing has to be done before each line, the socket is asked directly.
  return self.try(head.receive_headers(self.deadline and self or self.c))
end

--- Receives a body of a reply.
---@param headers table<string, string>  those of the reply
---@param sink? function  `ltn12.sink.null()` by default; gets what came in even if the body breaks off
---@param step? function  `ltn12.pump.step` by default
---@return 1
function Connection:receivebody(headers, sink, step)
  local body = bodies.announced(self, headers)
  self.body = body
  return self.try(ltn12.pump.all(function()
    return body:next()
  end, sink or ltn12.sink.null(), step or ltn12.pump.step))
end

--- Receives a reply that has neither a first line nor headers.
---@param status string  what `receivestatusline` has received already
---@param sink? function
---@param step? function
---@return 1
function Connection:receive09body(status, sink, step)
  local body = bodies.open(self)
  local source = ltn12.source.rewind(function()
    return body:next()
  end)
  source(status)
  return self.try(ltn12.pump.all(source, sink or ltn12.sink.null(), step or ltn12.pump.step))
end

--- Receives the body of a reply for nobody, if it is short and there already: then the connection can be
--- used on.
---@param headers table<string, string>  those of the reply
---@param most integer  bytes
function Connection:discard_body(headers, most)
  local body = bodies.announced(self, headers)
  local length = headers["transfer-encoding"] == nil and bodies.length(headers) or math.huge
  self.body = body
  if length > 0 and length <= most then
    self.c:settimeout(0)
    body.is_complete = self.c:receive(length) ~= nil
  elseif length == 0 then
    body.is_complete = true
  end
end

--- Whether a connection that waited is still open, and the server has said nothing nobody asked for.
---@return boolean
function Connection:is_quiet()
  local quiet = is_quiet(self.c)
  if quiet ~= nil then
    return quiet
  end
  self.c:settimeout(0)
  local data, err = self.c:receive(0)
  return not data and M.is_timeout(err)
end

--- Where objects that stand for a socket keep it: those of `https.tcp` here and of LuaSec, those that LuaSocket's users
--- make, and those that cosock's select takes.
local INNER = { "sock", "c", "inner_sock" }

--- The socket that an object stands for, at any depth.
local function innermost(object)
  for _ = 1, 8 do
    if type(object) ~= "table" then
      break
    end
    local inner
    for _, name in ipairs(INNER) do
      inner = inner or rawget(object, name)
    end
    object = inner
  end
  return object
end

--- Whether an end of what the server sends is none that it has told by TLS, where that is used.
---@return boolean
function Connection:is_cut_off()
  return is_cut_off(innermost(self.c))
end

--- Prepares a connection that waited for a further request.
---@param deadline number?
---@param timeout number?
function Connection:reuse(deadline, timeout)
  self.deadline, self.is_last_step = deadline, nil
  self.has_answered, self.body, self.body_sent, self.send_error = nil, nil, nil, nil
  self:set_timeout(timeout)
end

--- Secures the connection to a host.
local function secure(self, layer, host, timeout)
  if self.c.setoption then
    -- The request follows the end of the handshake at once, whether the server has acknowledged that or not.
    self.c:setoption("tcp-nodelay", true)
  end
  self.c = self.try(layer:wrap(self.c, host))
  self.try(self:set_timeout(timeout))
  local ok, err = layer:shake_hands(self.c, host)
  self.try(ok, self:reason(err))
end

--- Connects the socket.
local function connect(self, host, port, timeout, layer, tunnel)
  self.try(self:set_timeout(timeout))
  self.try(self.c:connect(host, port))
  if tunnel then
    local ok, err = tunnels.open(self, tunnel)
    self.try(ok, M.is_timeout(err) and err or "proxy: " .. tostring(err))
    self.has_answered = nil
  end
  if layer then
    secure(self, layer, tunnel and tunnel.host or host, timeout)
  end
end

--- Opens a connection.
---
--- Raises, for `socket.protect`, what making the socket or connecting failed with.
---@param host string
---@param port? integer|string  80 by default
---@param create? fun(): any, string?  makes the socket; `socket.tcp` by default
---@param timeout? number  seconds that each step may take
---@param deadline? number  when the whole request has to be over, on the runtime's clock
---@param tunnel? cosock.HttpTunnel  to open at the host, which is a proxy
---@return cosock.HttpConnection
function M.open(host, port, create, timeout, deadline, tunnel)
  local self = setmetatable({ deadline = deadline }, Connection)
  local layer = layers.of(create)
  if layer then
    socket.try(layer:prepare())
    create = socket.tcp
  end
  self.c = socket.try((create or socket.tcp)())
  self.try = socket.newtry(function()
    self:close()
  end)
  closing.if_raised(self, connect, self, host, port or 80, timeout, layer, tunnel)
  return self
end

return M
