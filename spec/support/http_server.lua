-- An HTTP server that does whatever the path of a request says, good or bad, and writes down what it was asked.
-- A program of its own, so that clients outside of tasks have somebody to talk to. Prints its port.
--
--     http_server.lua [FOLDER NAME[?]...]
--
-- With further arguments it listens on a port for HTTPS as well for each NAME, with the certificate of that name in a
-- folder that spec/support/certificates.sh has made, and prints these ports, too. With a question mark it asks who the
-- client is. Replies over TLS tell by x-tls what the client asked for.
--
--   /echo                     the request itself, as text
--   /raw/BYTES                these bytes and no more: closes the connection
--   /keep/BYTES               these bytes, and waits for the next request
--   /drop/BYTES               these bytes; closes when the next request has come
--   /slow/SECONDS/BYTES       these bytes, one at a time with a pause before each
--   /cut/BYTES                these bytes; ends the stream without saying so in TLS
--   /reset/BYTES              these bytes; resets the connection
--   /pause/SECONDS/A/B        the bytes A, a pause, the bytes B; closes
--   /endless/A/B              the bytes A, and the bytes B again and again
--   /silent                   nothing at all; waits for the client to go
--   /deaf                     nothing at all, and does not receive either, for three seconds
--   /zeros/COUNT              as many bytes, with a content-length
--   /redirect/CODE/LOCATION   a redirect
--   /loop                     a redirect to itself
--   /expect/go                says "100 Continue" before it reads the body, then as /echo
--   /expect/refuse            refuses the body before it has come
--   /refuse                   refuses whatever comes, reads none of it and closes
--   /connections              how many connections there have been
--   /log                      the requests since the last /log, as text, but for those of these two kinds
--
-- BYTES and the like are escaped as in URLs. Every reply of its own making tells by x-connection and x-request which
-- connection it came on, and how many requests that had.

local cosock = require "cosock"
local socket = require "cosock.socket"
local url = require "cosock.socket.url"

local ssl = arg[1] and require "cosock.ssl"

local connections = 0
local log = {}

