-- What goes wrong while `cosock.asyncify` loads a module goes wrong as with `require`.

local cosock = require "cosock"
local modules = require "spec.support.modules"

local asyncify = cosock.asyncify
local unpack = table.unpack or unpack -- luacheck: ignore 143
local fresh = modules.fresh

describe("asyncify", function()
  local module, written = modules.around(before_each, after_each)

  it("raises what a module raises, and treats it as require does", function()
    local outcome = written:as_require({ bad = [[error "in the body"]] }, function(load)
      return { load "bad", load "bad" }
    end)
    assert.matches("in the body", outcome[1][2], 1, true)
  end)

  it("raises objects as they are", function()
    local problem = {}
    _G.problem_to_raise = problem
    local ok, err = pcall(asyncify, module [[error(problem_to_raise)]])
    assert.is_false(ok)
    assert.equal(problem, err)
    _G.problem_to_raise = nil
  end)

  it("raises what does not compile with require's message", function()
    local outcome = written:as_require({ bad = "local x = = 1" }, function(load)
      return { load "bad" }
    end)
    assert.matches("^error loading module 'bad' from file", outcome[1][2])
  end)

  it("raises require's message for a missing module", function()
    for _, name in ipairs { "no.such.module", "nosuchmodule" } do
      local ok, plain = pcall(require, name)
      assert.is_false(ok)
      local _, ours = pcall(asyncify, name)
      assert.equal(plain, ours)
    end
    local outcome = written:as_require({ asks = [[require "no.such.module"]] }, function(load)
      return { load "asks" }
    end)
    assert.matches("asks.lua:1: module 'no.such.module' not found:", outcome[1][2], 1, true)
  end)

  it("points at the caller in its errors", function()
    local _, message = pcall(function()
      asyncify "no.such.module"
    end)
    assert.matches("^[^:]*errors_spec.lua:%d+: module 'no.such.module' not found:", message)
    _, message = pcall(function()
      asyncify()
    end)
    assert.matches("errors_spec.lua:%d+: bad argument #1 to 'asyncify' %(string expected, got no value%)", message)
  end)

  it("raises what require raises for a name that is none", function()
    local text = "return function(...) local x = require(...) return x end"
    local outcome = written:as_require({ asks = text }, function(load)
      local ask, messages = load("asks")[2], {}
      for _, arguments in ipairs { { n = 0 }, { n = 1 }, { n = 1, {} }, { n = 1, true }, { n = 1, print } } do
        local _, message = pcall(ask, unpack(arguments, 1, arguments.n))
        messages[#messages + 1] = message:match "lua:1: (.*)"
      end
      return messages
    end)
    assert.equal(5, #outcome)
  end)

  it("takes part in cycles as require does", function()
    written:as_require({
      one = [[local M = {} package.loaded[...] = M M.other = require "{two}" return M]],
      two = [[local M = {} M.other = require "{one}" return M]],
    }, function(load)
      local results = load "one"
      if results[1] then
        assert.equal(results[2], results[2].other.other)
      end
      return { results[1], results[1] and true or results[2] }
    end)
  end)

  it("does not go on for ever with modules that require each other", function()
    for _ = 1, 2 do
      local names = { fresh(), fresh() }
      module(("return require '%s'"):format(names[2]), names[1])
      module(("return require '%s'"):format(names[1]), names[2])
      for _ = 1, 3 do
        assert.is_false((pcall(asyncify, names[1])))
      end
    end
  end)

  it("loads again after many errors", function()
    local name = module [[error "not yet"]]
    for _ = 1, 300 do
      pcall(asyncify, name)
    end
    written.folder:write(name .. ".lua", "return 'now'")
    local ok, value = pcall(asyncify, name)
    -- On Lua 5.1 an error in a module is for ever.
    assert.equal(setfenv == nil, ok) -- luacheck: ignore 113
    assert.matches(ok and "now" or "previous error", value, 1, true)
  end)
end)
