-- A chat server: whatever one member writes, all others read.
--
--   lua examples/chat_server.lua [port]
--
-- Without a port, the system picks one. Serves until Ctrl-C. Join with `nc 127.0.0.1 PORT`; the first
-- line you send is your name.

local cosock = require "cosock"
local socket = require "cosock.socket"

local BACKLOG = 1000 -- lines that may wait for a member before it is dropped as too slow

local port = tonumber(arg[1] or 0)
if not port then
  io.stderr:write "usage: lua chat_server.lua [port]\n"
  os.exit(1)
end

-- The members, as a set. Whoever has something to say puts it into their inboxes; only a member's own task
-- writes to its socket, so that a slow reader holds up nobody.
local members = {}

local function broadcast(line, author)
  print(line)
  for member in pairs(members) do
    if member.waiting == BACKLOG then
      member.client:close() -- wakes the tasks that read from it and write to it
    elseif member ~= author then
      member.waiting = member.waiting + 1
      member.inbox:send(line)
    end
  end
end

-- Writes to a member's socket what comes into its inbox, until either is closed.
local function write(member, inbox)
  local line = inbox:receive()
  while line do
    member.waiting = member.waiting - 1
    local sent = member.client:send(line .. "\n")
    line = sent and inbox:receive()
  end
  member.client:close()
end

-- Reads a member's lines and passes them on.
local function read(client)
  client:send "Your name?\n"
  local name = client:receive()
  if not name then
    return client:close()
  end

  local inbox_tx, inbox_rx = cosock.channel.new()
  local member = { client = client, inbox = inbox_tx, waiting = 0 }
  members[member] = true
  cosock.spawn(write, "writer for " .. name, member, inbox_rx)
  broadcast("* " .. name .. " has joined", member)

  local line = client:receive()
  while line do
    broadcast("<" .. name .. "> " .. line, member)
    line = client:receive()
  end

  members[member] = nil
  inbox_tx:close() -- ends the writer, which closes the socket
  broadcast("* " .. name .. " has left")
end

-- A mistake in one member's task is reported and leaves the others alone.
cosock.set_error_handler(function(_, task, traceback)
  io.stderr:write(("task %s failed: %s\n"):format(tostring(task), traceback))
end)

cosock.spawn(function()
  local server, problem = socket.bind("127.0.0.1", port)
  if not server then
    io.stderr:write(("cannot listen on port %d: %s\n"):format(port, problem))
    os.exit(1)
  end
  print(("listening on %s:%d"):format(server:getsockname()))

  while true do
    local client, err = server:accept()
    if client then
      cosock.spawn(read, "reader for " .. (client:getpeername() or "nobody"), client)
    else
      io.stderr:write("accept: ", err, "\n") -- the system is short of something; the next may succeed
    end
  end
end, "listener")

cosock.run()
