-- Serial lines and other devices: `cosock.socket.serial` does what LuaSocket's `socket.serial` does.

local oracle = require "spec.support.oracle"
local stream_scenarios = require "spec.support.stream_scenarios"
local terminal = require "spec.support.terminal"

local path = os.tmpname()

-- A device that gives these bytes and then ends: a file does. Nobody is at its other end.
local function file_with(serial, bytes)
  local file = assert(io.open(path, "w"))
  file:write(bytes)
  file:close()
  return assert(serial(path)), { close = function() end }
end

local function lines(serial)
  local cable = terminal.pair()
  return assert(serial(cable[1])), assert(serial(cable[2])), cable
end

local function opening(serial, record)
  for _, argument in ipairs {
    "/no/such/device", "", "/", "/dev/null/device", 5, true, {}, print, ("/x"):rep(3000), "/dev/null",
  } do
    record:detached({ serial = serial }, "serial", argument)
  end
  record:detached({ serial = serial }, "serial")
  record:detached({ serial = serial }, "serial", nil)
end

local function wrong_arguments(build)
  return function(serial, record)
    local line, other, cable = build(serial)
    for _, call in ipairs {
      { "receive", "*x" }, { "receive", -1 }, { "receive", {} }, { "receive", "*l", {} }, { "send" }, { "send", {} },
      { "send", "abc", "x" }, { "settimeout", "x" }, { "settimeout", 0, "x" }, { "settimeout", 0, "total" },
      { "settimeout", 0 }, { "setstats", "x" }, { "setstats", 1, 2, "x" }, { "setfd" }, { "setfd", {} },
      { "getstats", 1 }, { "dirty", 1 }, { "getfd", 1 }, { "receive", 0 }, { "receive" }, { "receive" },
      { "gettimeout" }, { "getsockname" }, { "setoption", "keepalive", true }, { "shutdown" }, { "send", "" },
      { "send", "abc", 3, 2 }, { "send", "abc", 9 },
    } do
      record:method(line, call[1], call[2], call[3], call[4])
    end
    for _, name in ipairs { "receive", "send", "getstats", "setstats", "close", "settimeout", "getfd", "dirty" } do
      record:detached(line, name, {})
      record:detached(line, name)
    end
    record:method(line, "close")
    record:method(line, "close")
    record:method(line, "getfd")
    record:method(line, "receive")
    record:method(line, "send", "xyz", 2)
    record:method(line, "dirty")
    record:method(line, "getstats")
    other:close()
    if cable then
      cable:unplug()
    end
  end
end

local function conversation(serial, record)
  local near, far, cable = lines(serial)
  record:method(near, "send", "one\r\ntwo\n")
  record:method(far, "receive")
  record:method(far, "receive", 2)
  record:method(far, "receive", "*l", "a prefix ")
  record:method(far, "send", "answer\n", 3)
  record:method(near, "receive")
  record:method(near, "getstats")
  record:method(far, "getstats")
  far:settimeout(0.02)
  record:method(far, "receive")
  record:method(far, "receive", "*a")
  record:method(far, "receive", 0)
  record:method(near, "send", "x")
  far:settimeout(5)
  record:method(far, "receive", 0)
  record:method(far, "dirty")
  far:settimeout(0)
  record:method(far, "receive", 3)
  cable:unplug()
  record:method(far, "receive")
  record:method(far, "send", "x")
  record:method(far, "receive", "*a")
  near:close()
  far:close()
end

local function special_devices(serial, record)
  for _, name in ipairs { "/dev/null", "/dev/full", "/dev/zero" } do
    local device = serial(name)
    record:method(device, "receive", 3)
    record:method(device, "send", "abc")
    record:method(device, "getstats")
    device:close()
  end
end

local function same_as_luasocket(title, scenario)
  it(title, function()
    assert.equal("", oracle.differences(scenario, "socket.serial"))
  end)
end

if oracle.available("socket.serial") then
  describe("as with LuaSocket, a serial line", function()
    teardown(function() os.remove(path) end)
    after_each(terminal.unplug_all)

    same_as_luasocket("is opened or not", opening)
    same_as_luasocket("answers any arguments", wrong_arguments(lines))
    same_as_luasocket("answers any arguments when it is a file", wrong_arguments(function(serial)
      return file_with(serial, "line\nand more")
    end))
    same_as_luasocket("carries a conversation", conversation)
    same_as_luasocket("may be a special device", special_devices)
    for _, scenario in ipairs(stream_scenarios.receiving(file_with)) do
      same_as_luasocket(scenario[1], scenario[2])
    end
  end)
else
  it("has no LuaSocket here to compare serial lines with", function() end)
end