--- Reads up to the empty line. Returns nil when the client is gone. One that begins with a handshake of TLS is told
--- that this is not the place.
local function read_head(client)
  local lines = {}
  local first = client:receive(1)
  if first == "\22" then
    client:send "HTTP/1.1 400 Bad Request\r\n\r\n"
    return nil
  end
  local line = first and client:receive("*l", first)
  while line and line ~= "" do
    lines[#lines + 1] = line
    line = client:receive()
  end
  return line and lines
end

local function header(request, name)
  for _, line in ipairs(request.lines) do
    local value = line:match("^" .. name .. ":%s*(.*)")
    if value then
      return value
    end
  end
  return nil
end

--- Reads the body that the headers announce.
local function read_body(client, request)
  local parts = {}
  local length = tonumber(header(request, "Content%-Length"))
  if length then
    parts[1] = client:receive(length)
  elseif header(request, "Transfer%-Encoding") then
    local size
    repeat
      size = tonumber(client:receive() or "", 16) or 0
      parts[#parts + 1] = (client:receive(size + 2) or ""):sub(1, size)
    until size == 0
  end
  request.body = table.concat(parts)
end

local function reply(client, request, status, body, ...)
  local lines = {
    "HTTP/1.1 " .. status,
    "Content-Length: " .. #body,
    "X-Connection: " .. request.connection,
    "X-Request: " .. request.number,
    ...
  }
  lines[#lines + 1] = request.tls
  return client:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. (request.method == "HEAD" and "" or body))
end

local function as_text(request)
  return table.concat(request.lines, "\n") .. "\n\n" .. request.body
end

-- Each returns true when the connection goes on.
local handlers = {}

function handlers.echo(client, request)
  read_body(client, request)
  return reply(client, request, "200 OK", as_text(request))
end

function handlers.raw(client, request, bytes)
  read_body(client, request)
  client:send(bytes)
end

function handlers.keep(client, request, bytes)
  read_body(client, request)
  return client:send(bytes)
end

function handlers.drop(client, _, bytes)
  client:send(bytes)
  read_head(client)
end

--- Another client of the same descriptor, which knows nothing of TLS.
local function below(client)
  local plain = socket.tcp()
  plain:connect("127.0.0.1", 0) -- fails, but makes it a client
  plain:close()
  plain:setfd(client:getfd())
  return plain
end

--- Ends what is sent.
local function end_stream(client)
  if client.shutdown then
    client:shutdown "send"
    return
  end
  local plain = below(client)
  plain:shutdown "send"
  plain:setfd(-1)
end

function handlers.cut(client, request, bytes)
  read_body(client, request)
  client:send(bytes)
  end_stream(client)
  client:receive "*a"
end

function handlers.reset(client, request, bytes)
  read_body(client, request)
  client:send(bytes)
  local plain = below(client)
  plain:setoption("linger", { on = true, timeout = 0 })
  plain:close()
  client:close() -- nothing is left to be closed
end

function handlers.slow(client, _, seconds, bytes)
  for index = 1, #bytes do
    socket.sleep(tonumber(seconds))
    if not client:send(bytes:sub(index, index)) then
      return
    end
  end
end

function handlers.pause(client, _, seconds, first, second)
  client:send(first)
  socket.sleep(tonumber(seconds))
  client:send(second)
end

function handlers.endless(client, _, first, again)
  again = again:rep(math.ceil(10000 / #again))
  local sent = client:send(first)
  while sent do
    sent = client:send(again)
  end
end

function handlers.silent(client)
  client:receive "*a"
end

function handlers.deaf()
  socket.sleep(3)
end

function handlers.zeros(client, request, count)
  local left = tonumber(count)
  local sent = client:send("HTTP/1.1 200 OK\r\nContent-Length: " .. count .. "\r\nX-Connection: "
    .. request.connection .. "\r\n\r\n")
  local block = ("\0"):rep(65536)
  while sent and left > 0 do
    sent = client:send(block, 1, math.min(left, #block))
    left = left - #block
  end
  return sent
end

function handlers.redirect(client, request, code, location)
  return reply(client, request, code .. " Elsewhere", "elsewhere", "Location: " .. location)
end

function handlers.loop(client, request)
  return handlers.redirect(client, request, 302, "/loop")
end

function handlers.expect(client, request, what)
  if what == "refuse" then
    return reply(client, request, "417 Expectation Failed", "no") and false
  end
  client:send "HTTP/1.1 100 Continue\r\nX-Interim: yes\r\n\r\n"
  return handlers.echo(client, request)
end

function handlers.refuse(client, request)
  reply(client, request, "413 Too Large", "too large", "Connection: close")
  end_stream(client)
end

function handlers.connections(client, request)
  log[#log] = nil
  return reply(client, request, "200 OK", tostring(connections))
end

function handlers.log(client, request)
  log[#log] = nil
  local texts = {}
  for index, logged in ipairs(log) do
    texts[index] = as_text(logged)
  end
  log = {}
  return reply(client, request, "200 OK", table.concat(texts, "\n---\n"))
end

--- What a client asked of TLS, as a header.
local function describe(client)
  local certificate = client:getpeercertificate()
  local subject = certificate and certificate:subject()
  return ("X-Tls: name=%s resumed=%s alpn=%s client=%s"):format(
    client:getsniname() or "none", tostring(client:isresumed()), client:getalpn() or "none",
    subject and subject[#subject].value or "none")
end

local function serve(client, connection)
  local number = 0
  local tls = ssl and client.getsniname and describe(client) or nil
  local goes_on
  repeat
    local lines = read_head(client)
    if not lines or not lines[1] then
      break
    end
    number = number + 1
    local method, target = lines[1]:match "^(%S+) (.*) HTTP/1%.1$"
    local request = { lines = lines, method = method, connection = connection, number = number, body = "", tls = tls }
    log[#log + 1] = request
    local words = {}
    for word in (target or ""):gsub("[?#].*", ""):gmatch "/([^/]*)" do
      words[#words + 1] = url.unescape(word)
    end
    local handler = handlers[words[1]] or handlers.echo
    goes_on = handler(client, request, words[2], words[3], words[4])
      and not (header(request, "Connection") or ""):find "close"
  until not goes_on
  client:close()
end

--- Accepts clients. Those of a context have to agree on keys first.
local function listen(name, context)
  local server = socket.tcp()
  assert(server:bind("127.0.0.1", 0))
  assert(server:listen(128))
  local _, port = server:getsockname()
  print(name .. " " .. port)
  cosock.spawn(function()
    while true do
      local client = assert(server:accept())
      connections = connections + 1
      local number = connections
      client:setoption("tcp-nodelay", true)
      cosock.spawn(function()
        if context then
          client = assert(ssl.wrap(client, context))
          if not client:dohandshake() then
            client:close()
            return
          end
        end
        serve(client, number)
      end, "client")
    end
  end, "listener")
end

for index = 2, #arg do
  local name, question = arg[index]:match "^(.-)(%??)$"
  local path = arg[1] .. "/" .. name
  listen(name, assert(ssl.newcontext {
    mode = "server", protocol = "any", key = path .. ".key", certificate = path .. ".pem",
    cafile = arg[1] .. "/root.pem", verify = question == "?" and "peer" or "none", alpn = { "http/1.1" },
  }))
end
listen "port"

cosock.run()
