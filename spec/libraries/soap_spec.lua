-- lua-soap, unmodified, in many tasks at once.

local cosock = require "cosock"
local libraries = require "spec.support.libraries"
local run = require "spec.support.run"
local servers = require "spec.support.servers"

-- It needs lua-expat, which there is not for every version.
local describe = pcall(require, "lxp") and describe or function() end

describe("lua-soap", function()
  local client, server, url

  setup(function()
    client = libraries.asyncify "soap.client"
    server = servers.rpc(libraries.TASKS)
    url = ("http://127.0.0.1:%d/soap"):format(server.port)
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    cosock.reset()
  end)

  local function call(method, ...)
    local entries = {}
    for index, value in ipairs { ... } do
      entries[index] = { tag = "number", value }
    end
    local _, name, results = client.call {
      url = url,
      soapaction = "urn:test#" .. method,
      namespace = "urn:test",
      method = method,
      entries = entries,
    }
    return results[1] and results[1][1], name
  end

  it("calls methods", function()
    run.task(function()
      local result, name = call("add", 1, 2, 3)
      assert.equal("6", result)
      assert.matches("addResponse$", name)
    end)
  end)

  it("tells of faults and of errors", function()
    run.task(function()
      local _, name = call "fail"
      assert.matches("Fault$", name)
      assert.matches("Error on request: connection refused", libraries.raised(function()
        local socket = cosock.socket
        local unused = assert(socket.bind("127.0.0.1", 0))
        local _, port = unused:getsockname()
        unused:close()
        client.call { url = ("http://127.0.0.1:%d/"):format(port), soapaction = "", method = "add", entries = {} }
      end), 1, true)
    end)
  end)

  it("calls in many tasks at once", function()
    local answered = 0
    libraries.in_tasks(function(number, meet)
      assert.equal(tostring(number), (call("meet", number)))
      meet()
      for index = 1, 3 do
        assert.equal(tostring(number + index), (call("add", number, index)))
      end
      answered = answered + 1
    end)
    assert.equal(libraries.TASKS, answered)
  end)
end)
