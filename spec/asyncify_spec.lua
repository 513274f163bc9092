-- `cosock.asyncify`: `require` for modules that know nothing of tasks.

local cosock = require "cosock"
local modules = require "spec.support.modules"

local asyncify = cosock.asyncify
local fresh = modules.fresh

describe("asyncify", function()
  local module, written = modules.around(before_each, after_each)

  it("is cosock.asyncify, and can be required by itself", function()
    assert.equal(asyncify, require "cosock.asyncify")
  end)

  it("gives the module our socket, and everybody the same", function()
    local name = module [[return { socket = require "socket", core = require "socket.core" }]]
    local loaded = asyncify(name)
    assert.equal(asyncify "socket", loaded.socket)
    assert.equal(loaded.socket, loaded.core)
    assert.equal("LuaSocket 3.1.0", loaded.socket._VERSION)
    assert.equal(require("cosock.socket").tcp, loaded.socket.tcp)
    assert.is_nil(package.loaded[name])
  end)

  it("gives ours for every name that it replaces", function()
    for public, ours in pairs {
      ["socket.url"] = "cosock.socket.url",
      ["socket.headers"] = "cosock.socket.headers",
      ["socket.http"] = "cosock.socket.http",
      ["socket.tp"] = "cosock.socket.tp",
      ["socket.smtp"] = "cosock.socket.smtp",
      ["socket.ftp"] = "cosock.socket.ftp",
      ["socket.unix"] = "cosock.socket.unix",
      ["socket.serial"] = "cosock.socket.serial",
      ["ltn12"] = "cosock.ltn12",
      ["mime"] = "cosock.mime",
      ["mime.core"] = "cosock.mime",
      ["mbox"] = "cosock.mbox",
      ["ssl"] = "cosock.ssl",
      ["ssl.config"] = "cosock.ssl.config",
      ["ssl.https"] = "cosock.ssl.https",
      ["ssl.x509"] = "cosock.ssl.certificate",
    } do
      local built, loaded = pcall(require, ours)
      assert.is_true(built or public:find "^ssl" ~= nil, public) -- TLS can be left out of the build
      if built then
        assert.equal(loaded, asyncify(public), public)
      end
      local field = public:match "^socket%.(%a+)$"
      if field and field ~= "unix" and field ~= "serial" then
        assert.equal(loaded, asyncify("socket")[field], public)
      end
    end
  end)

  it("gives cosock.coroutine for coroutine", function()
    local loaded = asyncify(module [[return { global = coroutine, required = require "coroutine" }]])
    assert.equal(cosock.coroutine, loaded.global)
    assert.equal(cosock.coroutine, loaded.required)
    assert.equal(cosock.coroutine, asyncify "coroutine")
  end)

  it("gives the standard libraries as they are", function()
    for _, name in ipairs { "string", "table", "math", "io", "os" } do
      assert.equal(require(name), asyncify(name))
    end
    local loaded = asyncify(module [[return { string, table, math, io, os, print, type }]])
    assert.same({ string, table, math, io, os, print, type }, loaded)
  end)

  it("leaves plain require alone", function()
    local name = module [[local M = { socket = require "socket" } return M]]
    local ours = asyncify(name)
    local plain = require(name)
    assert.not_equal(ours, plain)
    assert.not_equal(ours.socket, plain.socket)
    assert.equal(plain, require(name))
    assert.equal(ours, asyncify(name))
    package.loaded[name] = nil
  end)

  it("loads a module once", function()
    package.loaded.asyncify_count = 0
    local name = module [[
      package.preload.asyncify_unused = nil
      count_of_loads = (count_of_loads or 0) + 1
      return { count = count_of_loads }
    ]]
    assert.equal(asyncify(name), asyncify(name))
    assert.equal(1, asyncify(name).count)
    _G.count_of_loads, package.loaded.asyncify_count = nil, nil
  end)

  it("passes the module what require passes", function()
    local outcome = written:as_require({ counts = [[return { select("#", ...), ... }]] }, function(load)
      local results = load "counts"
      local loaded = results[2]
      loaded[2], loaded[3] = type(loaded[2]), type(loaded[3])
      return { results.n, type(results[3]), loaded }
    end)
    assert.equal("string", outcome[3][2])
  end)

  it("passes on to what the module requires in turn", function()
    local inner = module [[return { socket = require "socket", name = ... }]]
    local middle = module(('return { inner = require "%s", socket = require "socket" }'):format(inner))
    local outer = asyncify(module(('return { middle = require "%s" }'):format(middle)))
    assert.equal(asyncify "socket", outer.middle.inner.socket)
    assert.equal(asyncify(inner), outer.middle.inner)
    assert.equal(inner, outer.middle.inner.name)
  end)

  it("passes on to what is required later, from a function", function()
    local inner = module [[return require "socket"]]
    local loaded = asyncify(module(('return function() return require "%s" end'):format(inner)))
    assert.equal(asyncify "socket", loaded())
  end)

  it("loads packages of several files", function()
    local name = fresh "package"
    written.folder:write(name .. "/init.lua", ('return { part = require "%s.part" }'):format(name))
    written.folder:write(name .. "/part.lua", [[return require "socket"]])
    assert.equal(asyncify "socket", asyncify(name).part)
  end)

  describe("with a module that returns", function()
    it("a function", function()
      assert.equal("called", asyncify(module [[return function() return "called" end]])())
    end)

    it("true, nothing or nil", function()
      for _, text in ipairs { "return true", "", "return nil", "local x" } do
        local name = module(text)
        assert.is_true(asyncify(name))
        assert.is_true(asyncify(name))
      end
    end)

    it("false, which is no module", function()
      _G.times_loaded = 0
      local name = module [[times_loaded = times_loaded + 1 return false]]
      assert.equal(require(name), asyncify(name))
      asyncify(name)
      assert.equal(3, _G.times_loaded)
      _G.times_loaded = nil
      package.loaded[name] = nil
    end)

    it("a number or a string", function()
      assert.equal(42, asyncify(module "return 42"))
      assert.equal("text", asyncify(module "return 'text'"))
    end)
  end)
end)
