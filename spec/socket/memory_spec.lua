-- Answers for which there is no memory, and long ones for which there is.

local peers = require "spec.support.peers"
local process = require "spec.support.process"
local run = require "spec.support.run"
local socket = require "cosock.socket"

local MIB = 1024 * 1024

-- Makes garbage whose collection calls `fn`.
local function with_finalizer(fn)
  local newproxy = rawget(_G, "newproxy")
  if newproxy then
    getmetatable(newproxy(true)).__gc = fn
  else
    setmetatable({}, { __gc = fn })
  end
end

describe("a long answer", function()
  teardown(process.stop_all)

  -- A task that receives 40 MiB, ten times, each time from a peer of its own; then how often that failed.
  local EXCHANGES = [[
    local cosock, socket = require "cosock", require "cosock.socket"
    local server = assert(socket.bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    local piece = ("x"):rep(1024 * 1024)
    local client
    local function exchange(pieces, prefix)
      cosock.spawn(function()
        local peer = server:accept()
        for _ = 1, pieces do
          if not peer:send(piece) then
            break
          end
        end
        peer:close()
      end)
      cosock.spawn(function()
        client = assert(socket.connect("127.0.0.1", port))
        local data, err = client:receive(pieces * #piece, prefix)
        client:close()
        print(data and #data or error(err, 0))
      end)
      cosock.run()
      collectgarbage()
      collectgarbage()
    end
    local failures = 0
    cosock.set_error_handler(function(err)
      client:close()
      failures = failures + 1
      if err ~= "not enough memory" then
        print(err)
      end
    end)
  ]]

  -- With something in front of it, an answer is copied: the limit decides whether our own memory is not enough or the
  -- interpreter's. Else there is too little for the answer itself.
  for _, limit in ipairs { 60000, 75000, 90000 } do
    for title, call in pairs { ["40 MiB behind others"] = "exchange(40, '-')", ["100 MiB"] = "exchange(100)" } do
      it(("of %s that finds no memory in %d KiB ends a receive and nothing else"):format(title, limit), function()
        local child = process.script_with_little_memory(limit, EXCHANGES .. [[
          for _ = 1, 10 do ]] .. call .. [[ end
          print(failures)
          exchange(8)
        ]])
        assert.equal("10\n8388608\n", child:finish())
      end)
    end
  end

  it("takes its memory only once", function()
    local child = process.script_with_little_memory(75000, EXCHANGES .. [[
      for _ = 1, 10 do
        exchange(40)
      end
      print(failures)
    ]])
    assert.equal(("41943040\n"):rep(10) .. "0\n", child:finish())
  end)

  for title, call in pairs {
    ["40 MiB behind others"] = "client:receive(40 * #piece + 1, '-')", ["100 MiB"] = "client:receive(100 * #piece)",
  } do
    it(("of %s that finds no memory is there in pieces"):format(title), function()
      local child = process.script_with_little_memory(90000, [[
        local cosock, socket = require "cosock", require "cosock.socket"
        local server = assert(socket.bind("127.0.0.1", 0))
        local client = assert(socket.connect("127.0.0.1", (select(2, server:getsockname()))))
        local peer = server:accept()
        local piece, size = ("0123456789abcdef"):rep(65536), 16384
        cosock.spawn(function()
          for _ = 1, 100 do
            peer:send(piece)
          end
        end)
        -- Receives what is behind the first `count` bytes.
        local function receive_rest(count)
          while count < 100 * #piece do
            local data = assert(client:receive(math.min(size, 100 * #piece - count)))
            assert(data == piece:sub(count % 16 + 1, count % 16 + #data), count)
            count = count + #data
          end
          print "all there"
        end
        cosock.spawn(function()
          local _, err, partial = ]] .. call .. [[

          local count = #partial
          assert(partial:byte(count) == piece:byte((count - 1) % 16 + 1))
          partial = nil
          collectgarbage()
          print(err)
          receive_rest(count)
        end)
        cosock.set_error_handler(function(err)
          print(err)
          cosock.spawn(function()
            receive_rest(0)
          end)
        end)
        cosock.run()
      ]])
      assert.equal("not enough memory\nall there\n", child:finish())
    end)
  end

  it("is what was sent, with what is put in front", function()
    local one, other = peers.pair(socket)
    local piece = ("0123456789abcdef!"):rep(4096)
    local data = piece:rep(100)
    assert.is_true(#data > 6 * MIB)
    run.tasks(function()
      one:send(data)
      one:send(data)
      one:close()
    end, function()
      assert.is_true(other:receive(#data + 1, "-") == "-" .. data)
      assert.is_true(other:receive("*a") == data)
    end)
  end)

  -- What `client` receives of a long answer that has come but for the last byte when it begins.
  local function gathered(server, client, data, length)
    local answer
    run.tasks(function()
      server:send(data, 1, length - 1)
      socket.sleep(0)
      server:send(data, length, length)
    end, function()
      answer = client:receive(length)
    end)
    return answer
  end

  it("of any length is what was sent, and the key of a table", function()
    local one, other = peers.pair(socket)
    local data = ("0123456789abcdef!"):rep(65536)
    for length = MIB + 1, MIB + 17 do
      local known = { [gathered(one, other, data, length)] = length }
      assert.equal(length, known[data:sub(1, length)])
      -- While there is another such string.
      assert.equal(length, known[gathered(one, other, data, length)])
    end
  end)

  it("leaves the collector as it is", function()
    local one, other = peers.pair(socket)
    local data = ("0123456789abcdef"):rep(70000)
    local known = setmetatable({}, { __mode = "k" })
    local function make_garbage(place)
      for index = 1, 100000 do
        place[1] = { index }
      end
      return next(known) == nil
    end
    collectgarbage "stop"
    gathered(one, other, data, #data)
    known[{}] = true
    assert.is_false(make_garbage {})
    collectgarbage "restart"
    gathered(one, other, data, #data)
    known[{}] = true
    local is_collected
    for _ = 1, 1000 do
      is_collected = is_collected or make_garbage {}
    end
    assert.is_true(is_collected)
  end)

  -- What finalizers do while Lua makes the string of an answer must not get in its way. So the collector begins just
  -- before the last byte is sent, and the receiving task is all that runs then. When one is collected there is the
  -- next, for a while. A finalizer returns the error that it raises.
  local function with_finalizers(size, finalizer, receive)
    local one, other = peers.pair(socket)
    local left, runs = 0, 0
    local function collected()
      local err = finalizer()
      left, runs = left - 1, runs + 1
      if left > 0 then
        with_finalizer(collected)
      end
      if err then
        error(err, 0)
      end
    end
    -- Lua 5.5 has other names for them.
    local has_pause, pause = pcall(collectgarbage, "setpause", 1)
    local has_step, step = pcall(collectgarbage, "setstepmul", 1000000)
    for index = 1, 10 do
      local data = (("%03d-"):format(index)):rep(size / 4)
      left = 20
      collectgarbage "stop"
      run.tasks(function()
        one:send(data, 1, size - 1)
        socket.sleep(0)
        collectgarbage "restart"
        with_finalizer(collected)
        one:send(data, size)
      end, function()
        assert.is_true(receive(other, size) == data, index)
      end)
    end
    if has_pause and has_step then
      collectgarbage("setpause", pause)
      collectgarbage("setstepmul", step)
    end
    left = 0
    while not pcall(collectgarbage) do -- until no finalizer is left that raises an error
      runs = runs + 1
    end
    assert.is_true(runs > 0)
  end

  it("is what was sent, although finalizers make strings of its length", function()
    local size = MIB + 8
    local pieces, made, last = {}, {}, 0
    for index = 1, 100 do
      pieces[index] = ("%03d"):format(index):rep(size / 24)
    end
    local function make(count)
      for _ = 1, count do
        last = last % #pieces + 1
        made[last % 2] = pieces[last]:rep(8)
      end
    end
    make(100) -- now LuaJIT has compiled it
    with_finalizers(size, function()
      make(2)
    end, function(sock)
      return sock:receive(size)
    end)
    assert.is_true(made[last % 2] == pieces[last]:rep(8))
  end)

  it("is what was sent, although finalizers are compiled that know their coroutine", function()
    local pieces, made = {}, {}
    for index = 1, 26 do
      pieces[index] = ("%02d"):format(index):rep(500)
    end
    -- LuaJIT keeps where it was when it called C last, and what is a local variable now lies there.
    local function make()
      local thread = coroutine.running()
      local last = 1
      for index = 1, 300 do
        last = pieces[index % 26 + 1]:rep(index % 7 + 2)
        made[index % 10] = last
      end
      return thread, last
    end
    local function make_often()
      for _ = 1, 100 do
        make()
      end
    end
    make_often()
    coroutine.wrap(make_often)()
    with_finalizers(MIB + 8, function()
      make()
    end, function(sock, size)
      return sock:receive(size)
    end)
    assert.equal(4000, #made[6])
  end)

  -- Since Lua 5.4 what a finalizer raises is only a warning; before 5.2 a task cannot wait within `pcall`.
  if _VERSION == "Lua 5.2" or _VERSION == "Lua 5.3" then
    it("is still there when a finalizer raises an error in the midst of it", function()
      local receiver
      with_finalizers(MIB + 8, function()
        return receiver and coroutine.running() == receiver and "a finalizer's"
      end, function(sock, size)
        receiver = coroutine.running()
        local fine, data
        repeat
          fine, data = pcall(sock.receive, sock, size)
        until fine
        receiver = nil
        return data
      end)
    end)
  end
end)
