--- One request and its reply.

local require = ...

local closing = require "cosock.socket.closing"
local connections = require "cosock.socket.http.connection"
local ltn12 = require "cosock.ltn12"
local redirect = require "cosock.socket.http.redirect"
local settings = require "cosock.socket.http.settings"
local socket = require "cosock.socket"

local M = {}

--- The methods that may be sent twice with the effect of once.
local IDEMPOTENT = { GET = true, HEAD = true, OPTIONS = true, TRACE = true, PUT = true, DELETE = true }

--- How much of a body that nobody wants is received to keep the connection, if it is there already.
local MOST_DISCARDED = 65536

--- Whether a comma-separated header holds a word, which is given in lower case.
local function holds(header, word)
  header = header and tostring(header):lower()
  if not header or not header:find(word, 1, true) then
    return false
  end
  for item in header:gmatch "[^,]+" do
    if item:match "^%s*(%S+)%s*$" == word then
      return true
    end
  end
  return false
end

--- Opens a connection for a request.
local function open(task)
  local given = task.given
  local connection = connections.open(
    task.host, task.port, task.create, task.timeout, task.deadline, task.tunnel
  )
  connection.origin = task.origin
  if given.source and task.origin and connection.c.setoption then
    -- The body follows the head at once, whether the server has acknowledged that or not.
    connection.c:setoption("tcp-nodelay", true)
  end
  return connection
end

--- Sends a request on a connection that waited in the pool. Only a request that can be repeated may go
--- there: the server may close the connection at the same moment, and then nobody knows whether it has
--- seen the request.
---@return cosock.HttpConnection?  nil if there is none, or the server has closed it, or says what is no
---  reply: it may be what was left of an earlier one
---@return string? start  of the reply
local function send_on_waiting(task)
  if not (task.origin and settings.POOL and IDEMPOTENT[task.method]) or task.given.source then
    return nil
  end
  local connection = settings.POOL:take(task.origin)
  if not connection then
    return nil
  end
  connection:reuse(task.deadline, task.timeout)
  local sent, err = connection:send(task.head)
  local start
  if sent then
    start, err = connection:receive_start()
  end
  if start == "HTTP/" then
    return connection, start
  end
  connection:close()
  if not start and (connections.is_timeout(err) or connection.has_answered) then
    socket.try(nil, err)
  end
end

--- Waits for the server to say that it wants the body.
---@return integer? code  of a reply that makes the body superfluous
---@return string? status
---@return string? partial  what has come of a reply when the patience was over
local function await_go_ahead(connection)
  local timeout = connection.timeout
  connection.try(connection:set_timeout(settings.EXPECT_TIMEOUT))
  local start, err, partial = connection:receive_start()
  connection.try(connection:set_timeout(timeout))
  if not start then
    connection.try(connections.is_timeout(err), err)
    return nil, nil, partial
  end
  local code, status = connection:receivestatusline(start)
  if code ~= 100 then
    return code, status
  end
  connection:receiveheaders()
end

--- Sends the body of a request.
---@return integer? code  of a reply that has come already
---@return string? status
---@return string? partial  what has come already of a reply
local function send_body(connection, task)
  local given = task.given
  local partial
  if holds(task.headers.expect, "100-continue") then
    local code, status
    code, status, partial = await_go_ahead(connection)
    if status then
      connection.body_sent = -1 -- the server waits for a body no more, or still does
      return code, status
    end
  end
  local sink = connection:body_sink(task.headers)
  local ok, err = ltn12.pump.all(given.source, sink, given.step or ltn12.pump.step)
  if not ok and connection.send_error and not connections.is_timeout(connection.send_error) then
    -- A server that refuses a body says so and closes, without receiving it all.
    partial = connection:receive_start(partial)
    ok = partial
  end
  connection.try(ok, err)
  return nil, nil, partial
end

--- Whether the reply has a body.
local function has_body(task, code)
  return task.method ~= "HEAD" and code ~= 204 and code ~= 304 and code >= 200
end

--- Whether the whole body of the request was sent, and nothing that the server would take for another
--- request.
local function is_request_complete(connection, task)
  local length = task.headers["content-length"]
  if connection.send_error then
    return false
  elseif not task.given.source then
    return tonumber(length or 0) == 0 and not task.headers["transfer-encoding"]
  end
  return not length or tonumber(length) == connection.body_sent
end

--- Whether the end of the reply is where both sides think it is.
local function is_reply_complete(connection, task, code, headers)
  local body = connection.body
  if not body then
    return not has_body(task, code)
  elseif headers["transfer-encoding"] then
    return body.is_complete and headers["transfer-encoding"]:lower() == "chunked" and not headers["content-length"]
  end
  return body.is_complete and headers["content-length"]:find "^%d+%s*$" ~= nil
end

--- Whether server and request allow that another request follows on the connection.
local function is_reusable(connection, task, code, headers, status)
  if not connection.origin or not settings.POOL or code < 200 or task.method == "CONNECT" then
    return false
  end
  local minor = status:match "^HTTP/1%.(%d+)"
  local keeps_alive = minor and (tonumber(minor) >= 1 or holds(headers.connection, "keep-alive"))
  return keeps_alive
    and not holds(headers.connection, "close")
    and not holds(task.headers.connection, "close")
    and is_request_complete(connection, task)
    and is_reply_complete(connection, task, code, headers)
end

--- Keeps a connection for the next request, or closes it.
local function release(connection, task, code, headers, status)
  if is_reusable(connection, task, code, headers, status) then
    settings.POOL:put(connection)
  else
    connection:close()
  end
end

--- Receives the first lines of replies up to the one that counts.
local function receive_status(connection, code, status, partial)
  if not status then
    code, status = connection:receivestatusline(partial)
  end
  local left = settings.LIMITS.interim_replies
  while code == 100 do
    connection.try(left > 0, "too many interim replies")
    left = left - 1
    connection:receiveheaders()
    code, status = connection:receivestatusline()
  end
  return code, status
end

--- Sends a request and receives the reply.
---@param connection cosock.HttpConnection
---@param task cosock.HttpTask
---@param start string?  what has come of the reply, if the request is sent already
---@return integer code
---@return table<string, string>? headers
---@return string? status
---@return cosock.HttpRequest? following  the request that the reply redirects to
local function converse(connection, task, start)
  local given = task.given
  local code, status
  if not start then
    connection.try(connection:send(task.head))
    if given.source then
      code, status, start = send_body(connection, task)
    end
  end
  code, status = receive_status(connection, code, status, start)
  if not code then
    connection:receive09body(status, given.sink, given.step)
    connection:close()
    return 200
  end
  local headers = connection:receiveheaders()
  local following = redirect.follow(task, code, headers)
  if has_body(task, code) then
    if following then
      connection:discard_body(headers, MOST_DISCARDED)
    else
      connection:receivebody(headers, given.sink, given.step)
    end
  end
  release(connection, task, code, headers, status)
  return code, headers, status, following
end

--- Makes a request, on a connection that waited in the pool or on a new one.
---
--- Raises, for `socket.protect`, what failed; and what a source or a sink raises.
---@param task cosock.HttpTask
---@return integer code
---@return table<string, string>? headers  nil if the reply had none
---@return string? status
---@return cosock.HttpRequest? following  the request that the reply redirects to
function M.perform(task)
  local connection, start = send_on_waiting(task)
  if not connection then
    connection = open(task)
  end
  return closing.if_raised(connection, converse, connection, task, start)
end

return M
