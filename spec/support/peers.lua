--- Sockets that talk to each other over loopback, and the few helpers that every socket spec needs.
---
--- One program and one task are enough for all of them: what is under way rests in the kernel's buffers and
--- accept queues. Each function takes the `socket` table whose sockets it shall use, so that the differential
--- specs can use it with LuaSocket as well.

local cosock_socket = require "cosock.socket"
local run = require "spec.support.run"

local M = {}

-- The sockets made last. A spec may drop a socket that its peer still needs to be open, and collecting it would
-- close the connection under that peer.
local recent, RECENT = {}, 256 -- luacheck: ignore 241
local made = 0

local function keep(sock)
  made = made + 1
  recent[made % RECENT] = sock
  return sock
end

-- The loopback addresses of this machine with the names the API has for their family.
local IPV4 = { name = "IPv4", address = "127.0.0.1", wildcard = "0.0.0.0", family = "inet", tcp = "tcp4", udp = "udp4" }
local IPV6 = { name = "IPv6", address = "::1", wildcard = "::", family = "inet6", tcp = "tcp6", udp = "udp6" }

local function ipv6_works()
  local probe = cosock_socket.tcp6()
  local bound = probe and probe:bind(IPV6.address, 0)
  if probe then
    probe:close()
  end
  return bound ~= nil
end

--- Whether this machine has an IPv6 loopback address.
M.has_ipv6 = ipv6_works()

--- The address families of this machine: `{name, address, wildcard, family, tcp, udp}` each.
M.families = M.has_ipv6 and { IPV4, IPV6 } or { IPV4 }

--- Iterates over the two places a socket can wait in: `for place, it in peers.inside_and_outside(it) do`.
---
--- Outside a task the wait blocks the program; inside, it blocks the task. `place` is for the title, `it` defines
--- a spec whose body runs there.
---@param it fun(title: string, body: fun())  busted's own `it`
function M.inside_and_outside(it)
  local places = {
    { "outside a task", it },
    { "inside a task", function(title, body)
      it(title, function()
        run.task(body)
      end)
    end },
  }
  local index = 0
  return function()
    index = index + 1
    if places[index] then
      return places[index][1], places[index][2]
    end
  end
end

--- Packs its arguments, nils included, with their number in `n`: `assert.same({ n = 2, nil, "x" }, pack(f()))`.
M.pack = table.pack or function(...)
  return { n = select("#", ...), ... }
end

--- The message that `fn` raises, without the position in front of it. Raises when `fn` does not.
---@param fn fun()
---@return any message
function M.raised(fn)
  local ok, message = pcall(fn)
  if ok then
    error("expected an error, but none was raised", 2)
  end
  return type(message) == "string" and message:gsub("^[^:\n]+:%d+: ", "") or message
end

--- Seconds that `fn` took.
---@param fn fun()
---@return number seconds
function M.seconds(fn)
  local start = cosock_socket.gettime()
  fn()
  return cosock_socket.gettime() - start
end

--- A listening TCP socket on a port that the system chose.
---
--- What this function and the following ones return stays open for the rest of the spec, held or not.
---@param address string?  default 127.0.0.1
---@return table server
---@return integer port
function M.server(socket, address)
  local server = keep(assert(socket.bind(address or IPV4.address, 0)))
  local _, port = server:getsockname()
  return server, port
end

--- The same with a port on which nobody listens at the loopback address of the other family.
---@param address string?  default 127.0.0.1
---@return table server
---@return integer port
function M.server_alone(socket, address)
  local other = address == IPV6.address and IPV4 or IPV6
  while true do
    local server, port = M.server(socket, address)
    local holder = M.has_ipv6 and keep(assert(socket[other.tcp]()))
    if not holder or holder:bind(other.address, port) then
      return server, port
    end
  end
end

--- The end of `client`'s connection that `server` accepts. Others that have connected, as a program does that has the
--- wrong port, are turned away.
---@param server table
---@param client table
---@return table peer
function M.accept_from(server, client)
  local address, port = client:getsockname()
  while true do
    local peer = assert(server:accept())
    local its_address, its_port = peer:getpeername()
    -- LuaSocket gives a port now as a number and now as a string.
    if its_address == address and tonumber(its_port) == tonumber(port) then
      return peer
    end
    peer:close()
  end
end

--- Two connected TCP sockets: the one that connected and the one that was accepted.
---@param address string?  default 127.0.0.1
---@return table client
---@return table peer
function M.pair(socket, address)
  local server, port = M.server(socket, address)
  local client = keep(assert(socket.connect(address or IPV4.address, port)))
  local peer = keep(M.accept_from(server, client))
  server:close()
  return client, peer
