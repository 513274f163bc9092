-- The programs in examples/: each is run as a user would run it.

local mime = require "cosock.mime"
local serial = require "cosock.socket.serial"
local socket = require "cosock.socket"
local http_servers = require "spec.support.http"
local nginxes = require "spec.support.nginx"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local servers = require "spec.support.servers"
local terminal = require "spec.support.terminal"
local tls = require "spec.support.tls"
local unix_peers = require "spec.support.unix_peers"

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
    local holders, first = peers.ports_in_a_row(socket, 20)
    assert(holders[7]:listen())
    -- Often enough that the tasks, 100 at most, take several ports each.
    local range, ranges = ("%d-%d"):format(first, first + 19), {}
    for index = 1, 10 do
      ranges[index] = range
    end
    local output, status = process.file("examples/port_scan.lua", "127.0.0.1", unpack(ranges)):finish()
    assert.matches(("127.0.0.1:%d is open"):format(first + 6), output, 1, true)
    assert.matches("200 ports in [%d.]+ seconds: 10 open, 190 closed, 0 silent", output)
    assert.equal(0, status)
    for _, holder in ipairs(holders) do
      holder:close()
    end
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
    nginx, server = nginxes.start(), http_servers.server()
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

describe("examples/https_get.lua", function()
  local server

  setup(function()
    server = http_servers.secure_server(tls.folder(), "server", "expired")
  end)

  teardown(function()
    server:stop()
    process.stop_all()
  end)

  it("fetches pages at once, and says whom it does not trust", function()
    local addresses = { server:secure_url("expired", "echo"), "https://localhost:" .. server.port .. "/" }
    local started = socket.gettime()
    for index = 1, 20 do
      addresses[#addresses + 1] = server:secure_url("server", "pause", 0.3,
        "HTTP/1.1 200 OK\r\n", ("Content-Length: 2\r\n\r\n%02d"):format(index))
    end
    local trusted = "SSL_CERT_FILE=" .. tls.file "root.pem"
    local child = process.file_with(trusted, "examples/https_get.lua", unpack(addresses))
    local output, status = child:finish()
    assert.is_true(socket.gettime() - started < 4)
    assert.matches(addresses[1] .. ": certificate verify failed: certificate has expired", output, 1, true)
    assert.matches(addresses[2] .. ": wrong version number", output, 1, true)
    for index = 3, #addresses do
      assert.matches(addresses[index] .. ": HTTP/1.1 200 OK, 2 bytes after ", output, 1, true)
    end
    assert.equal(1, status)
  end)

  it("succeeds if every page is there", function()
    local child = process.file_with("SSL_CERT_FILE=" .. tls.file "root.pem", "examples/https_get.lua",
      server:secure_url("server", "echo"))
    local output, status = child:finish()
    assert.matches(": HTTP/1.1 200 OK, %d+ bytes after [%d.]+ seconds", output)
    assert.equal(0, status)
  end)

  it("explains itself when it is told nothing", function()
    local output, status = process.file("examples/https_get.lua"):finish()
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

describe("examples/unix_chat.lua", function()
  after_each(process.stop_all)
  after_each(terminal.unplug_all)
  teardown(unix_peers.remove_files)

  -- A room, as a child that has said where it is.
  local function room(path)
    local child = process.file("examples/unix_chat.lua", "serve", path)
    assert.equal("the room is at " .. path, child:line())
    return child
  end

  -- Somebody in the room: what it prints is in `child`, and what it is to type goes to `keyboard`.
  local function member(path, name)
    unix_peers.path("room." .. name) -- to be removed in the end, whatever happens
    local cable = terminal.pair()
    local child = process.file("examples/unix_chat.lua", "join", path, name, cable[1])
    return { child = child, keyboard = assert(serial(cable[2])), cable = cable }
  end

  it("passes what one member types to all others, and tells who comes and goes", function()
    local path = unix_peers.path "room"
    local host = room(path)
    local ann = member(path, "ann")
    assert.equal("* ann has come", host:line())
    local bob = member(path, "bob")
    assert.equal("* bob has come", ann.child:line())
    local cid = member(path, "cid")
    assert.equal("* cid has come", ann.child:line())
    assert.equal("* cid has come", bob.child:line())

    for _, text in ipairs { "hello", "is anybody there?" } do
      bob.keyboard:send(text .. "\n")
      assert.equal("<bob> " .. text, ann.child:line())
      assert.equal("<bob> " .. text, cid.child:line())
    end
    cid.keyboard:send "yes\n"
    assert.equal("<cid> yes", bob.child:line())
    assert.equal("<cid> yes", ann.child:line())

    bob.keyboard:send "\n"
    local _, status = bob.child:finish()
    assert.equal(0, status)
    assert.is_false(unix_peers.exists(path .. ".bob"))
    assert.equal("* bob has left", ann.child:line())
    ann.cable:unplug() -- its terminal is gone
    assert.equal(0, (select(2, ann.child:finish())))
    assert.equal("* bob has left", cid.child:line())
    assert.equal("* ann has left", cid.child:line())
    host:expect "^%* ann has left$"
    ends_by_interrupt(host)
  end)

  it("shows out who was killed, and lets them in again", function()
    local path = unix_peers.path "room"
    local host = room(path)
    local ann = member(path, "ann")
    host:expect "ann has come"
    local bob = member(path, "bob")
    assert.equal("* bob has come", ann.child:line())
    bob.child:stop()
    ann.keyboard:send "bob?\n"
    assert.equal("* bob is gone", ann.child:line())
    bob = member(path, "bob")
    assert.equal("* bob has come", ann.child:line())
    ann.keyboard:send "there you are\n"
    assert.equal("<ann> there you are", bob.child:line())
  end)

  it("opens again where a room was killed, and tells members that it was", function()
    local path = unix_peers.path "room"
    local host = room(path)
    local ann = member(path, "ann")
    host:expect "ann has come"
    host:stop()
    ann.keyboard:send "anybody?\n"
    assert.equal("the room is closed: connection refused", ann.child:line())
    assert.equal(0, (select(2, ann.child:finish())))
    room(path)
  end)

  it("refuses a path or a name that is taken, a room that does not exist, and no terminal", function()
    local path = unix_peers.path "room"
    local host = room(path)
    local ann = member(path, "ann")
    host:expect "ann has come"
    for _, row in ipairs {
      { "cannot bind to " .. path .. ": address already in use", "serve", path },
      { "cannot bind to " .. path .. ".ann: address already in use", "join", path, "ann", "/dev/zero" },
      { "there is no room at " .. path .. ".nowhere: No such file", "join", path .. ".nowhere", "bob", "/dev/zero" },
      { "cannot read from /no/such/terminal: No such file", "join", path, "bob", "/no/such/terminal" },
      { "usage: ", "visit", path }, { "usage: ", "join", path }, { "usage: " },
    } do
      local child = process.file("examples/unix_chat.lua", row[2], row[3], row[4], row[5])
      local output, status = child:finish()
      assert.matches(row[1], output, 1, true)
      assert.equal(1, status)
    end
    assert.is_true(unix_peers.exists(path .. ".ann"))
    ann.child:stop()
  end)
end)

describe("examples/send_mail.lua", function()
  local server

  setup(function()
    server = servers.smtp()
  end)

  teardown(function()
    server:stop()
  end)

  local function send(...)
    return process.file("examples/send_mail.lua", "127.0.0.1:" .. server.port, "ann@example.org", ...):finish()
  end

  it("sends files that arrive as they are", function()
    local bytes = {}
    for byte = 0, 255 do
      bytes[#bytes + 1] = string.char(byte)
    end
    local picture = table.concat(bytes):rep(1000) .. "."
    server:write("picture one.jpg", picture)
    server:write("empty", "")
    local output, status =
      send("bob@example.org", "Photos", server.directory .. "/picture one.jpg", server.directory .. "/empty")
    assert.equal("sent to bob@example.org", (output:gsub("\n$", "")))
    assert.equal(0, status)

    local mail = server:mail()
    assert.equal("ann@example.org", mail.from)
    assert.equal("bob@example.org", mail.to)
    local boundary = mail.text:match 'Content%-Type: multipart/mixed; boundary="([^"]+)"\r\n'
    local parts = {}
    for part in mail.text:gmatch("(.-)\r\n%-%-" .. boundary:gsub("%p", "%%%0")) do
      local head, body = part:match "^%s*(.-)\r\n\r\n(.*)$"
      parts[#parts + 1] = { head = head .. "\r\n", body = body }
    end
    assert.equal(4, #parts)
    assert.matches("Subject: Photos\r\n", parts[1].head, 1, true)
    assert.equal("2 file(s) attached.\r\n", mime.unqp(parts[2].body))
    assert.matches('filename="picture one.jpg"\r\n', parts[3].head, 1, true)
    assert.is_true(picture == mime.unb64(parts[3].body))
    assert.matches('filename="empty"\r\n', parts[4].head, 1, true)
    assert.equal("", parts[4].body)
  end)

  it("tells why a mail was not sent", function()
    local output, status = send("nobody@example.org", "Photos", "README.md")
    assert.equal("the mail was not sent: 550 nobody is here", (output:gsub("\n$", "")))
    assert.equal(1, status)
    output, status = send("bob@example.org", "Photos", "missing")
    assert.equal("the mail was not sent: missing: No such file or directory", (output:gsub("\n$", "")))
    assert.equal(1, status)
    output, status = send("bob@example.org\r\nDATA", "Photos", "README.md")
    assert.equal("the mail was not sent: invalid recipient: CR, LF and NUL are not allowed", (output:gsub("\n$", "")))
    assert.equal(1, status)
  end)

  it("explains itself when it is told nothing or nonsense", function()
    for _, words in ipairs { {}, { "127.0.0.1" }, { "here:25", "a", "b", "c" } } do
      local output, status = process.file("examples/send_mail.lua", words[1], words[2], words[3], words[4]):finish()
      assert.matches("^usage: ", output)
      assert.equal(1, status)
    end
  end)
end)
