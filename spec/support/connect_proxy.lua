-- Proxies that know CONNECT, each on a port of its own, good ones and bad ones. A program of its own; prints their
-- names and ports:
--
--   open       leads anywhere
--   private    leads anywhere whom it knows: ann with the password "open sesame"
--   refusing   says no
--   hesitant   says that it goes on, twice, before it leads anywhere
--   garbage    answers with what is no HTTP; garbled with a first line that has no code
--   closing    closes at once; cutting after the first line of its reply
--   silent     says nothing at all
--   dripping   says yes with a header and another and another
--   early      says yes and goes on talking
--   log        is none: tells what the others were asked, and forgets it

local cosock = require "cosock"
local mime = require "cosock.mime"
local socket = require "cosock.socket"

local log = {}

local function pass_on(from, to)
  local data, err, partial
  repeat
    data, err, partial = from:receive(1, nil, 65536)
    data = data or partial
  until err or not to:send(data)
  to:shutdown "send"
end

local function lead(client, target)
  local host, port = target:match "^%[?(.-)%]?:(%d+)$"
  local upstream = socket.connect(host, port)
  if not upstream then
    client:send "HTTP/1.1 502 Bad Gateway\r\n\r\n"
    return
  end
  client:send "HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\nX-Proxy: yes\r\n\r\n"
  cosock.spawn(pass_on, "back", upstream, client)
  pass_on(client, upstream)
end

local kinds = {}
kinds.open = lead

function kinds.private(client, target, authorization)
  if authorization == "Basic " .. mime.b64 "ann:open sesame" then
    return lead(client, target)
  end
  client:send "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno"
end

function kinds.refusing(client)
  client:send "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
end

function kinds.hesitant(client, target)
  client:send "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX-A: b\r\n\r\n"
  return lead(client, target)
end

function kinds.garbage(client)
  client:send "what do you want?\r\n"
end

function kinds.garbled(client)
  client:send "HTTP/1.1 very well\r\n\r\n"
end

function kinds.closing() end

function kinds.cutting(client)
  client:send "HTTP/1.1 200 OK\r\nX-A"
end

function kinds.silent(client)
  client:receive "*a"
end

function kinds.dripping(client)
  client:send "HTTP/1.1 200 OK\r\n"
  repeat
    socket.sleep(0.01)
  until not client:send "X-A: b\r\n"
end

function kinds.early(client, target)
  client:send "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
  return client:receive(1) and target
end

local function serve(client, kind)
  local lines = {}
  local line = client:receive()
  while line and line ~= "" do
    lines[#lines + 1] = line
    line = client:receive()
  end
  log[#log + 1] = table.concat(lines, "\n")
  local target = (lines[1] or ""):match "^CONNECT (%S+) HTTP/1%.1$"
  if target then
    kind(client, target, ("\n" .. log[#log]):match "\nProxy%-Authorization: ([^\n]*)")
  end
  client:close()
end

local function listen(name, fn)
  local server = assert(socket.bind("127.0.0.1", 0))
  local _, port = server:getsockname()
  print(name .. " " .. port)
  cosock.spawn(function()
    while true do
      cosock.spawn(fn, "client", assert(server:accept()))
    end
  end, name)
end

for name, kind in pairs(kinds) do
  listen(name, function(client)
    serve(client, kind)
  end)
end
listen("log", function(client)
  client:send(table.concat(log, "\n---\n"))
  log = {}
  client:close()
end)

cosock.run()
