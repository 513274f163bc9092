-- `cosock.install()`: our modules for a whole program, and back.

local cosock = require "cosock"
local files = require "spec.support.files"
local oracle = require "spec.support.oracle"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

local NAMES = {
  "socket", "socket.core", "socket.http", "socket.url", "socket.headers", "socket.tp", "socket.smtp", "socket.ftp",
  "socket.unix", "socket.serial", "ltn12", "mime", "mime.core", "mbox", "ssl", "ssl.config",
  "ssl.https", "ssl.x509",
}

--- Everything that install may change.
local function snapshot()
  local state = { coroutine = {}, loaded = {}, preload = {} }
  state.functions = { pcall, xpcall, debug.traceback, require, dofile }
  state.tables = { coroutine, rawget(_G, "ltn12"), rawget(_G, "mbox") }
  for name, value in pairs(coroutine) do
    state.coroutine[name] = value
  end
  for _, name in ipairs(NAMES) do
    state.loaded[name], state.preload[name] = package.loaded[name], package.preload[name]
  end
  return state
end

describe("cosock.install", function()
  local before

  before_each(function()
    cosock.reset()
    before = snapshot()
  end)

  after_each(function()
    cosock.uninstall()
    assert.same(before, snapshot())
  end)

  it("makes require give ours", function()
    cosock.install()
    for _, name in ipairs(NAMES) do
      local ours = name == "socket.core" and "socket" or name == "mime.core" and "mime" or name
      if ours == "socket" or pcall(require, "cosock." .. ours) then
        assert.equal(cosock.asyncify(ours), require(name), name)
        assert.equal(package.loaded[name], require(name))
      end
    end
  end)

  it("makes the functions of the table coroutine the nesting ones", function()
    local names = {}
    for name in pairs(coroutine) do
      names[#names + 1] = name
    end
    cosock.install()
    for _, name in ipairs(names) do
      assert.equal(cosock.coroutine[name], coroutine[name], name)
    end
    assert.is_nil(rawget(coroutine, "pcall"))
    local order = {}
    run.tasks(function()
      local result = coroutine.wrap(function()
        cosock.socket.sleep(0.001)
        return "waited"
      end)()
      order[#order + 1] = result
    end, function()
      order[#order + 1] = "meanwhile"
    end)
    assert.same({ "meanwhile", "waited" }, order)
  end)

  it("lets modules and files wait while they are loaded", function()
    local folder, path = files.folder(), package.path
    local file = folder:write("waiting_module.lua", [[
      local before = (...)
      require("socket").sleep(0.001)
      return { before, "waited" }
    ]])
    package.path = folder.path .. "/?.lua;" .. path
    local order = {}
    local asyncified
    cosock.install()
    run.tasks(function()
      local required, done = require "waiting_module", dofile(file)
      order[#order + 1] = required[2]
      order[#order + 1] = done[2]
      cosock.uninstall()
      asyncified = cosock.asyncify "waiting_module"
    end, function()
      order[#order + 1] = "meanwhile"
    end)
    package.path, package.loaded.waiting_module = path, nil
    folder:remove()
    assert.same({ "waiting_module", "waited" }, asyncified)
    table.sort(order)
    assert.same({ "meanwhile", "waited", "waited" }, order)
  end)

  it("makes pcall and xpcall such as can be waited across", function()
    cosock.install()
    local results
    run.task(function()
      results = peers.pack(pcall(function(...)
        cosock.socket.sleep(0)
        return ...
      end, 1, nil))
      local _, text = xpcall(function()
        cosock.socket.sleep(0)
        error "broken"
      end, debug.traceback)
      assert.matches("broken\nstack traceback:\n", text, 1, true)
    end)
    assert.same({ n = 3, true, 1, nil }, results)
  end)

  it("can be called twice, and undone once", function()
    cosock.install()
    local installed = snapshot()
    cosock.install()
    assert.same(installed, snapshot())
  end)

  it("can be undone without having been called", function()
    cosock.uninstall()
  end)

  it("can be done again", function()
    for _ = 1, 3 do
      cosock.install()
      assert.equal(cosock.asyncify "socket", require "socket")
      cosock.uninstall()
      assert.same(before, snapshot())
    end
  end)

  it("keeps what others change meanwhile", function()
    cosock.install()
    local function other() end
    rawset(coroutine, "wrap", other)
    cosock.uninstall()
    assert.equal(other, coroutine.wrap)
    rawset(coroutine, "wrap", before.coroutine.wrap)
  end)

  it("reaches modules that are required from then on", function()
    local folder, path = files.folder(), package.path
    folder:write("installed_module.lua", [[
      local socket = require "socket"
      return { socket = socket, wrap = coroutine.wrap }
    ]])
    package.path = folder.path .. "/?.lua;" .. path
    cosock.install()
    local loaded = require "installed_module"
    package.path, package.loaded.installed_module = path, nil
    folder:remove()
    assert.equal(cosock.asyncify "socket", loaded.socket)
    assert.equal(cosock.coroutine.wrap, loaded.wrap)
  end)

  it("goes on with what plain require has begun, and the other way round", function()
    local folder, path = files.folder(), package.path
    folder:write("fails_plainly.lua", "error 'in the body'")
    folder:write("fails_installed.lua", "error 'in the body'")
    folder:write("installs.lua", "require('cosock').install() return { pcall(require, 'goes_back') }")
    folder:write("goes_back.lua", "return { pcall(require, 'installs') }")
    package.path = folder.path .. "/?.lua;" .. path
    local plainly = require
    local function tries(name)
      local _, first = pcall(plainly, name)
      cosock.install()
      local _, second = pcall(require, name)
      cosock.uninstall()
      local _, third = pcall(plainly, name)
      return { first, second, third }
    end
    local begun = tries "fails_plainly"
    cosock.install()
    local _, message = pcall(require, "fails_installed")
    cosock.uninstall()
    local ended = tries "fails_installed"
    local cycle = require "installs"
    cosock.uninstall()
    package.path = path
    folder:remove()
    for _, name in ipairs { "fails_plainly", "fails_installed", "installs", "goes_back" } do
      package.loaded[name] = nil
    end
    assert.matches("in the body", begun[1], 1, true)
    assert.matches("in the body", message, 1, true)
    -- On Lua 5.1 an error in a module is for ever, and a cycle is an error.
    local is_old = setfenv ~= nil -- luacheck: ignore 113
    for _, text in ipairs { begun[2], begun[3], ended[1], ended[2], ended[3] } do
      assert.matches(is_old and "loop or previous error loading module" or "in the body", text, 1, true)
    end
    assert.equal(true, cycle[1])
    assert.equal(not is_old, cycle[2][1] and type(cycle[2][2]) == "table")
  end)

  if rawget(_G, "module") then
    it("sets the global variables that LuaSocket's modules set", function()
      cosock.install()
      assert.equal(require "ltn12", rawget(_G, "ltn12"))
    end)
  end

  if oracle.available() then
    it("works when LuaSocket was loaded before, and gives it back", function()
      local luasocket = require "socket"
      local url = require "socket.url"
      before = snapshot()
      cosock.install()
      assert.not_equal(luasocket, require "socket")
      assert.not_equal(url, require "socket.url")
      assert.equal(require "socket.url", require("socket").url)
      cosock.uninstall()
      assert.equal(luasocket, require "socket")
      assert.equal(url, require "socket.url")
      assert.equal(luasocket, require "socket.core")
    end)

    it("lets LuaSocket be loaded afterwards", function()
      local loaded = {}
      for _, name in ipairs(NAMES) do
        loaded[name], package.loaded[name] = package.loaded[name], nil
      end
      local inner = snapshot()
      cosock.install()
      local ours = require "socket"
      cosock.uninstall()
      assert.same(inner, snapshot())
      assert.not_equal(ours, require "socket")
      assert.matches("^tcp", tostring(require("socket").tcp()))
      assert.equal(cosock.asyncify("socket").tcp, ours.tcp)
      for _, name in ipairs(NAMES) do
        package.loaded[name] = loaded[name]
      end
    end)
  end
end)
