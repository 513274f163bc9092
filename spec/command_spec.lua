-- The command `cosock`: `cosock SCRIPT ARGUMENT...` does what `lua SCRIPT ARGUMENT...` does, as a task.

local files = require "spec.support.files"
local process = require "spec.support.process"

local COMMAND = "bin/cosock"

-- The Lua 5.5 of the tests is a host of their own: what it writes of errors is not what `lua` would write, and it does
-- not run its standard input.
local is_stock = _VERSION ~= "Lua 5.5"

describe("the command", function()
  local folder

  before_each(function()
    folder = files.folder()
  end)

  after_each(function()
    process.stop_all()
    folder:remove()
  end)

  --- What a program printed on both streams, without the name that the interpreter has, and its exit status.
  local function outcome(child)
    local output, status = child:finish()
    output = ("\n" .. output):gsub("\n[%w./]*luaj?i?t?[%d.]*: ", "\ncosock: "):gsub("0x%x+", "address")
    return { output, status }
  end

  --- Runs a script by the interpreter and by the command: both must do the same.
  local function same(text, ...)
    local script = folder:write("script.lua", text)
    local got = outcome(process.file(COMMAND, script, ...))
    if is_stock then
      assert.same(outcome(process.file(script, ...)), got)
    end
    return got[1], got[2]
  end

  it("passes arguments and its name", function()
    local output, status = same([[
      print(arg[0]:match "[^/]+$", #arg, select("#", ...), ...)
      for index, value in ipairs(arg) do print(index, value) end
    ]], "one", "two words", "", "-v", "--", "nil")
    assert.matches("two words", output, 1, true)
    assert.equal(0, status)
    same [[print(#arg, ...)]]
  end)

  it("puts the command before the script, and the interpreter before that", function()
    local script = folder:write("script.lua", "print(arg[-1], arg[0], arg[1], arg[-2] ~= nil)")
    assert.equal("bin/cosock\t" .. script .. "\tx\ttrue\n", (process.file(COMMAND, script, "x"):finish()))
  end)

  it("ends with the program's exit status", function()
    for _, text in ipairs { "os.exit(0)", "os.exit(7)", "os.exit()", "print 'done'", "return 3" } do
      same(text)
    end
    local _, status = same "os.exit(7)"
    assert.equal(7, status)
  end)

  it("writes errors and tracebacks as the interpreter does", function()
    local raise = [[
      local function innermost()
        %s
      end
      local function middle()
        innermost()
        return "not reached"
      end
      print "begins"
      middle()
    ]]
    for _, how in ipairs {
      "error 'a message'", "error('a message', 0)", "error('a message', 2)", "error {}", "error(nil)", "error()",
      "error(42)", "error(true)", "error(print)", "assert(false, 'asserted')", "assert(nil)",
      "error(setmetatable({}, { __tostring = function() return 'an object' end }))",
      "error(setmetatable({}, { __tostring = function() return {} end }))",
      "string.rep()",
    } do
      local output, status = same(raise:format(how))
      assert.matches("begins", output, 1, true)
      assert.equal(1, status)
    end
  end)

  it("writes what is wrong with the program's file", function()
    same "local x = = 1"
    local missing = folder.path .. "/missing.lua"
    local got = outcome(process.file(COMMAND, missing))
    assert.matches("^\ncosock: cannot open .*missing.lua", got[1])
    if is_stock then
      assert.same(outcome(process.file(missing)), got)
    end
  end)

  it("takes a program that begins with the name of its interpreter", function()
    same "#!/usr/bin/env cosock\nprint 'ran'\nerror 'on line 3'"
  end)

  it("runs the standard input", function()
    local input = folder:write("input.lua", "print(arg[0], ...)\nerror 'on line 2'")
    local got = outcome(process.file_with_input(input, COMMAND, "-", "x", "y"))
    assert.matches("^\n%-\tx\ty\ncosock: stdin:2: on line 2\n", got[1])
    if is_stock then
      assert.same(outcome(process.file_with_input(input, "-", "x", "y")), got)
    end
  end)

  it("lets the program use LuaSocket's modules, unmodified", function()
    local output = same [[
      local socket = require "socket"
      local server = assert(socket.bind("127.0.0.1", 0))
      local _, port = server:getsockname()
      local client = assert(socket.connect("127.0.0.1", port))
      local peer = assert(server:accept())
      client:send "hello\n"
      local readable = socket.select({ server, peer }, nil, 10)
      print(#readable, readable[1] == peer, readable[peer] == 1)
      local lines = coroutine.wrap(function()
        while true do
          coroutine.yield((peer:receive()))
        end
      end)
      print(lines())
      client:close()
      print(lines())
      print(require("socket.url").parse("http://host/path").host)
      socket.sleep(0.001)
      print(pcall(function() socket.sleep(0.001) error "after a wait" end))
      error "at the end"
    ]]
    assert.matches("hello", output, 1, true)
    assert.matches("after a wait", output, 1, true)
    assert.matches("stack traceback", output, 1, true)
  end)

  it("gives the program cosock's modules, and lets other tasks run while it waits", function()
    local child = process.file(COMMAND, folder:write("script.lua", [[
      local cosock = require "cosock"
      local socket = require "socket"
      assert(socket == cosock.asyncify "socket")
      cosock.spawn(function()
        for index = 1, 3 do
          print("task", index)
          socket.sleep(0.001)
        end
        print "task ends"
      end)
      socket.sleep(0.05)
      print "program ends"
    ]]))
    assert.equal("task\t1\ntask\t2\ntask\t3\ntask ends\nprogram ends\n", (child:finish()))
    assert.equal(0, child.status)
  end)

  it("waits for the tasks that the program has spawned", function()
    local child = process.file(COMMAND, folder:write("script.lua", [[
      require("cosock").spawn(function()
        require("socket").sleep(0.02)
        print "task ends"
      end)
      print "program ends"
    ]]))
    assert.equal("program ends\ntask ends\n", (child:finish()))
  end)

  it("lets the program wait in modules and files while they are loaded", function()
    folder:write("module.lua", "require('socket').sleep(0.001) return 'module'")
    folder:write("file.lua", "require('socket').sleep(0.001) return 'file'")
    local output = same(([[
      package.path = %q .. "/?.lua;" .. package.path
      print((require "module"))
      print(dofile(%q .. "/file.lua"))
    ]]):format(folder.path, folder.path))
    assert.equal("\nmodule\nfile\n", output)
  end)

  it("ends with an error if one of the program's tasks does", function()
    local output, status = process.file(COMMAND, folder:write("script.lua", [[
      require("cosock").spawn(function() error "in a task" end)
      require("socket").sleep(10)
    ]])):finish()
    assert.matches("^cosock: [^\n]*script.lua:1: in a task\nstack traceback:\n", output)
    assert.equal(1, status)
  end)

  it("ends by Ctrl-C while the program waits, and tells where", function()
    local child = process.file(COMMAND, folder:write("script.lua", [[
      local server = require("socket").bind("127.0.0.1", 0)
      print "waits"
      local function wait()
        server:accept()
      end
      wait()
    ]]))
    child:expect "^waits$"
    child:sleeps()
    child:signal "INT"
    local output, status = child:finish()
    assert.matches("\ncosock: interrupted!\n", output, 1, true)
    assert.matches("script.lua:4: in ", output, 1, true)
    assert.equal(1, status)
  end)

  it("tells of a deadlock", function()
    local output, status = process.file(COMMAND, folder:write("script.lua", [[
      require("socket").select()
    ]])):finish()
    assert.matches("^cosock: deadlock: ", output)
    assert.matches("script.lua:1", output, 1, true)
    assert.equal(1, status)
  end)

  it("explains itself", function()
    local output, status = process.file(COMMAND, "--help"):finish()
    assert.matches("^usage: cosock ", output)
    assert.equal(0, status)
    output, status = process.file(COMMAND):finish()
    assert.matches("^usage: cosock ", output)
    assert.equal(1, status)
    output, status = process.file(COMMAND, "--no-such-option"):finish()
    assert.matches("^cosock: unrecognized option '%-%-no%-such%-option'\nusage: ", output)
    assert.equal(1, status)
    output, status = process.file(COMMAND, "--version"):finish()
    assert.matches("^cosock%-rs [%d.]+ on Lua", output)
    assert.equal(0, status)
  end)

  it("takes what follows -- for the script", function()
    local script = folder:write("script.lua", "print(...)")
    assert.equal("-v\n", (process.file(COMMAND, "--", script, "-v"):finish()))
    assert.matches("cannot open %-v", (process.file(COMMAND, "--", "-v"):finish()))
  end)
end)
