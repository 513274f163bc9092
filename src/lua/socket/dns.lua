--- Name resolution. In a task, others run meanwhile.

local require, native = ...

local waiting = require "cosock.waiting"

local attempt = waiting.attempt
local dns = native.dns

local M = {}

--- All addresses of a host.
---@param host string
---@return {family: "inet"|"inet6", addr: string}[]?
---@return string? error
M.getaddrinfo = waiting.method(dns.getaddrinfo)

--- The names of every address of a host, and the name of a service.
---
--- Raises if both are nil.
---@param host? string
---@param service? string|integer
---@return string[]? names
---@return string? service  if one was given; or the error
function M.getnameinfo(host, service)
  local names, name = attempt(dns.getnameinfo, host, service)
  if name == nil then
    return names
  end
  return names, name
end

--- What `toip` and `tohostname` know about a host: IPv4 only.
---@class cosock.HostInfo
---@field name string  the canonical name
---@field alias string[]
---@field ip string[]

--- The first IPv4 address of a host.
---@param host string
---@return string? address
---@return cosock.HostInfo|string info  or the error
function M.toip(host)
  local address, info = attempt(dns.toip, host)
  return address, info
end

--- The canonical name of a host.
---@param address string  an address, or a name
---@return string? name
---@return cosock.HostInfo|string info  or the error
function M.tohostname(address)
  local name, info = attempt(dns.tohostname, address)
  return name, info
end

--- This host's own name.
---@return string? name
---@return string? error
M.gethostname = dns.gethostname

return M
