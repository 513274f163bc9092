-- Sockets that nobody closes and nobody holds: their descriptors are there when others need one.

local process = require "spec.support.process"

describe("sockets that are garbage", function()
  teardown(process.stop_all)

  -- How to open descriptors and forget them.
  local ways = {
    ["tcp4"] = "assert(socket.tcp4())",
    ["tcp6"] = "assert(socket.tcp6())",
    ["udp4"] = "assert(socket.udp4())",
    ["udp6"] = "assert(socket.udp6())",
    ["bind"] = "assert(socket.tcp():bind('127.0.0.1', 0))",
    ["connect and accept"] = "assert(socket.connect('127.0.0.1', port)) assert(server:accept())",
    ["setsockname"] = "assert(socket.udp():setsockname('127.0.0.1', 0))",
    ["setpeername"] = "assert(socket.udp():setpeername('127.0.0.1', port))",
    ["sendto"] = "assert(socket.udp():sendto('x', '127.0.0.1', port))",
    ["unix streams"] = "assert(unix.stream())",
    ["unix datagrams"] = "assert(unix.dgram())",
  }
  local program = [[
    local cosock, socket, unix = require "cosock", require "cosock.socket", require "cosock.socket.unix"
    local server = assert(socket.bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    collectgarbage "stop" -- by itself, it may come by in time
    local function run()
      for _ = 1, 100 do
        %s
      end
      print "enough"
    end
    run()
    cosock.spawn(run, "main")
    cosock.run()
  ]]

  for way, code in pairs(ways) do
    it("leave descriptors for " .. way, function()
      assert.equal("enough\nenough\n", process.script_with_few_descriptors(40, program:format(code)):finish())
    end)
  end

  if pcall(require, "cosock.ssl") then
    it("leave descriptors for the files of a TLS context", function()
      local tls = require "spec.support.tls"
      assert.equal("enough\n", process.script_with_few_descriptors(40, [[
        local socket, ssl, tls = require "cosock.socket", require "cosock.ssl", require "spec.support.tls"
        tls.use(arg[1])
        collectgarbage "stop"
        for _, field in ipairs { "cafile", "key", "certificate" } do
          repeat
            local probe = io.open(tls.file "root.pem")
            if probe then
              probe:close()
              assert(socket.udp4())
            end
          until not probe
          local files = { cafile = "root.pem", key = "server.key", certificate = "server.pem" }
          assert(ssl.newcontext { mode = "server", protocol = "any", [field] = tls.file(files[field]) })
        end
        print "enough"
      ]], tls.folder()):finish())
    end)
  end

  it("are not looked for again and again in vain", function()
    local child = process.script_with_few_descriptors(40, [[
      local socket = require "cosock.socket"
      local collected = 0
      local collect = collectgarbage
      function collectgarbage(...)
        collected = collected + 1
        return collect(...)
      end
      local held = {}
      for _ = 1, 100 do
        held[#held + 1] = socket.udp4()
      end
      print(#held < 40, select(2, socket.udp4()), collected > 0, collected < 50)
      held[#held]:close()
      print(socket.udp4() ~= nil)
    ]])
    assert.equal("true\tToo many open files\ttrue\ttrue\ntrue\n", child:finish())
  end)
end)
