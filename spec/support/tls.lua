--- What every spec of `cosock.ssl` needs: certificates, and connections that talk to each other over loopback.
---
--- Most of them run in one task, or none: the two ends of a connection take their steps in turn, without
--- waiting. So an end can be LuaSec's as well, which knows nothing of tasks.

local peers = require "spec.support.peers"
local socket = require "cosock.socket"
local ssl = require "cosock.ssl"

local M = {}

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The specs of each interpreter have their own, made anew in each run: once, though every file of specs loads this one.
local folder = "build/certificates-" .. (jit and "luajit" or _VERSION:lower():gsub(" ", ""))
local made = false

-- Tells this process from all others; nil where the system does not.
local function process_stamp()
  local file = io.open "/proc/self/stat"
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  -- The process's number, and when it was started.
  local fields = {}
  for field in (text or ""):gsub("%(.*%)", "name"):gmatch "%S+" do
    fields[#fields + 1] = field
  end
  return fields[22] and fields[1] .. " " .. fields[22]
end

local function made_by()
  local file = io.open(folder .. "/made-by")
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  return text
end

local function make()
  local stamp = process_stamp()
  if stamp and stamp == made_by() then
    made = true
    return
  end
  local command = ("rm -rf %s && spec/support/certificates.sh %s >%s.log 2>&1"):format(folder, folder, folder)
  local status = os.execute("mkdir -p build && " .. command)
  assert(status == true or status == 0, "certificates could not be made; see " .. folder .. ".log")
  local file = assert(io.open(folder .. "/made-by", "w"))
  file:write(stamp or "")
  file:close()
  made = true
end

--- Uses the files that another program has made. To be called first.
---@param path string  what `folder` gave there
function M.use(path)
  folder, made = path, true
end

--- The folder of the files.
---@return string path
function M.folder()
  M.file "root.pem"
  return folder
end

--- The path of one of the files that spec/support/certificates.sh makes.
---@param name string  "server.pem"
---@return string path
function M.file(name)
  if not made then
    make()
  end
  return folder .. "/" .. name
end

--- What is in it.
---@param name string
---@return string
function M.contents(name)
  local file = assert(io.open(M.file(name), "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

--- A path for a new file.
---@param name string
---@return string path
function M.new_file(name)
  M.file("root.pem")
  local path = folder .. "/new-" .. name
  os.remove(path)
  return path
end

--- LuaSec's table, or nil where it is not installed.
---@return table?
function M.luasec()
  local found, luasec = pcall(require, "ssl")
  return found and type(luasec) == "table" and luasec or nil
end

local function with(configuration, changes)
  for field, value in pairs(changes or {}) do
    configuration[field] = value
  end
  return configuration
end

--- A server's configuration, with the fields of `changes` on top; false removes one.
---@param changes table?
---@return table
function M.server(changes)
  return with({
    mode = "server",
    protocol = "any",
    key = M.file "server.key",
    certificate = M.file "server.pem",
  }, changes)
end

--- A client's configuration: it trusts the root, and verifies.
---@param changes table?
---@return table
function M.client(changes)
  return with({ mode = "client", protocol = "any", cafile = M.file "root.pem", verify = "peer" }, changes)
end

-- What was made last stays open although a spec may hold it no more.
local recent, RECENT = {}, 64 -- luacheck: ignore 241
local count = 0

local function keep(object)
  count = count + 1
  recent[count % RECENT] = object
  return object
end

local listener

--- Two connected TCP sockets.
---@return table client
---@return table server
function M.sockets()
  -- One for all: the system remembers the port of each that has had connections for a minute, and after thousands of
  -- them it looks long for a free one.
  listener = listener or assert(socket.bind("127.0.0.1", 0))
  local address, port = listener:getsockname()
  local client = keep(assert(socket.connect(address, port)))
  local server = keep(peers.accept_from(listener, client))
  -- A short message is on its way at once, and not when the one before has been acknowledged.
  client:setoption("tcp-nodelay", true)
  server:setoption("tcp-nodelay", true)
  return client, server
end

--- Ends what a connection sends below TLS, without a word about it: the connection vanishes for its peer.
---@param connection table
function M.vanish(connection)
  local plain = socket.tcp()
  plain:connect("127.0.0.1", 0) -- fails, but makes it a client
  plain:close()
  plain:setfd(connection:getfd())
  plain:shutdown "send"
  plain:setfd(-1)
end

--- Two ends of a connection before the handshake.
---@param client table  a configuration or a context
---@param server table
---@param client_ssl table?  LuaSec's table, or ours if nil
---@param server_ssl table?
---@return table client
---@return table server
function M.ends(client, server, client_ssl, server_ssl)
  local client_socket, server_socket = M.sockets()
  return keep(assert((client_ssl or ssl).wrap(client_socket, client))),
    keep(assert((server_ssl or ssl).wrap(server_socket, server)))
end

local function is_waiting(err)
  return err == "wantread" or err == "wantwrite"
end

-- Seconds after which what has not arrived never does.
local LONG = 60

--- Takes the steps of both ends' handshakes in turn, until both have succeeded or failed. Afterwards neither
--- has a time limit.
---@return {ok: boolean, error: string?} client
---@return {ok: boolean, error: string?} server
function M.shake_hands(client, server)
  local ends, outcomes = { client, server }, {}
  client:settimeout(0)
  server:settimeout(0)
  local began = socket.gettime()
  repeat
    for index, connection in ipairs(ends) do
      if not outcomes[index] then
        local ok, err = connection:dohandshake()
        if ok or not is_waiting(err) then
          outcomes[index] = { ok = ok, error = err }
        end
      end
    end
    if outcomes[1] and outcomes[2] then
      client:settimeout(nil)
      server:settimeout(nil)
      return outcomes[1], outcomes[2]
    end
  until socket.gettime() - began > LONG
  error("the handshake never ended", 2)
end

--- Two ends of a connection after the handshake, which must succeed.
---@param client table?  a configuration or a context
---@param server table?
---@param client_ssl table?  LuaSec's table, or ours if nil
---@param server_ssl table?
---@return table client
---@return table server
function M.pair(client, server, client_ssl, server_ssl)
  local one, other = M.ends(client or M.client(), server or M.server(), client_ssl, server_ssl)
  local client_outcome, server_outcome = M.shake_hands(one, other)
  assert(client_outcome.ok, client_outcome.error)
  assert(server_outcome.ok, server_outcome.error)
  return one, other
end

--- Two ends of a connection before the handshake, whose bytes go through another one: what becomes of one side's
--- descriptor the other does not see.
---@return table client
---@return table server
---@return table relay  the end of the connection to the client that is not the client's
---@return fun() forth  passes on what the server sends, until either side is closed; to be run as a task
---@return fun() back   the same for the client
function M.relayed()
  local near, near_relay = M.sockets()
  local far_relay, far = M.sockets()
  local function passing(from, to)
    return function()
      repeat
        local data = from:receive(1, nil, 65536)
      until not data or not to:send(data)
    end
  end
  local server, client = assert(ssl.wrap(near, M.server())), assert(ssl.wrap(far, M.client()))
  return client, server, far_relay, passing(near_relay, far_relay), passing(far_relay, near_relay)
end

--- How a handshake ends on both sides: "ok", or the error.
---@param client table  a configuration or a context
---@param server table
---@param client_ssl table?  LuaSec's table, or ours if nil
---@param server_ssl table?
---@return string client
---@return string server
function M.outcome(client, server, client_ssl, server_ssl)
  local one, other = M.ends(client, server, client_ssl, server_ssl)
  local client_outcome, server_outcome = M.shake_hands(one, other)
  one:close()
  other:close()
  return client_outcome.ok and "ok" or client_outcome.error, server_outcome.ok and "ok" or server_outcome.error
end

--- Runs a program of another kind in the background, and gives its output to read from.
---@param command string
---@return file* output  to be closed by the caller, which waits for the program's end
function M.program(command)
  return assert(io.popen(command .. " 2>&1"))
end

M.quote = quote

return M