end

--- A receiver whose peer has sent `data`, with the peer. The first bytes have arrived.
---@param data string
---@return table receiver
---@return table sender
function M.receiver(socket, data)
  local sender, receiver = M.pair(socket)
  assert(sender:send(data))
  if #data > 0 then
    assert(receiver:receive(0)) -- waits until there is a byte, and leaves it there
  end
  return receiver, sender
end

--- A TCP port of 127.0.0.1 on which nobody listens. It stays taken, so that nobody begins to.
---@return integer port
function M.refused_port(socket)
  local holder = keep(assert(socket.tcp4()))
  assert(holder:bind(IPV4.address, 0))
  local _, port = holder:getsockname()
  return port
end

--- TCP sockets with ports of 127.0.0.1 that follow each other: none of them listens, and nobody else can.
---@param count integer
---@return table[] sockets
---@return integer first  the port of the first one
function M.ports_in_a_row(socket, count)
  while true do
    local sockets, first = {}, 0
    for index = 1, count do
      local holder = assert(socket.tcp4())
      if not holder:bind(IPV4.address, index == 1 and 0 or first + index - 1) then
        holder:close()
        break
      end
      sockets[index] = holder
      first = index == 1 and select(2, holder:getsockname()) or first
    end
    if #sockets == count then
      return sockets, first
    end
    for _, holder in ipairs(sockets) do
      holder:close()
    end
  end
end

--- The port of a server that answers no more connections, because its accept queue is full, so that a further
--- `connect` stays pending.
---@return integer port
function M.unanswering_port(socket)
  local server = keep(assert(socket.tcp4()))
  assert(server:bind(IPV4.address, 0))
  assert(server:listen(0))
  local _, port = server:getsockname()
  repeat -- until the system stops answering
    local client = keep(socket.tcp4())
    client:settimeout(0.1)
    local connected = client:connect(IPV4.address, port)
  until not connected
  return port
end

--- An unconnected UDP socket bound to a port that the system chose.
---@param address string?  default 127.0.0.1
---@return table udp
---@return integer port
function M.udp(socket, address)
  local udp = keep(assert(socket.udp()))
  assert(udp:setsockname(address or IPV4.address, 0))
  local _, port = udp:getsockname()
  return udp, port
end

--- Two UDP sockets connected to each other.
---@return table a
---@return table b
function M.udp_pair(socket)
  local a, a_port = M.udp(socket)
  local b, b_port = M.udp(socket)
  assert(a:setpeername(IPV4.address, b_port))
  assert(b:setpeername(IPV4.address, a_port))
  return a, b
end

--- Sends through `sock` until the system has taken nothing for a while. It may still take a few bytes later: a
--- spec that needs a `send` to wait for sure sends `M.too_much`.
---@return integer count  bytes taken
function M.fill(sock)
  local block, total = sock:gettimeout()
  local piece, sent = ("x"):rep(65536), 0
  sock:settimeout(0.05)
  repeat
    local last, _, partial = sock:send(piece)
    sent = sent + (last or partial)
  until partial == 0
  sock:settimeout(block, "b")
  sock:settimeout(total, "t")
  return sent
end

--- Closes a socket while a task receives from it and its peer sends as fast as it can.
---@param receiver table
---@param sender table
---@param pattern string|number  what can never have come in full
---@return table received  what `receive` gives, packed; of much that was sent, most has been received
function M.close_in_a_flood(receiver, sender, pattern)
  local received, goes_on = nil, true
  run.tasks(function()
    received = M.pack(receiver:receive(pattern))
  end, function()
    local piece = ("x"):rep(100000)
    while goes_on do
      goes_on = sender:send(piece)
    end
  end, function()
    repeat
      cosock_socket.sleep(0)
    until select(2, sender:getstats()) > 30000000
    receiver:close()
  end)
  return received
end

--- `M.too_much` is more bytes than the system's buffers between two sockets ever hold. They are made when they are
--- asked for, and not kept: what a spec file has loaded stays in memory until all have run.
setmetatable(M, {
  __index = function(_, name)
    return name == "too_much" and ("0123456789abcdef"):rep(2 ^ 22) or nil
  end,
})

--- Starts another program that connects to `port`, reads a line, answers it with "<line> to you" and ends.
---
--- It is the peer for specs in which a wait outside a task ends because of what happens meanwhile.
---@param port integer
---@return file* process  to be closed by the caller
function M.program_that_answers_one_line(port)
  local script = ("exec 3<>/dev/tcp/127.0.0.1/%d; read -r line <&3; echo \"$line to you\" >&3"):format(port)
  return assert(io.popen("bash -c '" .. script .. "'"))
end

return M
