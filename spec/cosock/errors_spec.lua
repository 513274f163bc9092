-- What becomes of a task that raises.

local cosock = require "cosock"
local socket = require "cosock.socket"
local run = require "spec.support.run"
local support = require "spec.cosock.support"

describe("a task that raises", function()
  before_each(cosock.reset)

  it("ends run with its message, the task's name and a traceback", function()
    local place
    local function fails()
      place = support.next_line()
      error "the pump is dry"
    end
    cosock.spawn(function()
      fails()
    end, "pump task")
    local ok, message = pcall(cosock.run)
    assert.is_false(ok)
    assert.equal("string", type(message))
    assert.matches("the pump is dry", message, 1, true)
    assert.matches("pump task", message, 1, true)
    assert.matches("stack traceback:", message, 1, true)
    assert.matches(place, message, 1, true)
  end)

  it("shows in the traceback the function that called the one that raised", function()
    local place
    local function fails()
      socket.sleep(0)
      error "deep down"
    end
    cosock.spawn(function()
      place = support.next_line()
      fails()
    end)
    local _, message = pcall(cosock.run)
    local traceback = message:sub((message:find("stack traceback:", 1, true)))
    assert.matches(place, traceback, 1, true)
  end)

  it("ends run with the text of an error value that is no string", function()
    local values = {
      [42] = "42",
      [setmetatable({}, {
        __tostring = function()
          return "an error object"
        end,
      })] = "an error object",
    }
    for value, text in pairs(values) do
      cosock.spawn(function()
        error(value)
      end, "raises a value")
      local ok, message = pcall(cosock.run)
      assert.is_false(ok)
      assert.equal("string", type(message))
      assert.matches(text, message, 1, true)
    end
  end)

  it("ends run with an error even when the value is nil", function()
    cosock.spawn(function()
      error()
    end, "raises nil")
    local ok, message = pcall(cosock.run)
    assert.is_false(ok)
    assert.matches("raises nil", message, 1, true)
  end)

  it("is called by its thread's name when it has none of its own", function()
    local handle = cosock.spawn(function()
      error "nameless"
    end)
    local name = tostring(handle)
    local _, message = pcall(cosock.run)
    assert.matches(name, message, 1, true)
  end)

  it("leaves the other tasks, and a later run goes on with them", function()
    local log = {}
    local tx, rx = cosock.channel.new()
    cosock.spawn(function()
      local value = rx:receive()
      log[#log + 1] = value
    end, "waits")
    cosock.spawn(function()
      error "first"
    end)
    cosock.spawn(function()
      log[#log + 1] = "never started before"
      tx:send "received"
    end)
    assert.has_error(cosock.run)
    assert.same({}, log)
    cosock.run()
    assert.same({ "never started before", "received" }, log)
  end)

  it("is reported once, and one run after another reports the next", function()
    for _, message in ipairs { "first", "second" } do
      cosock.spawn(function()
        error(message, 0)
      end)
    end
    for _, expected in ipairs { "first", "second" } do
      local _, message = pcall(cosock.run)
      assert.matches(expected, message, 1, true)
    end
    cosock.run()
  end)

  if support.has_close then
    it("has its to-be-closed variables closed", function()
      local closed = 0
      cosock.spawn(support.guarded(function()
        error "while guarded"
      end, function()
        closed = closed + 1
      end))
      assert.has_error(cosock.run)
      assert.equal(1, closed)
    end)
  end
end)

describe("cosock.set_error_handler", function()
  local reports

  before_each(function()
    cosock.reset()
    reports = {}
    cosock.set_error_handler(function(...)
      reports[#reports + 1] = { count = select("#", ...), ... }
    end)
  end)

  after_each(function()
    cosock.set_error_handler(nil)
  end)

  it("has run go on after a task raised", function()
    local passed
    run.tasks(function()
      error "reported"
    end, function()
      socket.sleep(0.01)
      passed = true
    end)
    assert.is_true(passed)
    assert.equal(1, #reports)
  end)

  it("hands over the error, the task's handle and a traceback", function()
    local place
    local handle = cosock.spawn(function()
      place = support.next_line()
      error "with a place"
    end, "failing")
    cosock.run()
    local err, failed, traceback = reports[1][1], reports[1][2], reports[1][3]
    assert.equal(3, reports[1].count)
    assert.matches(place .. ": with a place", err, 1, true)
    assert.equal(handle, failed)
    assert.is_false(failed:is_alive())
    assert.matches("stack traceback:", traceback, 1, true)
    assert.matches(place, traceback, 1, true)
  end)

  it("hands over an error value as it is", function()
    local values = { { code = 7 }, 42, true, print, "no place" }
    for _, value in ipairs(values) do
      cosock.spawn(function()
        error(value, 0)
      end)
    end
    cosock.run()
    for index, value in ipairs(values) do
      assert.equal(value, reports[index][1])
      assert.equal("string", type(reports[index][3]))
    end
  end)

  it("hands over every error of many, in order", function()
    for index = 1, 10 do
      cosock.spawn(function()
        error(index, 0)
      end)
    end
    cosock.run()
    for index = 1, 10 do
      assert.equal(index, reports[index][1])
    end
  end)

  it("lets the handler spawn a task that takes over", function()
    local restarted
    cosock.set_error_handler(function(_, handle)
      cosock.spawn(function()
        restarted = handle.name
      end)
    end)
    cosock.spawn(function()
      error "crash"
    end, "worker")
    cosock.run()
    assert.equal("worker", restarted)
  end)

  it("ends run with the handler's own error when the handler raises", function()
    cosock.set_error_handler(function()
      error "the handler failed"
    end)
    cosock.spawn(function()
      error "the task failed"
    end)
    local ok, message = pcall(cosock.run)
    assert.is_false(ok)
    assert.matches("the handler failed", message, 1, true)
    cosock.run()
  end)

  it("replaces the handler that was set before", function()
    local second
    cosock.set_error_handler(function(err)
      second = err
    end)
    cosock.spawn(function()
      error("to the second", 0)
    end)
    cosock.run()
    assert.equal("to the second", second)
    assert.same({}, reports)
  end)

  it("removes the handler when given nil, so that run raises again", function()
    cosock.set_error_handler(nil)
    cosock.spawn(function()
      error "not handled"
    end)
    assert.has_error(cosock.run)
    assert.same({}, reports)
  end)

  it("raises for a handler that cannot be called", function()
    local ok, message = pcall(cosock.set_error_handler, 42)
    assert.is_false(ok)
    assert.matches("bad argument #1 to 'set_error_handler'", message, 1, true)
  end)
end)
