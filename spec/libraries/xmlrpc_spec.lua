-- lua-xmlrpc, unmodified, in many tasks at once. It is written for Lua 5.1 and runs where `module` is.

local cosock = require "cosock"
local libraries = require "spec.support.libraries"
local run = require "spec.support.run"
local servers = require "spec.support.servers"

if rawget(_G, "module") then
  describe("lua-xmlrpc", function()
    local http, server, url

    setup(function()
      http = libraries.asyncify "xmlrpc.http"
      server = servers.rpc(libraries.TASKS)
      url = ("http://127.0.0.1:%d/RPC2"):format(server.port)
    end)

    teardown(function()
      server:stop()
    end)

    before_each(function()
      cosock.reset()
    end)

    it("calls methods", function()
      run.task(function()
        assert.same({ true, 6 }, { http.call(url, "add", 1, 2, 3) })
        local ok, reply = http.call(url, "describe", { a = 1, b = { c = "inner" }, c = "text" })
        assert.is_true(ok)
        assert.equal("dict", reply.kind)
        assert.same({ a = 1, b = { c = "inner" }, c = "text" }, reply.value)
      end)
    end)

    it("tells of faults and of errors", function()
      run.task(function()
        local ok, message = http.call(url, "fail")
        assert.is_false(ok)
        assert.matches("as you wished", message, 1, true)
        assert.matches("No such page", libraries.raised(function()
          http.call(url:gsub("/RPC2", "/elsewhere"), "add")
        end), 1, true)
      end)
    end)

    it("calls in many tasks at once", function()
      local answered = 0
      libraries.in_tasks(function(number, meet)
        assert.same({ true, number }, { http.call(url, "meet", number) })
        meet()
        for index = 1, 3 do
          assert.same({ true, number + index }, { http.call(url, "add", number, index) })
        end
        answered = answered + 1
      end)
      assert.equal(libraries.TASKS, answered)
    end)
  end)
end
