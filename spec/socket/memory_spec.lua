-- Answers for which there is no memory, and long ones for which there is.

local peers = require "spec.support.peers"
local process = require "spec.support.process"
local run = require "spec.support.run"
local socket = require "cosock.socket"

local MIB = 1024 * 1024

describe("a long answer", function()
  teardown(process.stop_all)

  -- Whether our own memory is not enough or the interpreter's depends on the limit.
  for _, limit in ipairs { 60000, 75000, 90000 } do
    it("that finds no memory within " .. limit .. " KiB ends a receive and nothing else", function()
      local child = process.script_with_little_memory(limit, [[
        local cosock, socket = require "cosock", require "cosock.socket"
        local server = assert(socket.bind("127.0.0.1", 0))
        local _, port = server:getsockname()
        local piece = ("x"):rep(1024 * 1024)
        local function exchange(pieces)
          cosock.spawn(function()
            local client = server:accept()
            for _ = 1, pieces do
              if not client:send(piece) then
                break
              end
            end
            client:close()
          end)
          cosock.spawn(function()
            local client = assert(socket.connect("127.0.0.1", port))
            local data, err = client:receive(pieces * #piece)
            client:close()
            print(data and #data or error(err, 0))
          end)
          cosock.run()
          collectgarbage()
          collectgarbage()
        end
        local failures = 0
        cosock.set_error_handler(function(err)
          failures = failures + 1
          if err ~= "not enough memory" then
            print(err)
          end
        end)
        for _ = 1, 10 do
          exchange(40)
        end
        print(failures)
        exchange(8)
      ]])
      assert.equal("10\n8388608\n", child:finish())
    end)
  end

  it("that finds no memory is still there in pieces", function()
    local child = process.script_with_little_memory(90000, [[
      local cosock, socket = require "cosock", require "cosock.socket"
      local server = assert(socket.bind("127.0.0.1", 0))
      local client = assert(socket.connect("127.0.0.1", (select(2, server:getsockname()))))
      local peer = server:accept()
      local piece, count = ("0123456789abcdef"):rep(65536), 40
      cosock.spawn(function()
        for _ = 1, count do
          peer:send(piece)
        end
      end)
      cosock.spawn(function()
        client:receive(count * #piece)
      end)
      cosock.set_error_handler(function(err)
        print(err)
        cosock.spawn(function()
          for index = 1, count do
            assert(client:receive(#piece) == piece, index)
          end
          print "all there"
        end)
      end)
      cosock.run()
    ]])
    assert.equal("not enough memory\nall there\n", child:finish())
  end)

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
end)
