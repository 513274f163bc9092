-- Programs and libraries that were written for LuaSec's https.

local cosock = require "cosock"
local files = require "spec.support.files"
local http = require "cosock.socket.http"
local https = require "cosock.ssl.https"
local process = require "spec.support.process"
local run = require "spec.support.run"
local servers = require "spec.support.http"
local socket = require "cosock.socket"
local tls = require "spec.support.tls"

local unpack = table.unpack or unpack -- luacheck: ignore 143

local PROGRAM = [[
local https = require "ssl.https"
local ltn12 = require "ltn12"
local ssl = require "ssl"

https.TIMEOUT = 30
local address, cafile, stranger = arg[1], arg[2], arg[3]

local function fetch(url, verify)
  local parts = {}
  local ok, code, headers, status = https.request {
    url = url, sink = ltn12.sink.table(parts), verify = verify, cafile = cafile, mode = "client", protocol = "any",
    headers = { ["x-name"] = "value" },
  }
  if ok then
    return ok, code, headers["content-length"], status, table.concat(parts)
  end
  return ok, (code:match "^[^:]*")
end

print(fetch(address, "peer"))
print(fetch(stranger, "peer"))
print(fetch(stranger, "none"))
print(pcall(https.request, 5) == false, type(ssl.wrap), type(https.tcp()))
print(https.request { url = address, create = function() end })
print(coroutine.wrap(function()
  return fetch(address, "peer")
end)())
]]

describe("a program for LuaSec", function()
  local server, folder, arguments

  setup(function()
    server = servers.secure_server(tls.folder(), "server", "stranger")
    folder = files.folder()
    local body = ("0123456789"):rep(100)
    arguments = {
      server:secure_url("server", "raw", servers.reply(body)), tls.file "root.pem",
      server:secure_url("stranger", "raw", servers.reply(body)),
    }
  end)

  teardown(function()
    http.POOL:close()
    folder:remove()
    server:stop()
    process.stop_all()
  end)

  --- What it prints, whether we run it in full or in part.
  local function expected()
    local reply = "1\t200\t1000\tHTTP/1.1 200 OK\t" .. ("0123456789"):rep(100)
    return table.concat({
      reply, "nil\tcertificate verify failed", reply, "true\tfunction\tfunction",
      "nil\tcreate function not permitted", reply, "",
    }, "\n")
  end

  if tls.luasec() then
    it("does with LuaSec what is expected of it", function()
      local path = folder:write("program.lua", PROGRAM)
      assert.equal(expected(), (process.file(path, unpack(arguments)):finish()))
    end)
  end

  it("runs by the command", function()
    local path = folder:write("program.lua", PROGRAM)
    assert.equal(expected(), (process.file("bin/cosock", path, unpack(arguments)):finish()))
  end)

  it("runs with one line at its top", function()
    local path = folder:write("installed.lua", 'require("cosock").install()\n' .. PROGRAM)
    assert.equal(expected(), (process.file(path, unpack(arguments)):finish()))
  end)

  it("may be a library that twenty tasks use at once", function()
    local name = "asyncified_https_client"
    folder:write(name .. ".lua", [[
      local https, socket = require "ssl.https", require "socket"
      return { https = https, http = require "socket.http", fetch = function(url, cafile)
        return socket.protect(function()
          return socket.try(https.request { url = url, cafile = cafile, verify = "peer" })
        end)()
      end }
    ]])
    local path = package.path
    package.path = folder.path .. "/?.lua;" .. path
    local library = cosock.asyncify(name)
    package.path = path
    assert.equal(https, library.https)
    assert.equal(http, library.http)
    local started = socket.gettime()
    local tasks = {}
    for index = 1, 20 do
      tasks[index] = function()
        local url = server:secure_url("server", "pause", 0.3, "HTTP/1.1 200 OK\r\n", "Content-Length: 0\r\n\r\n")
        assert.equal(1, (library.fetch(url, tls.file "root.pem")))
      end
    end
    run.tasks(unpack(tasks))
    assert.is_true(socket.gettime() - started < 3)
  end)
end)
