-- A chat for the people on one machine: unix datagrams, so there are no connections to keep.
--
--   lua examples/unix_chat.lua serve PATH                    keeps the room at PATH until Ctrl-C
--   lua examples/unix_chat.lua join PATH NAME [TERMINAL]     enters it; an empty line leaves
--
-- The room is a socket, and every member has one too, next to it: "/tmp/room" and "/tmp/room.ann", for
-- example. What a member types goes to the room as one datagram, and the room passes it on. The terminal is
-- the one the program runs in unless another is named.

local cosock = require "cosock"
local serial = require "cosock.socket.serial"
local unix = require "cosock.socket.unix"

local role, path, name, terminal = arg[1], arg[2], arg[3], arg[4] or "/dev/tty"

local function give_up(...)
  io.stderr:write(table.concat({ ... }, " "), "\n")
  os.exit(1)
end

-- Binds to a path. A file that nobody listens at any more, left by a program that was killed, is replaced.
local function bind(address)
  local sock = assert(unix.dgram())
  local bound, err = sock:bind(address)
  if bound then
    return sock
  elseif err == "address already in use" then
    local probe = assert(unix.dgram())
    local taken, why = probe:connect(address)
    probe:close()
    if not taken and why == "connection refused" and os.remove(address) then
      return bind(address)
    end
  end
  give_up("cannot bind to", address .. ":", err)
end

-- The room, and who is in it, by the path of their sockets.
local room
local members = {}

-- Sends without waiting: someone who does not read, and whose queue is full, misses a line; someone who is gone
-- is shown out.
local function tell_all(text, author)
  print(text)
  local gone = {}
  room:settimeout(0)
  for address in pairs(members) do
    local sent, err = true, nil
    if address ~= author then
      sent, err = room:sendto(text, address)
    end
    if not sent and err ~= "timeout" then
      gone[#gone + 1] = address
    end
  end
  room:settimeout(nil)
  for _, address in ipairs(gone) do
    local member = members[address]
    if member then -- nobody has shown them out meanwhile
      members[address] = nil
      tell_all("* " .. member .. " is gone")
    end
  end
end

local function serve()
  room = bind(path)
  print("the room is at " .. path)
  while true do
    local message, sender = assert(room:receivefrom())
    local verb, text = message:gsub("%c", ""):match "^(%l+) ?(.*)$"
    local member = members[sender]
    if verb == "join" and sender ~= "" then
      members[sender] = text
      tell_all("* " .. text .. " has come", sender)
    elseif verb == "say" and member then
      tell_all("<" .. member .. "> " .. text, sender)
    elseif verb == "leave" and member then
      members[sender] = nil
      tell_all("* " .. member .. " has left")
    end
  end
end

local function join()
  local keyboard, problem = serial(terminal)
  if not keyboard then
    give_up("cannot read from", terminal .. ":", problem)
  end
  local address = path .. "." .. name
  local member = bind(address)
  local found, err = member:connect(path)
  if not found then
    os.remove(address)
    give_up("there is no room at", path .. ":", err)
  end
  -- From now on nobody but the room can send to it.
  member:send("join " .. name)

  -- What others say is shown as it comes, until the socket is closed below.
  cosock.spawn(function()
    local text = member:receive()
    while text do
      print(text)
      text = member:receive()
    end
  end, "listener")

  local line = keyboard:receive()
  while line and line ~= "" do
    local _, trouble = member:send("say " .. line)
    if trouble then
      print("the room is closed: " .. trouble)
      break
    end
    line = keyboard:receive()
  end
  member:send "leave"
  member:close()
  os.remove(address)
end

if role == "serve" and path and not name then
  cosock.spawn(serve, "room")
elseif role == "join" and path and name then
  cosock.spawn(join, "member")
else
  give_up "usage: lua unix_chat.lua serve PATH\n       lua unix_chat.lua join PATH NAME [TERMINAL]"
end

cosock.run()
