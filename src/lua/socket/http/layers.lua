--- What lies between TCP and HTTP. A function that makes sockets with TLS, as `cosock.ssl.https` has them, is known
--- here: then the connection itself takes each step to such a socket, within its own limits of time, and the
--- socket is one without anything around it.

--- How to secure a TCP connection.
---@class cosock.HttpLayer
---@field parameters table  all that is asked of it; what is asked the same has the same protection. Never changes.
---@field prepare fun(self): true?, string?  before there is a connection
---@field wrap fun(self, sock: any, host: string): any, string?  takes over a TCP connection to a host
---@field shake_hands fun(self, connection: any, host: string): true?, string?

---@type table<function, cosock.HttpLayer>
local known = setmetatable({}, { __mode = "kv" })

local M = {}

--- Makes a function known.
---@param create function  makes sockets
---@param layer cosock.HttpLayer  must be kept alive by the function
function M.define(create, layer)
  known[create] = layer
end

--- The layer that a function's sockets have, if that is known.
---@param create function?
---@return cosock.HttpLayer?
function M.of(create)
  return create and known[create]
end

return M
