-- The programs with which cosock introduces itself: a client, a server, and both in one. They run for
-- ever; a spec reads some lines of each and stops it.

local process = require "spec.support.process"

-- Makes sure that no program gets at LuaSocket, should it be installed.
local WITHOUT_LUASOCKET = [[
package.preload["socket"] = function() error "LuaSocket was asked for" end
package.preload["socket.core"] = package.preload["socket"]
]]

-- The two LuaSocket programs, with `cosock.socket` in place of `socket`. The server takes any free port
-- and the client is told which; nothing else is changed.
local SERVER = [[
local socket = require "cosock.socket"
local server = socket.tcp()
server:bind("0.0.0.0", 0)
server:listen()
print("listening", server:getsockname())
local client = server:accept()
while true do
  local request = assert(client:receive())
  assert(request == "ping")
  print("sending pong")
  client:send("pong\n")
end
]]

local CLIENT = [[
local socket = require "cosock.socket"
local client = socket.tcp()
client:connect("0.0.0.0", ...)
while true do
  print("sending ping")
  client:send("ping\n")
  local response = assert(client:receive())
  assert(response == "pong")
end
]]

local CLIENT_SERVER = [[
local cosock = require "cosock"
local socket = require "cosock.socket"
local ip = "0.0.0.0"
local server = socket.tcp()
local port_tx, port_rx = cosock.channel.new()

cosock.spawn(function()
  server:bind(ip, 0)
  local _ip, p = server:getsockname()
  port_tx:send(p)
  server:listen()
  local client = server:accept()
  while true do
    local request = assert(client:receive())
    print(string.format("received %q", request))
    assert(request == "ping")
    print("sending pong")
    client:send("pong\n")
  end
end, "server task")

cosock.spawn(function()
  local port = assert(port_rx:receive())
  local client = socket.tcp()
  client:connect(ip, port)
  while true do
    print("sending ping")
    client:send("ping\n")
    local request = assert(client:receive())
    assert(request == "pong")
  end
end, "client task")

cosock.run()
]]

local function outside_a_task(program)
  return WITHOUT_LUASOCKET .. program
end

local function inside_a_task(program)
  return ("%slocal cosock = require 'cosock' cosock.spawn(function(...) %s end, 'program', ...) cosock.run()"):format(
    WITHOUT_LUASOCKET,
    program
  )
end

describe("the introduction's", function()
  after_each(process.stop_all)

  for place, wrap in pairs { ["outside a task"] = outside_a_task, ["inside a task"] = inside_a_task } do
    it("client and server talk to each other for as long as they live, " .. place, function()
      local server = process.script(wrap(SERVER))
      local port = server:expect "^listening\t0%.0%.0%.0\t(%d+)"
      local client = process.script(wrap(CLIENT), port)
      for _ = 1, 20 do
        assert.equal("sending ping", client:line())
        assert.equal("sending pong", server:line())
      end
    end)
  end

  it("client and server in one program take turns", function()
    local program = process.script(outside_a_task(CLIENT_SERVER))
    for _ = 1, 20 do
      assert.equal("sending ping", program:line())
      assert.equal('received "ping"', program:line())
      assert.equal("sending pong", program:line())
    end
  end)
end)
