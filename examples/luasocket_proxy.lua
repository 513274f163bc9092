-- A small HTTP proxy in front of one server, written for LuaSocket: nothing in it knows of cosock. It runs the same
--
--   lua examples/luasocket_proxy.lua HOST PORT [REQUESTS]         on LuaSocket,
--   cosock examples/luasocket_proxy.lua HOST PORT [REQUESTS]      as a task, and
--   lua -e 'require("cosock").install()' examples/luasocket_proxy.lua HOST PORT [REQUESTS]
--
-- It forwards to HOST:PORT, writes a line for each request, and ends after so many of them if that is given. It waits
-- for all its clients at once with select, and reads what each of them has sent so far without waiting for the rest;
-- when a request is complete, it forwards that.

local ltn12 = require "ltn12"
local socket = require "socket"

local TIMEOUT = 10 -- seconds for the server behind us, and for a client to take its reply
local HEAD_LIMIT = 16384 -- bytes

local host, port, most = arg[1], tonumber(arg[2]), tonumber(arg[3]) or math.huge
if not host or not port then
  io.stderr:write "usage: luasocket_proxy.lua HOST PORT [REQUESTS]\n"
  os.exit(1)
end

-- A request that is being read: its lines so far, and the piece of a line that has no end yet.
local function new_request(client)
  return { client = client, lines = {}, piece = "", size = 0 }
end

-- Reads what has arrived. True if the head is complete, nil if more has to come, and nil with an error.
local function read_head(request)
  while true do
    local line, err, piece = request.client:receive("*l", request.piece)
    if not line then
      request.piece = piece
      if err ~= "timeout" then
        return nil, err
      end
      return nil, #piece > HEAD_LIMIT and "too long" or nil
    end
    request.piece = ""
    request.size = request.size + #line
    if request.size > HEAD_LIMIT then
      return nil, "too long"
    elseif line == "" and #request.lines > 0 then
      return true
    elseif line ~= "" then
      request.lines[#request.lines + 1] = line
    end
  end
end

-- The value of a header field among lines.
local function field(lines, name)
  for index = 2, #lines do
    local found, value = lines[index]:match "^([^:]+):%s*(.-)%s*$"
    if found and found:lower() == name then
      return value
    end
  end
end

-- The head to be sent on: everything but what concerns this connection only.
local function forwarded(lines)
  local head = {}
  for index, line in ipairs(lines) do
    local name = index > 1 and (line:match "^[^:]+" or ""):lower()
    if name ~= "connection" and name ~= "proxy-connection" and name ~= "keep-alive" then
      head[#head + 1] = line
    end
  end
  head[#head + 1] = "Connection: close"
  return table.concat(head, "\r\n") .. "\r\n\r\n"
end

-- Counts what passes.
local function counter()
  local count = 0
  local function filter(chunk)
    count = count + #(chunk or "")
    return chunk
  end
  return filter, function()
    return count
  end
end

-- Forwards a request and its reply. Returns the reply's status and how long its body was, or nil and an error.
local forward = socket.protect(function(request)
  local client = request.client
  local server = socket.try(socket.tcp())
  local try = socket.newtry(function()
    server:close()
  end)
  server:settimeout(TIMEOUT)
  client:settimeout(TIMEOUT)
  try(server:connect(host, port))
  try(server:send(forwarded(request.lines)))
  local length = tonumber(field(request.lines, "content-length") or "0")
  if length > 0 then
    try(ltn12.pump.all(socket.source("by-length", client, length), socket.sink("keep-open", server)))
  end

  local reply = { (try(server:receive())) }
  local line = try(server:receive())
  while line ~= "" do
    reply[#reply + 1] = line
    line = try(server:receive())
  end
  local status = socket.skip(2, reply[1]:find "^HTTP/%d%.%d (%d%d%d)")
  try(status, "malformed reply")
  try(client:send(forwarded(reply)))
  local count, counted = counter()
  local body = ltn12.source.chain(socket.source("until-closed", server), count)
  try(ltn12.pump.all(body, socket.sink("close-when-done", client)))
  return status, counted()
end)

-- Answers with an error of our own.
local function refuse(client, status, reason)
  client:settimeout(TIMEOUT)
  client:send(("HTTP/1.0 %s\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n%s\n"):format(status, reason))
  client:close()
end

local server = assert(socket.bind("127.0.0.1", 0))
server:settimeout(0)
print(("listening on %s:%d"):format(server:getsockname()))
io.stdout:flush()

-- Every client that has not sent its whole request yet, and the same as the list that select wants.
local requests, waiting = {}, { server }

local function forget(client)
  requests[client] = nil
  for index, sock in ipairs(waiting) do
    if sock == client then
      table.remove(waiting, index)
      return
    end
  end
end

-- Goes on with a client that has sent something. True if that was a whole request.
local function serve(client)
  local complete, err = read_head(requests[client])
  if not complete and not err then
    return false
  end
  local request = requests[client]
  forget(client)
  local what = (request.lines[1] or "nothing"):match "^%S+ %S+" or "something"
  if not complete then
    print(("%s: %s"):format(what, err))
    if err == "too long" then
      refuse(client, "431 Request Header Fields Too Large", err)
    else
      client:close()
    end
    return true
  elseif not request.lines[1]:find "^%u+ %S+ HTTP/1%.%d$" then
    print(("%s: no request"):format(what))
    refuse(client, "400 Bad Request", "no request")
    return true
  end
  local status, size = forward(request)
  if status then
    print(("%s: %s, %d bytes"):format(what, status, size))
  else
    print(("%s: %s"):format(what, size))
    refuse(client, "502 Bad Gateway", size)
  end
  return true
end

while most > 0 do
  for _, sock in ipairs((socket.select(waiting))) do
    if sock == server then
      local client = server:accept()
      if client then
        client:settimeout(0)
        requests[client] = new_request(client)
        waiting[#waiting + 1] = client
      end
    elseif most > 0 and serve(sock) then
      most = most - 1
      io.stdout:flush()
    end
  end
end

for client in pairs(requests) do
  client:close()
end
server:close()
print "done"
