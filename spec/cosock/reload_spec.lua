-- The module loaded again after `package.loaded` was cleared, as some test runners and reloaders do.

local process = require "spec.support.process"
local run = require "spec.support.run"

--- Forgets what was loaded, for as long as `fn` runs.
local function with_nothing_loaded(fn)
  local kept = {}
  for name, module in pairs(package.loaded) do
    if name:match "^cosock" then
      kept[name] = module
      package.loaded[name] = nil
    end
  end
  local ok, err = pcall(fn, kept)
  for name, module in pairs(kept) do
    package.loaded[name] = module
  end
  assert(ok, err)
end

describe("after package.loaded was cleared", function()
  it("each module is the same as before", function()
    require "cosock"
    require "cosock.socket"
    require "cosock.channel"
    require "cosock.timers"
    with_nothing_loaded(function(kept)
      local count = 0
      for name, module in pairs(kept) do
        assert.equal(module, require(name))
        count = count + 1
      end
      assert.is_true(count >= 4)
    end)
  end)

  it("tasks that wait, sockets and channels work with what is loaded then", function()
    local cosock, socket, channel = require "cosock", require "cosock.socket", require "cosock.channel"
    local server = assert(socket.bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    local tx, rx = channel.new()
    local line, ready
    run.tasks(function()
      line = assert(server:accept()):receive()
    end, function()
      ready = rx:receive()
    end, function()
      with_nothing_loaded(function()
        local again = require "cosock"
        assert.equal(cosock.spawn, again.spawn)
        again.spawn(function()
          local client = assert(require("cosock.socket").connect("127.0.0.1", port))
          client:send "hello\n"
          client:close()
          require("cosock.socket").select({ rx }, nil, 0)
          tx:send "sent"
        end)
      end)
    end)
    assert.equal("hello", line)
    assert.equal("sent", ready)
    server:close()
  end)

  it("nothing of it stays in a program that ends", function()
    local output, status = process.script([[
      for round = 1, 3 do
        for name in pairs(package.loaded) do
          if name:match "^cosock" then package.loaded[name] = nil end
        end
        collectgarbage()
        local cosock = require "cosock"
        cosock.spawn(function()
          require("cosock.socket").sleep(0)
          print("round " .. round)
        end)
        cosock.run()
      end
    ]]):finish()
    assert.equal("round 1\nround 2\nround 3\n", output)
    assert.equal(0, status)
  end)
end)
