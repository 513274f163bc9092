-- The global variables of modules that were loaded by `cosock.asyncify`.

local cosock = require "cosock"
local modules = require "spec.support.modules"

local asyncify = cosock.asyncify
local unpack = table.unpack or unpack -- luacheck: ignore 143

describe("the global variables of an asyncified module", function()
  local module, written = modules.around(before_each, after_each)

  describe("with a module that stores", function()
    local socket = asyncify "socket"

    it("require in a global variable", function()
      local first = module [[stored_require = require return true]]
      local second = module [[return stored_require "socket"]]
      asyncify(first)
      assert.equal(socket, asyncify(second))
      assert.is_nil(rawget(_G, "stored_require"))
    end)

    it("socket in a global variable, which the rest of the program does not get", function()
      local first = module [[socket = require "socket" return true]]
      local second = module [[return function() return socket end]]
      asyncify(first)
      assert.equal(socket, asyncify(second)())
      assert.not_equal(socket, rawget(_G, "socket"))
    end)

    it("socket in a global variable by way of _G", function()
      local loaded = asyncify(module [[
        _G.socket_by_G = _G.require "socket"
        rawset(_G, "socket_by_rawset", _G.require "socket")
        return { socket_by_G, rawget(_G, "socket_by_rawset"), _G._G == _G, rawget(_G, "string") }
      ]])
      assert.same({ socket, socket, true, string }, loaded)
    end)

    it("require in an upvalue", function()
      local loaded = asyncify(module [[
        local load = require
        return function(name) return load(name) end
      ]])
      assert.equal(socket, loaded "socket")
    end)

    it("a global variable of its own, which everybody sees", function()
      asyncify(module [[asyncified_global = { "stored" } rawset(_G, "asyncified_other", 1) return true]])
      assert.same({ "stored" }, rawget(_G, "asyncified_global"))
      assert.equal(1, rawget(_G, "asyncified_other"))
      _G.asyncified_global = { "changed" }
      assert.same({ "changed" }, asyncify(module [[return asyncified_global]]))
      _G.asyncified_global, _G.asyncified_other = nil, nil
    end)

    it("a metatable for the global variables", function()
      asyncify(module [[
        assert(getmetatable(_G) == nil)
        assert(setmetatable(_G, { __index = { from_metatable = "found" } }) == _G)
        assert(from_metatable == "found")
        return true
      ]])
      assert.equal("found", _G.from_metatable)
      setmetatable(_G, nil)
      assert.equal(socket, asyncify(module [[return require "socket"]]))
    end)

    it("what it found in package.loaded", function()
      local name = module [[
        assert(package.loaded["socket"] == require "socket")
        assert(package.loaded.string == string and package.loaded._G == _G)
        local M = {}
        package.loaded[...] = M
        function M.search() return package.path, package.preload, package.config end
      ]]
      local loaded = asyncify(name)
      assert.same({ package.path, package.preload, package.config }, { loaded.search() })
      assert.is_nil(package.loaded[name])
    end)

    it("a path of its own in package.path", function()
      local before = package.path
      asyncify(module [[package.path = package.path .. ";./added" return true]])
      assert.equal(before .. ";./added", package.path)
    end)
  end)

  it("are found by going through _G, those of the program and those that are ours", function()
    local loaded = asyncify(module [[
      socket_of_ours = require "socket"
      local found = {}
      for _, call in ipairs { function() return pairs(_G) end, function() return next, _G end } do
        local variables, count = {}, 0
        for name, value in call() do
          assert(variables[name] == nil, name)
          variables[name] = value
        end
        for name, value in pairs(variables) do
          assert(_G[name] == value, name)
          count = count + 1
        end
        found[#found + 1] = variables
      end
      assert(next(_G) ~= nil and next({}) == nil and next({ 1 }) == 1)
      return found
    ]])
    for _, variables in ipairs(loaded) do
      assert.equal(print, variables.print)
      assert.equal(cosock.coroutine, variables.coroutine)
      assert.not_equal(require, variables.require)
      assert.equal(asyncify "socket", variables.socket_of_ours)
      for name in pairs(_G) do
        assert.not_nil(variables[name], name)
      end
    end
  end)

  it("raise the interpreter's errors where a module goes through what is no table", function()
    -- LuaJIT has words of its own for `pairs()`.
    local texts = { "local x = next(...)", "local x = next({}, ...)", "local x, y = pairs((...))" }
    for _, text in ipairs(texts) do
      local plain = assert((loadstring or load)(text, "=code"))
      local ours = assert(asyncify(module "return function(...) return (loadstring or load)(...) end"))(text, "=code")
      for _, arguments in ipairs { { n = 0 }, { n = 1 }, { n = 1, 5 }, { n = 1, "text" }, { n = 1, print } } do
        local _, expected = pcall(plain, unpack(arguments, 1, arguments.n))
        local _, message = pcall(ours, unpack(arguments, 1, arguments.n))
        assert.equal(expected, message, text)
      end
    end
  end)

  it("are the same for code that a module loads itself", function()
    written.folder:write("code.lua", [[return require "socket"]])
    local loaded = asyncify(module(([[
      local loadstring = loadstring or load
      local file = %q
      return {
        assert(loadstring 'return require "socket"')(),
        assert(loadfile(file))(),
        dofile(file),
        assert(load((function()
          local pieces, index = { "return ", "require 'socket'" }, 0
          return function() index = index + 1 return pieces[index] end
        end)()))(),
      }
    ]]):format(written.folder.path .. "/code.lua")))
    local socket = asyncify "socket"
    assert.same({ socket, socket, socket, socket }, loaded)
    local results = asyncify(module [[
      local loadstring = loadstring or load
      local chunk, err = loadstring("= 1", "=name")
      return { chunk, err, pcall(dofile, "no such file") }
    ]])
    assert.is_nil(results[1])
    assert.matches("^name:1:", results[2])
    assert.is_false(results[3])
    assert.matches("no such file", results[4], 1, true)
  end)

  it("are others for code that is loaded into an environment of the module's own", function()
    if setfenv then -- luacheck: ignore 113
      return
    end
    local loaded = asyncify(module [[return load("return x", "=code", "t", { x = "given" })()]])
    assert.equal("given", loaded)
  end)
end)
