-- The module of unix sockets: what it holds, and paths. Streams and datagrams: the specs in unix/.

local unix = require "cosock.socket.unix"
local descriptors = require "spec.support.descriptors"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local unix_peers = require "spec.support.unix_peers"

local pack = peers.pack

local LONGEST = 107 -- bytes that a path may have on Linux

describe("cosock.socket.unix", function()
  teardown(unix_peers.remove_files)

  it("makes streams and datagram sockets, each under two names", function()
    assert.equal("unixstream{master}", unix.stream().class)
    assert.equal("unixdgram{unconnected}", unix.dgram().class)
    assert.equal(unix.stream, unix.tcp)
    assert.equal(unix.dgram, unix.udp)
  end)

  it("makes a stream when it is called", function()
    assert.equal("unixstream{master}", unix().class)
  end)

  it("is its own metatable", function()
    assert.equal(unix, getmetatable(unix))
    assert.is_function(unix.__call)
  end)

  it("opens a descriptor at once", function()
    assert.is_true(unix.stream():getfd() >= 0)
    assert.is_true(unix.dgram():getfd() >= 0)
  end)

  it("says so when there are no more descriptors, and goes on when there are again", function()
    local child = process.script_with_few_descriptors(40, [[
      local unix = require "cosock.socket.unix"
      local sockets = {}
      for _, make in ipairs { unix.stream, unix.dgram, unix } do
        local err
        repeat
          sockets[#sockets + 1], err = make()
        until err
        print(err)
        table.remove(sockets):close()
        print(sockets[1]:getfd() > 0 and make().class)
      end
    ]])
    assert.equal(table.concat({
      "Too many open files", "unixstream{master}", "Too many open files", "unixdgram{unconnected}",
      "Too many open files", "unixstream{master}",
    }, "\n"), (child:finish():gsub("\n$", "")))
  end)
end)

for _, kind in ipairs { "stream", "dgram" } do
  describe(("a path given to a unix %s socket"):format(kind), function()
    local make = unix[kind]
    teardown(unix_peers.remove_files)

    -- A path of so many bytes.
    local function path_of_length(length)
      local beginning = unix_peers.path "long"
      local name = ("x"):rep(length - #beginning)
      return unix_peers.path("long" .. name)
    end

    it("becomes a file, which stays when the socket is closed", function()
      local path = unix_peers.path()
      local sock = make()
      assert.same({ n = 1, "" }, pack(sock:getsockname()))
      assert.same({ n = 1, 1 }, pack(sock:bind(path)))
      assert.same({ n = 1, path }, pack(sock:getsockname()))
      assert.is_true(unix_peers.exists(path))
      sock:close()
      assert.is_true(unix_peers.exists(path))
    end)

    it(("may have %d bytes"):format(LONGEST), function()
      local path = path_of_length(LONGEST)
      local sock = make()
      assert.same({ n = 1, 1 }, pack(sock:bind(path)))
      assert.same({ n = 1, path }, pack(sock:getsockname()))
      assert.same({ n = 2, nil, "Invalid argument" }, pack(sock:bind(unix_peers.path())))
    end)

    it("may not be longer, which costs nothing", function()
      local sock = make()
      for _, length in ipairs { LONGEST + 1, LONGEST + 2, 200, 100000 } do
        for _, method in ipairs { "bind", "setsockname", "connect", "setpeername" } do
          assert.same({ n = 2, nil, "path too long" }, pack(sock[method](sock, ("x"):rep(length))))
        end
      end
      assert.same({ n = 1, 1 }, pack(sock:bind(path_of_length(LONGEST))))
    end)

    it("may hold no NUL but in front, which costs nothing either", function()
      local path = unix_peers.path()
      local sock = make()
      for _, method in ipairs { "bind", "connect" } do
        for _, bad in ipairs { path .. "\0", path .. "\0.more", "x\0" } do
          assert.same({ n = 2, nil, "path contains a NUL" }, pack(sock[method](sock, bad)))
        end
      end
      assert.is_false(unix_peers.exists(path))
      assert.same({ n = 1, 1 }, pack(sock:bind(path)))
    end)

    it("that cannot be bound to closes the socket", function()
      local taken = unix_peers.path "taken"
      assert(make():bind(taken))
      local before = descriptors.settled()
      for path, err in pairs {
        [taken] = "address already in use", ["/no/such/folder/socket"] = "No such file or directory",
        ["/dev/null/socket"] = "Not a directory",
      } do
        local sock = make()
        local class = sock.class
        assert.same({ n = 2, nil, err }, pack(sock:bind(path)))
        assert.equal(-1, sock:getfd())
        assert.equal(class, sock.class)
        assert.same({ n = 2, nil, "Bad file descriptor" }, pack(sock:bind(unix_peers.path())))
        assert.same({ n = 2, nil, "Bad file descriptor" }, pack(sock:getsockname()))
        assert.same({ n = 2, nil, "closed" }, pack(sock:connect(taken)))
      end
      assert.equal(before, descriptors.count())
    end)

    it("that cannot be connected to closes the socket", function()
      local folder = unix_peers.path "folder"
      assert(os.execute("mkdir '" .. folder .. "'"))
      local before = descriptors.settled()
      for path, err in pairs {
        ["/no/such/folder/socket"] = "No such file or directory", [folder] = "connection refused",
        ["/dev/null"] = "connection refused", [""] = "Invalid argument",
        ["\0" .. folder] = "connection refused", -- an abstract name that nobody has
      } do
        local sock = make()
        local class = sock.class
        assert.same({ n = 2, nil, err }, pack(sock:connect(path)))
        assert.equal(-1, sock:getfd())
        assert.equal(class, sock.class)
        assert.same({ n = 2, nil, "closed" }, pack(sock:connect(folder)))
      end
      assert.equal(before, descriptors.count())
    end)

    it("leads only to sockets of its kind", function()
      local other, path = unix[kind == "stream" and "dgram" or "stream"](), unix_peers.path()
      assert(other:bind(path))
      assert.same({ n = 2, nil, "Protocol wrong type for socket" }, pack(make():connect(path)))
    end)

    it("that begins with a NUL is a name of which every byte counts, and no file", function()
      local names = {}
      for index, rest in ipairs { "", "\0", "\0\0", "x", "\0x", "\255" } do
        names[index] = unix_peers.abstract(kind) .. rest
      end
      local sockets = {}
      for index, name in ipairs(names) do
        sockets[index] = make()
        assert.same({ n = 1, 1 }, pack(sockets[index]:bind(name)))
        assert.same({ n = 1, "" }, pack(sockets[index]:getsockname()))
      end
      assert.same({ n = 2, nil, "address already in use" }, pack(make():bind(names[2])))
      sockets[2]:close() -- frees the name
      assert.same({ n = 1, 1 }, pack(make():bind(names[2])))
    end)

    it("may be a name as long as a path", function()
      assert.same({ n = 1, 1 }, pack(make():bind("\0" .. path_of_length(LONGEST - 1))))
      assert.same({ n = 2, nil, "path too long" }, pack(make():bind("\0" .. ("x"):rep(LONGEST))))
    end)
  end)
end
