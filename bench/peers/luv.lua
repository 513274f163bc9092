-- The echo server in luv, one coroutine a client: what a program in the style of cosock looks like on libuv.

local uv = require "luv"

-- Else a client that has gone would end the program when we answer it.
uv.new_signal():start("sigpipe", function() end)

local Client = {}
Client.__index = Client

-- Wakes the coroutine that waits for this client, if one does.
function Client:wake()
  local waiting = self.waiting
  self.waiting = nil
  if waiting then
    assert(coroutine.resume(waiting))
  end
end

function Client:wait()
  self.waiting = coroutine.running()
  coroutine.yield()
end

function Client:start()
  self.handle:read_start(function(_, data)
    if data then
      self.unread = self.unread:sub(self.position) .. data
      self.position = 1
    else
      self.ended = true
    end
    self:wake()
  end)
end

-- The next line without its newline, or nil when there is none to come.
function Client:receive()
  local newline = self.unread:find("\n", self.position, true)
  while not newline do
    if self.ended then
      return nil
    end
    self:wait()
    newline = self.unread:find("\n", self.position, true)
  end
  local line = self.unread:sub(self.position, newline - 1)
  self.position = newline + 1
  return line
end

-- Whether everything was sent.
function Client:send(data)
  local sent = self.handle:try_write(data)
  if sent == #data then
    return true
  end
  local failed, done
  local request = self.handle:write(data:sub((sent or 0) + 1), function(err)
    failed, done = err, true
    self:wake()
  end)
  while request and not done do
    self:wait()
  end
  return request and not failed
end

local function serve(client)
  client:start()
  local line = client:receive()
  while line and client:send(line .. "\n") do
    line = client:receive()
  end
  client.handle:close()
end

local server = uv.new_tcp()
assert(server:bind("127.0.0.1", 0))
assert(server:listen(1024, function(err)
  assert(not err, err)
  local handle = uv.new_tcp()
  assert(server:accept(handle))
  handle:nodelay(true)
  local client = setmetatable({ handle = handle, unread = "", position = 1 }, Client)
  coroutine.wrap(serve)(client)
end))

io.write(("port %d\n"):format(server:getsockname().port))
io.flush()
uv.run()
