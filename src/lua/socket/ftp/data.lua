--- Data connections of FTP: the client connects to where the server listens (passive mode), or the server to where
--- the client does (active mode). What both tell each other about it is read and written here.

local require, native = ...

local socket = require "cosock.socket"

local clock = native.task.clock

local M = {}

--- Where a reply to PASV says that the server listens: six numbers, of the address and of the port.
---@param reply string
---@return string? host
---@return integer? port
function M.parse_pasv(reply)
  local number = "(%d%d?%d?)"
  local numbers = { reply:match("%f[%d]" .. number .. ("," .. number):rep(5)) }
  if not numbers[1] then
    return nil
  end
  for index, digits in ipairs(numbers) do
    numbers[index] = tonumber(digits)
    if numbers[index] > 255 then
      return nil
    end
  end
  local port = numbers[5] * 256 + numbers[6]
  if port == 0 then
    return nil
  end
  return table.concat(numbers, ".", 1, 4), port
end

--- The port on which a reply to EPSV says that the server listens: `(|||port|)`. Any character may stand for the
--- bars, and there may be an address, which is the server's own.
---@param reply string
---@return integer? port
function M.parse_epsv(reply)
  local _, digits = reply:match "%((%p)%d?%1[%x.:]*%1(%d+)%1%)"
  local port = tonumber(digits)
  if port and port > 0 and port < 65536 then
    return port
  end
end

--- The argument of PORT.
---@param host string  an IPv4 address
---@param port integer
---@return string? argument  nil if the address is of another kind
function M.port_argument(host, port)
  local a, b, c, d = host:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$"
  if not a then
    return nil
  end
  return ("%d,%d,%d,%d,%d,%d"):format(a, b, c, d, math.floor(port / 256), port % 256)
end

--- The argument of EPRT.
---@param family? integer|string  1 for IPv4, 2 for IPv6; by the address if nil
---@param host string
---@param port integer
---@return string argument
function M.eprt_argument(family, host, port)
  family = family or (host:find(":", 1, true) and 2 or 1)
  return ("|%s|%s|%d|"):format(family, host, port)
end

--- Connects to where the server listens.
---@param host string
---@param port integer
---@param timeout number?  in seconds
---@return any connection
---@return string? error
function M.connect(host, port, timeout)
  local connection, err = socket.tcp()
  if not connection then
    return nil, err
  end
  connection:settimeout(timeout)
  local connected
  connected, err = connection:connect(host, port)
  if not connected then
    connection:close()
    return nil, err
  end
  return connection
end

--- Waits until the server connects. Connections from elsewhere are closed.
---@param server any  listens
---@param host string?  where the server is to connect from; anywhere if nil
---@param timeout number?  in seconds
---@return any connection
---@return string? error
function M.accept(server, host, timeout)
  local seconds = tonumber(timeout)
  local deadline = seconds and seconds >= 0 and clock() + seconds
  while true do
    server:settimeout(deadline and math.max(deadline - clock(), 0) or timeout)
    local connection, err = server:accept()
    if not connection then
      return nil, err
    elseif not host or connection:getpeername() == host then
      connection:settimeout(timeout)
      return connection
    end
    connection:close()
  end
end

return M
