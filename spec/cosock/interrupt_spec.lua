-- Signals: Ctrl-C ends a program that waits, as it ends any Lua program; SIGPIPE ends none.

local process = require "spec.support.process"

describe("SIGINT", function()
  after_each(process.stop_all)

  --- Starts a program, waits until it sleeps, sends it one SIGINT and returns what became of it.
  local function interrupt(program)
    local child = process.script(program)
    child:expect "^ready$"
    child:sleeps()
    child:signal "INT"
    return child:finish()
  end

  local function ends_interrupted(program)
    local output, status = interrupt(program)
    assert.matches("interrupted!", output, 1, true)
    assert.matches("stack traceback:", output, 1, true)
    assert.equal(1, status, output)
  end

  it("ends a run in which a task sleeps", function()
    ends_interrupted [[
      local cosock = require "cosock"
      cosock.spawn(function()
        print "ready"
        cosock.socket.sleep(1000)
      end, "sleeper")
      cosock.run()
    ]]
  end)

  it("ends a run in which a task waits in accept", function()
    ends_interrupted [[
      local cosock = require "cosock"
      cosock.spawn(function()
        local server = assert(cosock.socket.bind("127.0.0.1", 0))
        print "ready"
        server:accept()
      end, "server")
      cosock.run()
    ]]
  end)

  it("ends a run although an error handler is set", function()
    ends_interrupted [[
      local cosock = require "cosock"
      cosock.set_error_handler(function() print "handled" end)
      cosock.spawn(function()
        print "ready"
        cosock.socket.sleep(1000)
      end)
      cosock.run()
    ]]
  end)

  it("ends an accept outside a task", function()
    ends_interrupted [[
      local socket = require "cosock.socket"
      local server = assert(socket.bind("127.0.0.1", 0))
      print "ready"
      server:accept()
    ]]
  end)

  it("ends a receive outside a task", function()
    ends_interrupted [[
      local socket = require "cosock.socket"
      local server = assert(socket.bind("127.0.0.1", 0))
      local _, port = server:getsockname()
      local client = assert(socket.connect("127.0.0.1", port))
      print "ready"
      client:receive()
    ]]
  end)

  it("ends a run that is busy", function()
    local child = process.script [[
      local cosock = require "cosock"
      local tx, rx = cosock.channel.new()
      cosock.spawn(function()
        print "ready"
        while true do
          tx:send(true)
          rx:receive()
        end
      end)
      cosock.run()
    ]]
    child:expect "^ready$"
    child:signal "INT"
    local output, status = child:finish()
    assert.matches("interrupted!", output, 1, true)
    assert.equal(1, status, output)
  end)

  it("leaves a runtime that can go on", function()
    local child = process.script [[
      local cosock = require "cosock"
      local tx, rx = cosock.channel.new()
      cosock.spawn(function()
        print(rx:receive())
      end, "waits for the message")
      cosock.spawn(function()
        print "ready"
        cosock.socket.select({ rx }, nil, 1000)
      end, "waits long")
      local ok, err = pcall(cosock.run)
      print(ok, err)
      tx:send "message"
      cosock.run()
      print "done"
    ]]
    child:expect "^ready$"
    child:sleeps()
    child:signal "INT"
    local output, status = child:finish()
    assert.matches("false\t.*interrupted!", output)
    assert.matches("message\ndone", output, 1, true)
    assert.equal(0, status, output)
  end)
end)

describe("a peer that closes", function()
  after_each(process.stop_all)

  --- The program sends until it is told that it cannot, which takes some sends: only the first answer
  --- of the peer's system tells that nobody receives any more. SIGPIPE would end it instead.
  local SENDS = [[
    local cosock = require "cosock"
    local socket = cosock.socket
    local function sends()
      local server = assert(socket.bind("127.0.0.1", 0))
      local _, port = server:getsockname()
      local client = assert(socket.connect("127.0.0.1", port))
      server:accept():close()
      local sent, err
      repeat
        sent, err = client:send(("x"):rep(10000))
      until not sent
      print(err)
      for _ = 1, 10 do
        print((select(2, client:send "again")))
      end
      print "still here"
    end
  ]]

  for place, start in pairs {
    ["inside a task"] = "cosock.spawn(sends) cosock.run()",
    ["outside a task"] = "sends()",
  } do
    it("makes sends fail and does not end the program, " .. place, function()
      local output, status = process.script(SENDS .. start):finish()
      assert.matches("^closed\n" .. ("closed\n"):rep(10) .. "still here", output)
      assert.equal(0, status)
    end)
  end
end)
