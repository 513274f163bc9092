-- Copas, unmodified: a scheduler of its own, with its own coroutines and `select`, inside one of our tasks. Debian's
-- package has a version written for Lua 5.1 and 5.2, which runs on the others, too.

local cosock = require "cosock"
local libraries = require "spec.support.libraries"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

local CLIENTS = libraries.TASKS
local LINES = 10

describe("copas", function()
  local copas
  local socket = cosock.asyncify "socket"
  local protect, newtry = socket.protect, socket.newtry

  setup(function()
    -- It wants to be there first, and puts functions of its own into the socket table.
    local loaded = cosock.asyncify("package").loaded
    local http = loaded["socket.http"]
    loaded["socket.http"] = nil
    copas = libraries.asyncify "copas"
    loaded["socket.http"] = http
  end)

  teardown(function()
    socket.protect, socket.newtry = protect, newtry
  end)

  before_each(function()
    cosock.reset()
  end)

  it("serves in a task, while others run", function()
    local server, port = peers.server(socket)
    local served, stop = 0, false
    copas.addserver(server, function(client)
      client = copas.wrap(client)
      local line = client:receive()
      while line do
        client:send(line .. " to you\n")
        line = client:receive()
      end
      served = served + 1
    end, 0)
    local function run_copas()
      while not stop do
        copas.step(0.01)
      end
    end
    libraries.in_tasks(function(number, meet)
      local client = assert(cosock.socket.connect("127.0.0.1", port))
      meet()
      for index = 1, LINES do
        local line = ("line %d of task %d"):format(index, number)
        client:send(line .. "\n")
        assert.equal(line .. " to you", (client:receive()))
      end
      client:close()
      if number == 1 then
        while served < CLIENTS do
          cosock.socket.sleep(0.001)
        end
        stop = true
      end
    end, run_copas)
    server:close()
  end)

  it("connects from threads of its own, inside a task", function()
    local server, port = peers.server(socket)
    local function serve()
      for _ = 1, CLIENTS do
        local client = assert(server:accept())
        cosock.spawn(function()
          for _ = 1, LINES do
            client:send((client:receive()) .. " back\n")
          end
          client:close()
        end)
      end
    end
    local done = 0
    run.tasks(function()
      for number = 1, CLIENTS do
        copas.addthread(function()
          local client = socket.tcp()
          client:settimeout(0)
          copas.connect(client, "127.0.0.1", port)
          for index = 1, LINES do
            local line = number .. ":" .. index
            copas.send(client, line .. "\n")
            assert.equal(line .. " back", (copas.receive(client)))
          end
          client:close()
          done = done + 1
        end)
      end
      while done < CLIENTS do
        copas.step(0.1)
      end
    end, serve)
    assert.equal(CLIENTS, done)
  end)
end)
