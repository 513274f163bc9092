-- The programs in examples/: each is run as a user would run it.

local socket = require "cosock.socket"
local nginxes = require "spec.support.nginx"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local servers = require "spec.support.http"

local unpack = table.unpack or unpack -- luacheck: ignore 143

local PATIENCE = 20 -- seconds for an answer that comes at once unless something is wrong

--- Connects to an example's server, outside a task.
local function connect(port)
  local client = assert(socket.connect("127.0.0.1", port))
  client:settimeout(PATIENCE)
  return client
end

local function ends_by_interrupt(child)
  child:sleeps()
  child:signal "INT"
  assert.matches("interrupted!", child:finish(), 1, true)
end

describe("examples/client_server.lua", function()
  after_each(process.stop_all)

  local function plays(rounds, ...)
    local expected = {}
    for round = 1, rounds do
      expected[#expected + 1] = "sending ping " .. round
      expected[#expected + 1] = "sending pong " .. round
    end
    local output, status = process.file("examples/client_server.lua", ...):finish()
    assert.equal(table.concat(expected, "\n"), (output:gsub("\n$", "")))
    assert.equal(0, status)
  end

  it("plays five rounds and ends", function()
    plays(5)
  end)

  it("plays as many rounds as it is told", function()
    plays(100, 100)
  end)

  it("explains itself when it is told something else", function()
    local output, status = process.file("examples/client_server.lua", "many"):finish()
    assert.matches("^usage: ", output)
    assert.equal(1, status)
  end)
end)

describe("examples/echo_server.lua", function()
  after_each(process.stop_all)

  it("sends every client its lines back and ends after the number of connections it was given", function()
    local child = process.file("examples/echo_server.lua", "--connections", 2)
    local port = child:expect "^listening on 127%.0%.0%.1:(%d+)$"
    local first, second = connect(port), connect(port)
    for _, line in ipairs { "one", "", "three three" } do
      second:send(line .. "\n")
      first:send("first " .. line .. "\n")
      assert.equal("first " .. line, (first:receive()))
      assert.equal(line, (second:receive()))
    end
    first:close()
    second:close()
    local _, status = child:finish()
    assert.equal(0, status)
  end)

  it("serves until Ctrl-C", function()
    local child = process.file "examples/echo_server.lua"
    local client = connect(child:expect "^listening on 127%.0%.0%.1:(%d+)$")
    client:send "still there?\n"
    assert.equal("still there?", (client:receive()))
    client:close()
    ends_by_interrupt(child)
  end)

  it("says when its port is taken", function()
    local server, port = peers.server(socket)
    local output, status = process.file("examples/echo_server.lua", port):finish()
    assert.matches("cannot listen on port " .. port .. ": address already in use", output, 1, true)
    assert.equal(1, status)
    server:close()
  end)
end)

describe("examples/port_scan.lua", function()
  after_each(process.stop_all)

  it("tells open, closed and silent ports apart", function()
    local server, open = peers.server(socket)
    local closed = peers.refused_port(socket)
    local silent = peers.unanswering_port(socket)
    local output, status = process.file("examples/port_scan.lua", "127.0.0.1", open, closed, silent):finish()
    assert.matches("127.0.0.1:" .. open .. " is open", output, 1, true)
    assert.not_matches(closed .. " is open", output, 1, true)
    assert.matches("3 ports in [%d.]+ seconds: 1 open, 1 closed, 1 silent", output)
    assert.equal(0, status)
    server:close()
  end)

  it("scans ranges", function()
    local server, port = peers.server(socket)
    local range = ("%d-%d"):format(math.max(port - 300, 1), math.min(port + 300, 65535))
    local output, status = process.file("examples/port_scan.lua", "127.0.0.1", range):finish()
    assert.matches("127.0.0.1:" .. port .. " is open", output, 1, true)
    assert.equal(0, status)
    server:close()
  end)

  it("explains itself when it is told nothing or nonsense", function()
    for _, words in ipairs { {}, { "127.0.0.1" }, { "127.0.0.1", "http" } } do
      local output, status = process.file("examples/port_scan.lua", words[1], words[2]):finish()
      assert.matches("^usage: ", output)
      assert.equal(1, status)
    end
  end)
end)

describe("examples/download.lua", function()
  local nginx, server, folder

  setup(function()
    nginx, server = nginxes.start(), servers.server()
    folder = nginx.folder .. "/downloads"
    os.execute("mkdir " .. folder)
  end)

  teardown(function()
    nginx:stop()
    server:stop()
    process.stop_all()
  end)

  local function content(name)
    local file = io.open(folder .. "/" .. name, "rb")
    local text = file and file:read "*a"
    if file then
      file:close()
    end
    return text
  end

  it("fetches twenty files at a time, with a line for each", function()
    local addresses = {}
    for index = 1, 20 do
      nginx:write(index .. ".txt", ("%d\n"):format(index):rep(10000))
      addresses[index] = nginx:url(index .. ".txt")
    end
    local child = process.file("examples/download.lua", folder, unpack(addresses))
    local output, status = child:finish()
    for index = 1, 20 do
      local text = ("%d\n"):format(index):rep(10000)
      assert.equal(text, content(index .. ".txt"))
      assert.matches(("[%d/20] %d.txt: %d bytes in "):format(index, index, #text), output, 1, true)
    end
    assert.matches("20 of 20 files", output, 1, true)
    assert.equal(0, status)
  end)

  it("tells how far it is, and what failed", function()
    local child = process.file("examples/download.lua", folder,
      server:url("pause", 1.5, "HTTP/1.1 200 OK\r\nContent-Length: 5001\r\n\r\n" .. ("x"):rep(5000), "y") .. "/slow",
      nginx:url "none.txt",
      server:url("raw", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234") .. "/broken",
      nginx:url "small.txt",
      nginx:url "small.txt")
    local output, status = child:finish()
    assert.matches("%[1/5%] slow: [1-9]%d* bytes so far", output)
    assert.matches("[1/5] slow: 5001 bytes in", output, 1, true)
    assert.matches("[2/5] none.txt: failed after 153 bytes: HTTP/1.1 404 Not Found", output, 1, true)
    assert.matches("[3/5] broken: failed after 5 bytes: closed", output, 1, true)
    assert.matches("3 of 5 files", output, 1, true)
    assert.equal(("x"):rep(5000) .. "y", content "slow")
    assert.equal("a small file\n", content "small.txt")
    assert.equal("a small file\n", content "2-small.txt")
    assert.is_nil(content "none.txt")
    assert.is_nil(content "broken")
    assert.equal("01234", content "broken.part")
    assert.equal(1, status)
  end)

  it("explains itself when it is told nothing", function()
    local output, status = process.file("examples/download.lua", folder):finish()
    assert.matches("^usage: ", output)
    assert.equal(1, status)
  end)
end)

describe("examples/chat_server.lua", function()
  after_each(process.stop_all)

  local function join(port, name)
    local member = connect(port)
    assert.equal("Your name?", (member:receive()))
    member:send(name .. "\n")
    return member
  end

  it("passes what one member writes to all others, and tells who comes and goes", function()
    local child = process.file "examples/chat_server.lua"
    local port = child:expect "^listening on 127%.0%.0%.1:(%d+)$"
    local ann = join(port, "ann")
    assert.equal("* ann has joined", child:line())
    local bob = join(port, "bob")
    assert.equal("* bob has joined", (ann:receive()))
    local cid = join(port, "cid")
    assert.equal("* cid has joined", (ann:receive()))
    assert.equal("* cid has joined", (bob:receive()))

    for _, text in ipairs { "hello", "is anybody there?" } do
      bob:send(text .. "\n")
      assert.equal("<bob> " .. text, (ann:receive()))
      assert.equal("<bob> " .. text, (cid:receive()))
    end
    cid:send "yes\n"
    assert.equal("<cid> yes", (bob:receive()))
    assert.equal("<cid> yes", (ann:receive()))

    bob:close()
    assert.equal("* bob has left", (ann:receive()))
    assert.equal("* bob has left", (cid:receive()))
    ann:close()
    cid:close()
    child:expect "^%* ann has left$"
    child:expect "^%* cid has left$"
    ends_by_interrupt(child)
  end)

  it("forgets a visitor who leaves without a name", function()
    local child = process.file "examples/chat_server.lua"
    local port = child:expect "^listening on 127%.0%.0%.1:(%d+)$"
    connect(port):close()
    local ann = join(port, "ann")
    assert.equal("* ann has joined", child:line())
    ann:close()
    assert.equal("* ann has left", child:line())
  end)

  it("drops a member who does not read, and serves the others", function()
    local child = process.file "examples/chat_server.lua"
    local port = child:expect "^listening on 127%.0%.0%.1:(%d+)$"
    local slow, ann = join(port, "slow"), join(port, "ann")
    child:expect "ann has joined$"
    local text = ("x"):rep(10000)
    local left
    repeat
      ann:send(text .. "\n")
      child:expect "^<ann> x+$"
      ann:settimeout(0)
      left = ann:receive()
      ann:settimeout(PATIENCE)
    until left
    assert.equal("* slow has left", left)
    slow:close()
    ann:close()
  end)
end)
