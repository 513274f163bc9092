-- The echo server in luv with bare callbacks: no coroutine, no task, the least that libuv costs in Lua.

local uv = require "luv"

-- Else a client that has gone would end the program when we answer it.
uv.new_signal():start("sigpipe", function() end)

local function serve(client)
  local rest = "" -- the start of a line that has not ended yet
  client:read_start(function(_, data)
    if not data then
      client:close()
      return
    end
    local received = rest .. data
    local whole = received:match "^.*\n" or ""
    rest = received:sub(#whole + 1)
    local sent = whole == "" and 0 or client:try_write(whole) or 0
    if sent < #whole then
      client:write(whole:sub(sent + 1)) -- libuv keeps it until the client takes it
    end
  end)
end

local server = uv.new_tcp()
assert(server:bind("127.0.0.1", 0))
assert(server:listen(1024, function(err)
  assert(not err, err)
  local client = uv.new_tcp()
  assert(server:accept(client))
  client:nodelay(true)
  serve(client)
end))

io.write(("port %d\n"):format(server:getsockname().port))
io.flush()
uv.run()
