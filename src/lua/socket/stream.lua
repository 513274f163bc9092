--- Sources and sinks of data that read from and write to stream sockets.

local M = {}

--- How much a source reads at a time, in bytes.
M.BLOCKSIZE = 2048

--- The kinds of source, by name.
---@type table<string, fun(sock: any, ...): table>
M.sourcet = {}
--- The kinds of sink, by name.
---@type table<string, fun(sock: any, ...): table>
M.sinkt = {}

--- What has fields. Whatever else a program takes for a socket fails when it is used, as with LuaSocket.
local HAS_FIELDS = { table = true, userdata = true }

--- A callable that `select` accepts in place of its socket.
---@param sock any
---@param call fun(self: table, ...): ...
---@return table
function M.around(sock, call)
  return setmetatable({
    getfd = function()
      return sock:getfd()
    end,
    dirty = function()
      return sock:dirty()
    end,
    inner_sock = HAS_FIELDS[type(sock)] and sock.inner_sock or nil,
  }, { __call = call })
end

local around = M.around

--- Closes the socket after the last chunk.
M.sinkt["close-when-done"] = function(sock)
  return around(sock, function(_, chunk)
    if chunk then
      return sock:send(chunk)
    end
    sock:close()
    return 1
  end)
end

--- Leaves the socket open after the last chunk.
M.sinkt["keep-open"] = function(sock)
  return around(sock, function(_, chunk)
    if chunk then
      return sock:send(chunk)
    end
    return 1
  end)
end

M.sinkt["default"] = M.sinkt["keep-open"]

--- Reads so many bytes.
M.sourcet["by-length"] = function(sock, length)
  return around(sock, function()
    if length <= 0 then
      return nil
    end
    local chunk, err = sock:receive(math.min(M.socket.BLOCKSIZE, length))
    if err then
      return nil, err
    end
    length = length - #chunk
    return chunk
  end)
end

--- Reads until the peer closes, then closes too.
M.sourcet["until-closed"] = function(sock)
  local done = false
  return around(sock, function()
    if done then
      return nil
    end
    local chunk, err, partial = sock:receive(M.socket.BLOCKSIZE)
    if not err then
      return chunk
    elseif err == "closed" then
      sock:close()
      done = true
      return partial
    end
    return nil, err
  end)
end

M.sourcet["default"] = M.sourcet["until-closed"]

--- Makes a function that picks an entry of `tab` by name and calls it with what follows. Without a
--- name it picks "default".
---
--- That function raises `unknown key (name)` if there is no such entry.
---@param tab table<string, function>
---@return fun(name: string, ...): any
function M.choose(tab)
  return function(name, first, second)
    if type(name) ~= "string" then
      name, first, second = "default", name, first
    end
    local entry = tab[name or "nil"]
    if not entry then
      error("unknown key (" .. tostring(name) .. ")", 3)
    end
    return entry(first, second)
  end
end

return M
