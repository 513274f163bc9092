-- Serial lines, over pseudo-terminals, and other devices.

local cosock = require "cosock"
local serial = require "cosock.socket.serial"
local socket = require "cosock.socket"
local descriptors = require "spec.support.descriptors"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local run = require "spec.support.run"
local terminal = require "spec.support.terminal"

local pack, raised = peers.pack, peers.raised

-- Two lines with a cable between them, and that cable.
local function lines()
  local cable = terminal.pair()
  return assert(serial(cable[1])), assert(serial(cable[2])), cable
end

-- Gives the other tasks turns, so that they are in the middle of what they wait for. What a spec expects does not
-- depend on how far they come.
local function let_others_run()
  for _ = 1, 5 do
    socket.sleep(0.001)
  end
end

-- The path of a file that holds these bytes; removed by `finally`.
local function file_with(bytes)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(bytes)
  file:close()
  return path
end

describe("cosock.socket.serial", function()
  after_each(terminal.unplug_all)

  it("is a function", function()
    assert.is_function(serial)
  end)

  it("opens a line, with its methods", function()
    local line = lines()
    assert.equal("serial{client}", line.class)
    assert.matches("^serial{client}: 0x%x+$", tostring(line))
    assert.is_true(getmetatable(line)["serial{any}"])
    assert.is_true(line:getfd() >= 0)
    for _, name in ipairs {
      "close", "dirty", "getfd", "getstats", "receive", "send", "setfd", "setstats", "settimeout",
    } do
      assert.is_function(line[name])
      assert.equal(line[name], getmetatable(line).__index[name])
    end
    assert.equal(line, line.inner_sock)
    assert.is_function(line.setwaker)
  end)

  it("tells what the system says of a path, in words and as a number", function()
    assert.same({ n = 3, nil, "No such file or directory", 2 }, pack(serial "/no/such/device"))
    assert.same({ n = 3, nil, "No such file or directory", 2 }, pack(serial(5)))
    assert.same({ n = 3, nil, "No such file or directory", 2 }, pack(serial ""))
    assert.same({ n = 3, nil, "Is a directory", 21 }, pack(serial "/"))
    assert.same({ n = 3, nil, "Not a directory", 20 }, pack(serial "/dev/null/device"))
    assert.same({ n = 3, nil, "File name too long", 36 }, pack(serial("/" .. ("x"):rep(300))))
    assert.same({ n = 3, nil, "Invalid argument", 22 }, pack(serial "/dev/null\0"))
  end)

  it("raises for what is no path", function()
    for _, bad in ipairs { {}, true, print } do
      assert.equal("bad argument #1 to 'serial' (string expected, got " .. type(bad) .. ")", raised(function()
        local line = serial(bad)
        return line
      end))
    end
    assert.matches("bad argument #1 to 'serial' %(string expected, got no value%)", raised(function()
      local line = serial()
      return line
    end))
  end)

  it("leaves the settings of a line alone", function()
    local cable = terminal.pair()
    local function settings()
      local stty = assert(io.popen(("stty -a -F '%s'"):format(cable[1])))
      local text = stty:read "*a"
      stty:close()
      return text
    end
    local before = settings()
    assert.matches("speed", before, 1, true)
    local line = serial(cable[1])
    assert.equal(before, settings())
    line:close()
  end)

  it("says so when there are no more descriptors", function()
    local child = process.script_with_few_descriptors(30, [[
      local serial = require "cosock.socket.serial"
      local lines, err, code = {}
      repeat
        lines[#lines + 1], err, code = serial "/dev/null"
      until err
      print(err, code)
      lines[1]:close()
      print(serial("/dev/null").class)
    ]])
    assert.equal("Too many open files\t24\nserial{client}", (child:finish():gsub("\n$", "")))
  end)

  it("leaves no descriptor when a line is closed, collected, or cannot be opened", function()
    collectgarbage()
    collectgarbage()
    local before = descriptors.settled()
    for _ = 1, 50 do
      serial("/dev/null"):close()
      assert(serial "/dev/null")
      serial "/no/such/device"
    end
    collectgarbage()
    collectgarbage()
    assert.equal(before, descriptors.count())
  end)
end)

for place, it in peers.inside_and_outside(it) do
  describe("a serial line " .. place, function()
    after_each(terminal.unplug_all)

    it("carries bytes both ways", function()
      local near, far = lines()
      assert.same({ n = 3, 6, nil, nil }, pack(near:send "ping\r\n"))
      assert.same({ n = 3, "ping", nil, nil }, pack(far:receive()))
      assert.same({ n = 3, 4, nil, nil }, pack(far:send("[pong]", 2, 4)))
      assert.same({ n = 3, 4, nil, nil }, pack(far:send "g\n\0\255"))
      assert.same({ n = 3, ">pong", nil, nil }, pack(near:receive("*l", ">")))
      assert.same({ n = 3, "\0\255", nil, nil }, pack(near:receive(2)))
    end)

    it("keeps what was not asked for", function()
      local near, far = lines()
      near:send "one\ntwo\n"
      assert.equal("one", (far:receive()))
      assert.equal("tw", (far:receive(2)))
      assert.equal("o", (far:receive()))
      assert.is_false(far:dirty())
    end)

    it("counts", function()
      local near, far = lines()
      near:send "one\n"
      far:receive()
      local received, sent = far:getstats()
      assert.same({ 4, 0 }, { received, sent })
      received, sent = near:getstats()
      assert.same({ 0, 4 }, { received, sent })
      assert.same({ n = 1, 1 }, pack(near:setstats(7, 8)))
      received, sent = near:getstats()
      assert.same({ 7, 8 }, { received, sent })
    end)

    it("runs out of time, and hands over what has come", function()
      local near, far = lines()
      near:send "part"
      assert.equal("p", (far:receive(1))) -- now it is on this side
      far:settimeout(0.05)
      local seconds = peers.seconds(function()
        assert.same({ n = 3, nil, "timeout", "art" }, pack(far:receive()))
      end)
      assert.is_true(seconds >= 0.045)
      far:settimeout(0)
      assert.same({ n = 3, nil, "timeout", "" }, pack(far:receive()))
      near:settimeout(0.02)
      local last, err, sent = near:send(peers.too_much) -- the other end does not read
      assert.same({ nil, "timeout" }, { last, err })
      assert.is_true(sent > 0 and sent < #peers.too_much)
    end)

    it("is closed when it hangs up", function()
      local near, far, cable = lines()
      near:send "x"
      assert.equal("x", (far:receive(1)))
      cable:unplug()
      assert.same({ n = 3, nil, "closed", "" }, pack(far:receive()))
      assert.same({ n = 3, nil, "closed", "" }, pack(far:receive "*a"))
      assert.same({ n = 3, nil, "Input/output error", 0 }, pack(far:send "x"))
      assert.same({ n = 1, 1 }, pack(far:close()))
    end)

    it("answers when it is closed", function()
      local near, far = lines()
      near:send "one\ntwo\n"
      assert.equal("one", (far:receive()))
      assert.same({ n = 1, 1 }, pack(far:close()))
      assert.same({ n = 1, 1 }, pack(far:close()))
      assert.equal(-1, far:getfd())
      assert.same({ n = 3, nil, "closed", "" }, pack(far:receive()))
      assert.same({ n = 3, nil, "closed", 1 }, pack(far:send("xyz", 2)))
    end)
  end)

  describe("a device " .. place, function()
    after_each(terminal.unplug_all)

    it("may be a file, which is never waited for", function()
      local bytes = "line\n" .. ("x"):rep(100000) .. "\nrest"
      local path = file_with(bytes)
      finally(function() os.remove(path) end)
      local file = serial(path)
      file:settimeout(5)
      assert.equal("line", (file:receive()))
      assert.equal(100000, #(file:receive()))
      assert.same({ n = 3, "rest", nil, nil }, pack(file:receive "*a"))
      assert.same({ n = 3, nil, "closed", "" }, pack(file:receive()))
      assert.equal(5, (file:send "added"))
    end)

    it("may be one that gives nothing or takes nothing", function()
      local null, full = serial "/dev/null", serial "/dev/full"
      assert.same({ n = 3, nil, "closed", "" }, pack(null:receive()))
      assert.same({ n = 3, 100000, nil, nil }, pack(null:send(("x"):rep(100000))))
      assert.same({ n = 3, nil, "No space left on device", 0 }, pack(full:send "x"))
      assert.equal(("\0"):rep(100000), (full:receive(100000)))
    end)

    it("may be a pipe with a name", function()
      local path = os.tmpname()
      os.remove(path)
      assert(os.execute(("mkfifo '%s'"):format(path)))
      finally(function() os.remove(path) end)
      local pipe = serial(path)
      pipe:settimeout(0)
      assert.same({ n = 3, nil, "timeout", "" }, pack(pipe:receive()))
      pipe:send "to myself\n"
      assert.equal("to myself", (pipe:receive()))
      local last, err, sent = pipe:send(peers.too_much)
      assert.same({ nil, "timeout" }, { last, err })
      pipe:settimeout(5)
      assert.equal(peers.too_much:sub(1, sent), (pipe:receive(sent)))
    end)
  end)
end

describe("tasks with serial lines", function()
  after_each(terminal.unplug_all)

  it("wait for each other, and more goes through than the system holds", function()
    local near, far = lines()
    local data = ("0123456789abcde\n"):rep(20000)
    local sent, received, answer
    run.tasks(function()
      sent = pack(near:send(data))
      answer = near:receive()
    end, function()
      received = far:receive(#data)
      far:send "thank you\n"
    end)
    assert.same({ n = 3, #data, nil, nil }, sent)
    assert.is_true(received == data)
    assert.equal("thank you", answer)
  end)

  it("send whole messages on one line and receive in turn", function()
    local near, far = lines()
    local received, texts = {}, { ("a"):rep(20000), ("b"):rep(20000), ("c"):rep(20000) }
    local functions = {}
    for index, text in ipairs(texts) do
      functions[#functions + 1] = function()
        assert(near:send(text .. "\n"))
      end
      functions[#functions + 1] = function()
        received[index] = far:receive()
      end
    end
    run.tasks((table.unpack or unpack)(functions)) -- luacheck: ignore 143
    assert.same(texts, received)
  end)

  it("talk over ten cables, twenty at once", function()
    local answered = 0
    run.task(function()
      for index = 1, 10 do
        local near, far = lines()
        cosock.spawn(function()
          for round = 1, 10 do
            far:send(far:receive() .. " to you\n")
            assert.is_true(round > 0)
          end
        end)
        cosock.spawn(function()
          for round = 1, 10 do
            local text = index .. " says " .. round
            near:send(text .. "\n")
            assert.equal(text .. " to you", (near:receive()))
            answered = answered + 1
          end
        end)
      end
    end)
    assert.equal(100, answered)
  end)

  it("are woken when their line is closed", function()
    local near, far = lines()
    local unread = lines()
    near:send "part"
    local results, last, err = {}, nil, nil
    run.tasks(function()
      results[1] = pack(far:receive())
    end, function()
      results[2] = pack(far:receive())
    end, function()
      last, err = unread:send(peers.too_much)
    end, function()
      repeat -- until the first has what was sent
        socket.sleep(0.001)
      until far:dirty()
      let_others_run()
      far:close()
      unread:close()
    end)
    assert.same({ n = 3, nil, "closed", "part" }, results[1])
    assert.same({ n = 3, nil, "closed", "" }, results[2])
    assert.same({ nil, "closed" }, { last, err })
  end)

  it("are woken when their line hangs up", function()
    local _, far, cable = lines()
    local result
    run.tasks(function()
      result = pack(far:receive())
    end, function()
      let_others_run()
      cable:unplug()
    end)
    assert.same({ n = 3, nil, "closed", "" }, result)
  end)

  it("can be cancelled, and lose no byte for the next", function()
    local near, far = lines()
    local line
    run.task(function()
      local reader = cosock.spawn(function()
        far:receive()
      end)
      near:send "first half, "
      socket.select({ far }, nil, 10)
      let_others_run()
      reader:cancel()
      near:send "second half\n"
      line = far:receive()
    end)
    assert.equal("first half, second half", line)
  end)

  it("select among lines and sockets", function()
    local near, far = lines()
    local udp = peers.udp(socket)
    local ready, writable
    run.tasks(function()
      ready = socket.select({ udp, far }, nil, 10)
      writable = select(2, socket.select(nil, { near }, 10))
      assert.same({ n = 3, nil, nil, "timeout" }, pack(socket.select({ udp, near }, nil, 0.01)))
    end, function()
      let_others_run()
      near:send "x"
    end)
    assert.same({ far }, ready)
    assert.same({ near }, writable)
  end)
end)
