-- Modules that were loaded by `cosock.asyncify` wait in the task.

local cosock = require "cosock"
local modules = require "spec.support.modules"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

local asyncify = cosock.asyncify
local fresh = modules.fresh

describe("an asyncified module that waits", function()
  local module = modules.around(before_each, after_each)

  it("lets other tasks run", function()
    local loaded = asyncify(module [[
      local socket = require "socket"
      local M = {}
      function M.lines(server, count)
        local client = assert(server:accept())
        local lines = coroutine.wrap(function()
          for _ = 1, count do
            coroutine.yield((client:receive()))
          end
        end)
        local ok, first = pcall(lines)
        local results = { ok, first }
        for index = 2, count do
          results[index + 1] = lines()
        end
        return results
      end
      return M
    ]])
    local socket = asyncify "socket"
    local server, port = peers.server(socket)
    local got
    run.tasks(function()
      got = loaded.lines(server, 3)
    end, function()
      local client = assert(socket.connect("127.0.0.1", port))
      for index = 1, 3 do
        client:send("line " .. index .. "\n")
        socket.sleep(0.001)
      end
    end)
    assert.same({ true, "line 1", "line 2", "line 3" }, got)
  end)

  it("is loaded once, by whichever of several tasks is the first", function()
    local name = module [[
      require("socket").sleep(0.01)
      times_loaded = (times_loaded or 0) + 1
      return { require "socket" }
    ]]
    local found = {}
    local function load(by)
      return function()
        local value = by(name)
        found[#found + 1] = value
      end
    end
    local asking = asyncify(module "return function(name) return require(name) end")
    run.tasks(load(asyncify), load(asyncify), load(asking), load(asking))
    assert.equal(1, rawget(_G, "times_loaded"))
    _G.times_loaded = nil
    for index = 1, 4 do
      assert.equal(asyncify(name), found[index])
    end
  end)

  it("does not keep other tasks waiting once loading it has failed", function()
    local failing = module [[
      require("socket").sleep(0.01)
      attempts = (attempts or 0) + 1
      error("attempt " .. attempts, 0)
    ]]
    local messages = {}
    local function load()
      local _, message = cosock.coroutine.pcall(asyncify, failing)
      messages[#messages + 1] = message
      asyncify("socket").sleep(0)
    end
    run.tasks(load, load, load)
    _G.attempts = nil
    assert.equal("attempt 1", messages[1])
    local is_old = rawget(_G, "setfenv") -- on Lua 5.1 an error in a module is for ever
    for index = 2, 3 do
      assert.matches(is_old and "previous error loading module" or "attempt " .. index, messages[index], 1, true)
    end
  end)

  it("may be required by one that it requires, in different tasks", function()
    local names = { fresh(), fresh() }
    for index = 1, 2 do
      module(([[
        require("socket").sleep(0.01)
        return { pcall(require, "%s") }
      ]]):format(names[3 - index]), names[index])
    end
    local loaded = {}
    run.tasks(function()
      loaded[1] = asyncify(names[1])
    end, function()
      loaded[2] = asyncify(names[2])
    end)
    assert.equal("table", type(loaded[1]))
    assert.equal("table", type(loaded[2]))
  end)

  it("waits in pcall and xpcall", function()
    local loaded = asyncify(module [[
      local socket = require "socket"
      return {
        pcall = function(...)
          return pcall(function(...) socket.sleep(0.001) return ... end, ...)
        end,
        failure = function(problem)
          return pcall(function() socket.sleep(0.001) error(problem) end)
        end,
        xpcall = function(handler)
          return xpcall(function() socket.sleep(0.001) local x = nil; return x.field end, handler)
        end,
        nested = function()
          return pcall(pcall, function() return pcall(function() socket.sleep(0) error("deep", 0) end) end)
        end,
        callable = function()
          return pcall(setmetatable({}, { __call = function(_, x) socket.sleep(0) return x end }), "argument")
        end,
        none = function() return pcall() end,
        wrong = function() return pcall(nil) end,
        native = function() return pcall(socket.sleep, 0) end,
      }
    ]])
    local order = {}
    run.tasks(function()
      assert.same({ n = 4, true, 1, nil, 3 }, peers.pack(loaded.pcall(1, nil, 3)))
      order[#order + 1] = "pcall"
      local problem = {}
      local ok, err = loaded.failure(problem)
      assert.is_false(ok)
      assert.equal(problem, err)
      ok, err = loaded.xpcall(function(message)
        return "handled: " .. message
      end)
      assert.is_false(ok)
      assert.matches("^handled: .*attempt to index", err)
      assert.same({ n = 4, true, true, false, "deep" }, peers.pack(loaded.nested()))
      assert.same({ n = 2, true, "argument" }, peers.pack(loaded.callable()))
      assert.is_false((pcall(loaded.none)))
      assert.same({ false, "attempt to call a nil value" }, { loaded.wrong() })
      assert.same({ n = 1, true }, peers.pack(loaded.native()))
    end, function()
      order[#order + 1] = "meanwhile"
    end)
    assert.same({ "meanwhile", "pcall" }, order)
  end)

  it("calls what is written in C as the interpreter's pcall does", function()
    local loaded = asyncify(module [[
      return {
        function() return pcall(error, "a message") end,
        function() return pcall(error, { 1 }) end,
        function() return pcall(string.rep) end,
        function() return pcall(assert, false, "asserted") end,
        function() return pcall(tonumber, "10", 2) end,
        function() return xpcall(error, function(err) return { "handled", err } end) end,
        function() return pcall(coroutine.yield, 1) end,
      }
    ]])
    local plain = { { false, "a message" }, { false, { 1 } }, { pcall(string.rep) }, { false, "asserted" }, { true, 2 },
      { false, { "handled" } } }
    run.task(function()
      for index, expected in ipairs(plain) do
        assert.same(expected, { loaded[index]() }, "call " .. index)
      end
      local thread = cosock.coroutine.create(loaded[7])
      assert.same({ true, 1 }, { cosock.coroutine.resume(thread) })
      assert.same({ true, true, 2 }, { cosock.coroutine.resume(thread, 2) })
    end)
  end)

  it("shows an xpcall's handler the functions that failed", function()
    local loaded = asyncify(module [[
      local socket = require "socket"
      local M = {}
      local function fails()
        socket.sleep(0)
        error "broken"
      end
      local function calls_it()
        fails()
        return true
      end
      function M.by_traceback()
        local _, text = xpcall(calls_it, debug.traceback)
        return text
      end
      function M.by_function(level)
        local _, text = xpcall(calls_it, function(err)
          local text = debug.traceback(err, level)
          return text
        end)
        return text
      end
      return M
    ]])
    local function check(text)
      local lines = {}
      for line in text:gmatch "[^\n]+" do
        lines[#lines + 1] = line
      end
      text = table.concat(lines, "\n")
      assert.matches(":5: broken\nstack traceback:\n", text, 1, true)
      assert.matches("%[C%]: in %a+ 'error'\n[^\n]+:5: in [^\n]+\n[^\n]+:8: in ", text)
      assert.matches("%[C%]: in %a+ 'xpcall'\n", text)
      return text
    end
    run.task(function()
      check(loaded.by_traceback())
      assert.matches("\n[^\n]+:17: in ", check(loaded.by_function()))
      assert.not_matches(":17: in ", check(loaded.by_function(2)))
    end)
  end)
end)
