-- Many requests at once, and what is left of them.

local cosock = require "cosock"
local http = require "cosock.socket.http"
local nginxes = require "spec.support.nginx"
local run = require "spec.support.run"
local servers = require "spec.support.http"
local socket = require "cosock.socket"

local unpack = table.unpack or unpack -- luacheck: ignore 143

describe("twenty tasks", function()
  local server, nginx

  setup(function()
    server, nginx = servers.server(), nginxes.start()
  end)

  teardown(function()
    server:stop()
    nginx:stop()
    http.POOL:close()
  end)

  --- Runs `fn(1)` to `fn(20)` as tasks.
  local function twenty(fn)
    local tasks = {}
    for index = 1, 20 do
      tasks[index] = function()
        fn(index)
      end
    end
    run.tasks(unpack(tasks))
  end

  it("fetch from one host, each what it asked for", function()
    for index = 1, 20 do
      nginx:write(index .. ".txt", ("%d "):format(index):rep(1000 * index))
    end
    twenty(function(index)
      for _ = 1, 10 do
        local body, code = http.request(nginx:url((index % 2 == 0 and "chunked/" or "") .. index .. ".txt"))
        assert.equal(200, code)
        assert.equal(("%d "):format(index):rep(1000 * index), body)
      end
    end)
  end)

  it("do not wait for each other", function()
    local slow, quick = "HTTP/1.1 200 OK\r\n", "Content-Length: 0\r\n\r\n"
    local started = socket.gettime()
    local ended = {}
    twenty(function(index)
      local _, code = http.request(index == 1 and server:url("pause", 1, slow, quick)
        or server:url("pause", 0.3, slow, quick))
      assert.equal(200, code)
      ended[#ended + 1] = index
    end)
    assert.is_true(socket.gettime() - started < 2.5)
    assert.equal(1, ended[20]) -- the one whose server was slow
  end)

  it("send bodies, follow redirects and fail, all at the same time", function()
    local refused = require("spec.support.peers").refused_port(socket)
    twenty(function(index)
      for _ = 1, 3 do
        local kind = index % 4
        if kind == 0 then
          assert.matches("\n\nbody " .. index .. "$", (http.request(server:url "echo", "body " .. index)))
        elseif kind == 1 then
          local body = http.request(server:url("redirect", 302, "/echo/" .. index))
          assert.matches("^GET /echo/" .. index .. " ", body)
        elseif kind == 2 then
          assert.same({ nil, "connection refused" }, { http.request(("http://127.0.0.1:%d/"):format(refused)) })
        else
          local bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" .. index
          local _, err, partial = http.request(server:url("raw", bytes))
          assert.same({ "closed", tostring(index) }, { err, partial })
        end
      end
    end)
  end)

  --- How many descriptors the process has open; 0 where the system does not tell.
  local function descriptors()
    local least = math.huge
    for _ = 1, 5 do -- the pipe itself may count once or twice
      local pipe = io.popen "ls /proc/$PPID/fd 2>/dev/null | wc -l"
      least = math.min(least, tonumber(pipe:read "*a"))
      pipe:close()
    end
    return least
  end

  it("leave nothing behind but what waits in the pool", function()
    local function all()
      twenty(function(index)
        http.request(nginx:url "small.txt")
        http.request(server:url("raw", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" .. index))
        http.request(server:url("redirect", 302, "/echo"))
        http.request(server:url "echo", "body")
        cosock.coroutine.pcall(http.request, { url = server:url "echo", sink = function() error "failed" end })
      end)
      http.POOL:close()
    end
    all()
    collectgarbage()
    collectgarbage()
    local open, least = descriptors(), math.huge
    for _ = 1, 3 do -- what is left behind is so each time; the interpreter's own tables grow now and then
      local memory = collectgarbage "count"
      for _ = 1, 5 do
        all()
      end
      assert.equal(open, descriptors()) -- without help from the collector
      collectgarbage()
      collectgarbage()
      least = math.min(least, collectgarbage "count" - memory)
    end
    assert.is_true(least < 100, least)
  end)

  it("may be cancelled in the middle of anything", function()
    local tasks = {}
    for index = 1, 20 do
      tasks[index] = cosock.spawn(function()
        local paths = { server:url "silent", server:url("zeros", 10 ^ 12), server:url("slow", 0.01, ("x"):rep(1000)) }
        http.request { url = paths[index % 3 + 1] }
      end)
    end
    cosock.spawn(function()
      socket.sleep(0.1)
      for _, task in ipairs(tasks) do
        task:cancel()
      end
    end)
    cosock.run()
    twenty(function()
      assert.equal("a small file\n", (http.request(nginx:url "small.txt")))
    end)
  end)
end)
