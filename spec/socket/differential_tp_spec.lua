-- `cosock.socket.tp` does what LuaSocket's `socket.tp` does: the same calls on the socket, the same results.

local FakeSocket = require "spec.support.fake_socket"
local Generator = require "spec.support.generator"
local Twins = require "spec.support.twins"

local twins = Twins.load("cosock.socket.tp", "socket.tp")
if not twins then
  it("has no LuaSocket here to compare cosock.socket.tp with", function() end)
  return
end

--- Compares what `fn` returns for a control connection to a server that sends `input`, and what both did to the socket.
local function same(title, input, fn, options)
  twins:both(title, function(tp)
    options = options or {}
    local fake = FakeSocket.new {
      input = input,
      receive_error = options.receive_error,
      connect_error = options.connect_error,
      send_error = options.send_error,
    }
    local control, err = tp.connect("host", 25, options.timeout, fake.create)
    if not control then
      return nil, err, fake.log
    end
    local first, second, third = fn(control, fake)
    return fake.log, fake.input, fake.timeout, first, second, third
  end)
end

local function by_function(code, reply)
  return reply, code
end

describe("cosock.socket.tp and LuaSocket's", function()
  it("connect alike", function()
    for _, options in ipairs { {}, { timeout = 5 }, { connect_error = "connection refused" } } do
      same("connect", "", function()
        return "connected"
      end, options)
    end
  end)

  it("check single replies alike", function()
    for _, line in ipairs {
      "220 hello", "220", "220x", "2200 x", "", "hello", "22 hello", " 220", "x220", "550 no", "421 2", "220\ttab",
      "-220",
    } do
      for _, ok in ipairs { "2..", "^2", "2", 220, "220", 221, { "5..", 220 }, { "5..", "3.." }, {}, by_function } do
        same(("%q"):format(line), line .. "\r\n", function(control)
          return control:check(ok)
        end)
      end
    end
  end)

  it("raise alike for what is no check", function()
    for _, ok in ipairs { true, { {} } } do
      same("check", "220 hello\r\n", function(control)
        control:check(ok)
      end)
    end
  end)

  it("read replies of several lines alike, whatever they are made of", function()
    local random = Generator.new(1)
    local pieces = {
      "220-a\r\n", "220 b\r\n", "220-\r\n", "220 \n", "221-c\r\n", "221 d\r\n", "220x\r\n", "\r\n", "e\n", " 220 f\r\n",
      "22", "0", "-", "\r",
    }
    for _ = 1, 500 do
      local input = random:text(pieces, 8)
      same(("%q"):format(input), input, function(control)
        local code, reply = control:check "2.."
        return code, reply, control:check(220)
      end, { receive_error = random:coin() and "timeout" or nil })
    end
  end)

  it("send commands alike", function()
    for _, words in ipairs {
      { "helo" }, { "Mail", "From:<a>" }, { "helo", 12 }, { "helo", "" }, { "helo", false }, { 12 }, { "a b", " c " },
    } do
      for _, send_error in ipairs { false, "closed" } do
        same("command", "", function(control)
          return control:command(words[1], words[2])
        end, { send_error = send_error or nil })
      end
    end
  end)

  it("pass on alike what the socket does", function()
    same("send", "", function(control)
      return control:send "abc"
    end)
    for _, pattern in ipairs { "*l", 3 } do
      same("receive", "one\r\ntwo", function(control)
        return control:receive(pattern)
      end)
      same("sink", "one\r\ntwo", function(control)
        local got
        return control:sink(function(chunk, err)
          got = { chunk, err }
          return "taken"
        end, pattern), got
      end)
    end
    same("names", "", function(control, fake)
      return control:getpeername(), control:getsockname(), control:getcontrol() == fake
    end)
    same("descriptor", "", function(control)
      return control:getfd(), control:dirty(), control:close()
    end)
  end)

  it("send sources alike", function()
    for _, chunks in ipairs { {}, { "a" }, { "a", "", "b" } } do
      same("source", "", function(control)
        local index = 0
        return (control:source(function()
          index = index + 1
          return chunks[index]
        end))
      end)
    end
    same("a source that fails", "", function(control)
      return control:source(function()
        return nil, "no data"
      end)
    end)
    same("a step that fails", "", function(control)
      return control:source(function() end, function()
        return nil, "no step"
      end)
    end)
  end)
end)
