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
        local function serve(pieces)
          local client = server:accept()
          for _ = 1, pieces do
            if not client:send(piece) then
              break
            end
          end
          client:close()
        end
        local function receive(pieces)
          local client = assert(socket.connect("127.0.0.1", port))
          local data, err = client:receive(pieces * #piece)
          client:close()
          print(data and #data or error(err, 0))
        end
        cosock.set_error_handler(function(err)
          cosock.set_error_handler(nil)
          print(err)
          collectgarbage()
          cosock.spawn(serve, "server", 2)
          cosock.spawn(receive, "client", 2)
        end)
        cosock.spawn(serve, "server", 40)
        cosock.spawn(receive, "client", 40)
        cosock.run()
      ]])
      assert.equal("not enough memory\n2097152\n", child:finish())
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
end)
