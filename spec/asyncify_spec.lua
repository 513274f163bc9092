-- `cosock.asyncify`: `require` for modules that know nothing of tasks.

local cosock = require "cosock"
local files = require "spec.support.files"
local oracle = require "spec.support.oracle"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

local asyncify = cosock.asyncify
local searchers = package.searchers or package.loaders -- luacheck: ignore 143

-- Loading a module a second time would find it loaded, so every spec uses names of its own.
local used = 0
local function fresh(prefix)
  used = used + 1
  return ("%s_%d"):format(prefix or "asyncified", used)
end

describe("asyncify", function()
  local folder, path, cpath

  before_each(function()
    cosock.reset()
    if not oracle.available() then
      -- What plain require finds must be something else than ours.
      package.preload.socket = function()
        return { "another socket" }
      end
    end
    folder, path, cpath = files.folder(), package.path, package.cpath
    package.path = folder.path .. "/?.lua;" .. folder.path .. "/?/init.lua;" .. path
  end)

  after_each(function()
    package.path, package.cpath = path, cpath
    if package.preload.socket then
      package.preload.socket, package.loaded.socket = nil, nil
    end
    folder:remove()
  end)

  --- Writes a module and returns its name.
  local function module(text, name)
    name = name or fresh()
    folder:write(name:gsub("%.", "/") .. ".lua", text)
    return name
  end

  -- What require does, asyncify does. Each module is loaded by both, in files of their own.
  local function as_require(files_of, calls)
    local outcomes = {}
    for index, load in ipairs { require, asyncify } do
      local names, written = {}, {}
      for key in pairs(files_of) do
        names[key] = ("mirror_%s_%s_%d"):format(index == 1 and "plain" or "async", key, used)
      end
      used = used + 1
      for key, text in pairs(files_of) do
        written[#written + 1] = module(text:gsub("{(%a+)}", names), names[key])
      end
      outcomes[index] = calls(function(key, ...)
        local results = peers.pack(pcall(load, names[key] or key, ...))
        for position = 1, results.n do
          if type(results[position]) == "string" then
            results[position] = results[position]:gsub("mirror_%a+_(%a+)_%d+", "%1")
          end
        end
        return results
      end)
      for _, name in ipairs(written) do
        package.loaded[name] = nil
      end
    end
    assert.same(outcomes[1], outcomes[2])
    return outcomes[2]
  end

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
      ["ssl.https"] = "cosock.ssl.https",
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
    local outcome = as_require({ counts = [[return { select("#", ...), ... }]] }, function(load)
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
    folder:write(name .. "/init.lua", ('return { part = require "%s.part" }'):format(name))
    folder:write(name .. "/part.lua", [[return require "socket"]])
    assert.equal(asyncify "socket", asyncify(name).part)
  end)

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

  it("raises what a module raises, and treats it as require does", function()
    local outcome = as_require({ bad = [[error "in the body"]] }, function(load)
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
    local outcome = as_require({ bad = "local x = = 1" }, function(load)
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
    local outcome = as_require({ asks = [[require "no.such.module"]] }, function(load)
      return { load "asks" }
    end)
    assert.matches("asks.lua:1: module 'no.such.module' not found:", outcome[1][2], 1, true)
  end)

  it("points at the caller in its errors", function()
    local _, message = pcall(function()
      asyncify "no.such.module"
    end)
    assert.matches("^[^:]*asyncify_spec.lua:%d+: module 'no.such.module' not found:", message)
    _, message = pcall(function()
      asyncify()
    end)
    assert.matches("^[^:]*asyncify_spec.lua:%d+: bad argument #1 to 'asyncify' %(string expected, got nil%)", message)
  end)

  it("takes part in cycles as require does", function()
    as_require({
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
    folder:write(name .. ".lua", "return 'now'")
    local ok, value = pcall(asyncify, name)
    -- On Lua 5.1 an error in a module is for ever.
    assert.equal(setfenv == nil, ok) -- luacheck: ignore 113
    assert.matches(ok and "now" or "previous error", value, 1, true)
  end)

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

  it("gives code that a module loads itself the same environment", function()
    folder:write("code.lua", [[return require "socket"]])
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
    ]]):format(folder.path .. "/code.lua")))
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

  it("loads code into an environment that the module names", function()
    if setfenv then -- luacheck: ignore 113
      return
    end
    local loaded = asyncify(module [[return load("return x", "=code", "t", { x = "given" })()]])
    assert.equal("given", loaded)
  end)

  it("waits in the task, and lets others run", function()
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

  it("lets a module wait in pcall and xpcall", function()
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

  if rawget(_G, "module") then
    it("sets the global variables that LuaSocket's modules set, for asyncified modules alone", function()
      local before = rawget(_G, "ltn12")
      local seen = asyncify(module [[local loaded = require "ltn12" return ltn12 == loaded and ltn12]])
      assert.equal(asyncify "ltn12", seen)
      assert.equal(before, rawget(_G, "ltn12"))
    end)

    it("has module() and package.seeall", function()
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

    it("refuses a module() whose name is taken", function()
      local name = fresh()
      local text = ([[rawset(_G, "%s_taken", require) module "%s_taken.x"]]):format(name, name)
      local ok, message = pcall(asyncify, module(text))
      assert.is_false(ok)
      assert.matches("name conflict for module", message, 1, true)
    end)
  end
end)

