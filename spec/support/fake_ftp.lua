--- FTP servers that are none: fake sockets for the control connection and for the data connections, which are made by
--- `socket.tcp`.

local FakeSocket = require "spec.support.fake_socket"

local M = {}

--- What a fake server is told: as a fake socket, and besides:
---@class FakeFtpOptions : FakeSocketOptions
---@field data? FakeSocketOptions  for the data connections
---@field plain? boolean  whether the control connection is made by `socket.tcp` too, and not by `create`

--- Calls `fn` with a function that makes the control connection, while `socket.tcp` makes fake data connections.
---@param socket table  the module's own table `socket`
---@param options FakeFtpOptions
---@param fn fun(create: function): ...
---@return table server  `{log, control, data = array of fake sockets}`
---@return any ...  what `fn` returned
function M.serve(socket, options, fn)
  local server = { log = {}, data = {} }
  options.log, options.name = server.log, "control"
  server.control = FakeSocket.new(options)
  local rest = options.plain and 1 or 0
  local original = socket.tcp

  function socket.tcp()
    if rest > 0 then
      rest = rest - 1
      return server.control.create()
    end
    local data = {}
    for name, value in pairs(options.data or {}) do
      data[name] = value
    end
    data.log, data.name = server.log, "data"
    local fake = FakeSocket.new(data)
    server.data[#server.data + 1] = fake
    return fake.create()
  end

  local function settle(ok, ...)
    socket.tcp = original
    if not ok then
      error((...), 0)
    end
    return server, ...
  end
  return settle(pcall(fn, server.control.create))
end

return M
