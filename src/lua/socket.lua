--- LuaSocket's functions, waiting in the task.

local require, native = ...

local dns = require "cosock.socket.dns"
local exception = require "cosock.socket.exception"
local exhaustion = require "cosock.socket.exhaustion"
local select_module = require "cosock.socket.select"
local stream = require "cosock.socket.stream"
require "cosock.socket.tcp" -- these two give the objects their methods
require "cosock.socket.udp"

---@class cosock.socket
local M = {
  _VERSION = "LuaSocket 3.1.0",
  _SETSIZE = native.task.descriptor_limit(),
  _DATAGRAMSIZE = native.datagram_size,
  _SOCKETINVALID = -1,
  BLOCKSIZE = stream.BLOCKSIZE,
  choose = stream.choose,
  dns = dns,
  gettime = native.task.wall_clock,
  newtry = exception.newtry,
  protect = exception.protect,
  select = select_module.select,
  sinkt = stream.sinkt,
  sleep = select_module.sleep,
  source = stream.choose(stream.sourcet),
  sink = stream.choose(stream.sinkt),
  sourcet = stream.sourcet,
  tcp4 = exhaustion.opener(native.tcp.tcp4),
  tcp6 = exhaustion.opener(native.tcp.tcp6),
  try = exception.newtry(),
  udp4 = exhaustion.opener(native.udp.udp4),
  udp6 = exhaustion.opener(native.udp.udp6),
}
stream.socket = M

--- Makes a TCP object that has no descriptor yet: its first address decides the family.
---@return cosock.Tcp
M.tcp = native.tcp.tcp

--- Makes a UDP object that has no descriptor yet: its first address decides the family.
---@return cosock.Udp
M.udp = native.udp.udp

--- Does nothing; LuaSocket has it.
function M.__unload() end

--- The arguments after the first `count`.
---@param count integer
---@param ... any
---@return any ...
function M.skip(count, ...)
  local number = tonumber(count)
  if not number then
    error(("bad argument #1 to 'skip' (number expected, got %s)"):format(type(count)), 2)
  elseif number ~= math.floor(number) then
    error("bad argument #1 to 'skip' (number has no integer representation)", 2)
  end
  if number < 0 then
    -- As LuaSocket: -1 is everything with the count itself.
    return count, ...
  end
  return select(number + 1, ...)
end

--- The makers of objects by family.
local FAMILIES = { unspec = "tcp", inet = "tcp4", inet6 = "tcp6" }

--- Raises if an argument of a function that connects is neither a string nor a number.
local function check(name, address, port, local_address, local_port)
  local arguments = { address, port, local_address, local_port }
  for position = 1, 4 do
    local kind = type(arguments[position])
    local is_missing = kind == "nil" and position > 2
    if kind ~= "string" and kind ~= "number" and not is_missing then
      error(("bad argument #%d to '%s' (string expected, got %s)"):format(position, name, kind), 3)
    end
  end
end

--- A connected client.
local function connect(make, address, port, local_address, local_port)
  local sock, err = M[make]()
  if not sock then
    return nil, err
  end
  if local_address then
    local bound
    bound, err = sock:bind(local_address, local_port or 0)
    if not bound then
      sock:close()
      return nil, err
    end
  end
  local connected
  connected, err = sock:connect(address, port)
  if not connected then
    sock:close()
    return nil, err
  end
  return sock
end

--- Connects to a peer.
---
--- Raises if `family` is none.
---@param address string
---@param port integer|string
---@param local_address? string  to bind to first
---@param local_port? integer|string
---@param family? "unspec"|"inet"|"inet6"
---@return cosock.Tcp? client
---@return string? error
function M.connect(address, port, local_address, local_port, family)
  check("connect", address, port, local_address, local_port)
  local make = FAMILIES[family or "unspec"]
  if not make then
    error(("bad argument #5 to 'connect' (invalid option '%s')"):format(tostring(family)), 2)
  end
  return connect(make, address, port, local_address, local_port)
end

--- Connects to a peer over IPv4.
---@param address string
---@param port integer|string
---@param local_address? string  to bind to first
---@param local_port? integer|string
---@return cosock.Tcp? client
---@return string? error
function M.connect4(address, port, local_address, local_port)
  check("connect", address, port, local_address, local_port)
  return connect("tcp4", address, port, local_address, local_port)
end

--- Connects to a peer over IPv6.
---@param address string
---@param port integer|string
---@param local_address? string  to bind to first
---@param local_port? integer|string
---@return cosock.Tcp? client
---@return string? error
function M.connect6(address, port, local_address, local_port)
  check("connect", address, port, local_address, local_port)
  return connect("tcp6", address, port, local_address, local_port)
end

--- Binds to the first of a host's addresses that allows it, and listens.
---@param host string  a name or address; "*" for every interface of IPv4
---@param port integer|string
---@param backlog? integer  how many connections may wait to be accepted (32)
---@return cosock.Tcp? server
---@return string? error
function M.bind(host, port, backlog)
  check("getaddrinfo", host, "") -- as LuaSocket names it
  check("bind", host, port)
  if host == "*" then
    host = "0.0.0.0"
  end
  local addresses, err = dns.getaddrinfo(host)
  if not addresses then
    return nil, err
  end
  err = "no info on address"
  for _, found in ipairs(addresses) do
    local sock, ok
    sock, err = M[FAMILIES[found.family]]()
    if not sock then
      return nil, err
    end
    sock:setoption("reuseaddr", true)
    ok, err = sock:bind(found.addr, port)
    if ok then
      ok, err = sock:listen(backlog)
    end
    if ok then
      return sock
    end
    sock:close()
  end
  return nil, err
end

return M
