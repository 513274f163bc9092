-- A program that makes it an error to read or assign a global variable that is not declared, as many do.

local process = require "spec.support.process"

local PROGRAM = [[
  setmetatable(_G, {
    __index = function(_, name) error("variable '" .. name .. "' is not declared", 2) end,
    __newindex = function(_, name) error("variable '" .. name .. "' is not declared", 2) end,
  })
  local cosock = require "cosock"
  local names = {
    "socket", "socket.http", "socket.url", "socket.headers", "socket.smtp", "socket.ftp", "socket.tp", "socket.unix",
    "socket.serial", "ltn12", "mime", "mbox",
  }
  for _, name in ipairs(names) do
    cosock.asyncify(name)
  end
  cosock.install()
  for _, name in ipairs(names) do
    require(name)
  end
  cosock.spawn(function()
    local socket = require "socket"
    print(pcall(function()
      socket.sleep(0)
      return coroutine.wrap(function() socket.sleep(0) return "waited" end)()
    end))
    print(pcall(function() return undeclared end))
  end)
  cosock.run()
  cosock.uninstall()
]]

describe("a program with strict global variables", function()
  after_each(process.stop_all)

  it("runs tasks, and is told of its own mistakes", function()
    local output, status = process.script(PROGRAM):finish()
    assert.matches("^true\twaited\nfalse\t[^\n]*variable 'undeclared' is not declared\n?$", output)
    assert.equal(0, status)
  end)
end)
