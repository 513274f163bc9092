-- `module` and `package.seeall` for modules that were loaded by `cosock.asyncify`, where the interpreter has them.

local cosock = require "cosock"
local modules = require "spec.support.modules"

local asyncify = cosock.asyncify
local fresh = modules.fresh

if rawget(_G, "module") then
  describe("an asyncified module of the old style", function()
    local module = modules.around(before_each, after_each)

    it("sets the global variables that LuaSocket's modules set, for asyncified modules alone", function()
      local before = rawget(_G, "ltn12")
      local seen = asyncify(module [[local loaded = require "ltn12" return ltn12 == loaded and ltn12]])
      assert.equal(asyncify "ltn12", seen)
      assert.equal(before, rawget(_G, "ltn12"))
    end)

    it("is made by module() and package.seeall", function()
      local name = fresh "old.style"
      local inner = module([[
        local require = require
        module(..., package.seeall)
        sock = require "socket"
        function get() return sock, require "socket", coroutine, _NAME, _PACKAGE, _M end
      ]], name)
      local loaded = asyncify(inner)
      local socket = asyncify "socket"
      assert.same({ socket, socket, cosock.coroutine, name, "old.", loaded }, { loaded.get() })
      assert.is_nil(package.loaded[name])
      local global = rawget(_G, "old")
      assert.is_true(global == nil or global[name:match "%.(.*)"] == nil)
      assert.equal(loaded.get, asyncify(module(("return %s.get"):format(name))))
      assert.equal(loaded, asyncify(name))
    end)

    it("is refused if its name is taken", function()
      local name = fresh()
      local text = ([[rawset(_G, "%s_taken", require) module "%s_taken.x"]]):format(name, name)
      local ok, message = pcall(asyncify, module(text))
      assert.is_false(ok)
      assert.matches("name conflict for module", message, 1, true)
    end)
  end)
end
