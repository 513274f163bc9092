-- Where `cosock.asyncify` finds modules: where `require` does.

local cosock = require "cosock"
local modules = require "spec.support.modules"

local asyncify = cosock.asyncify
local fresh = modules.fresh
local searchers = package.searchers or package.loaders -- luacheck: ignore 143

describe("asyncify", function()
  local module = modules.around(before_each, after_each)

  describe("finds modules through", function()
    it("package.preload, and leaves the function as it was", function()
      local name = fresh()
      package.preload[name] = function(...)
        return { (...), require "socket", function() return coroutine end }
      end
      local loaded = asyncify(name)
      assert.equal(name, loaded[1])
      assert.equal(asyncify "socket", loaded[2])
      assert.equal(cosock.coroutine, loaded[3]())
      local plain = require(name)
      assert.not_equal(loaded[2], plain[2])
      assert.equal(coroutine, plain[3]())
      package.preload[name], package.loaded[name] = nil, nil
    end)

    it("package.preload, when the function raises", function()
      local name = fresh()
      package.preload[name] = function()
        error("while loading", 0)
      end
      local ok, message = pcall(asyncify, name)
      assert.is_false(ok)
      assert.equal("while loading", message)
      package.preload[name] = function()
        return require "socket"
      end
      package.preload[name] = nil
    end)

    it("package.cpath", function()
      for _, name in ipairs { "lfs", "cosock.channel" } do
        local found, library = pcall(require, name)
        assert.is_true(found or name == "lfs") -- not for every version
        if found then
          assert.equal(library, asyncify(name))
          assert.equal(library, asyncify(module(("return require '%s'"):format(name))))
        end
      end
    end)

    it("a searcher of the program's", function()
      local name = fresh()
      local load = loadstring or load
      local function searcher(wanted)
        if wanted == name then
          return assert(load [[return { require "socket", coroutine }]])
        end
        return "\n\tnot here"
      end
      table.insert(searchers, searcher)
      assert.same({ asyncify "socket", cosock.coroutine }, asyncify(name))
      table.remove(searchers)
    end)

    it("package.loaded alone", function()
      local name = fresh()
      package.loaded[name] = { "put there by hand" }
      assert.equal(package.loaded[name], asyncify(name))
      package.loaded[name] = nil
    end)
  end)
end)
