-- socket.source and socket.sink: sockets as ends of an LTN12 chain.

local socket = require "cosock.socket"
local peers = require "spec.support.peers"

local pack, raised = peers.pack, peers.raised

-- Everything a source gives until it gives nil, and what came with that nil.
local function drain(source)
  local chunks = {}
  while true do
    local chunk, err = source()
    if not chunk then
      return chunks, err
    end
    chunks[#chunks + 1] = chunk
  end
end

for place, it in peers.inside_and_outside(it) do
  describe("a source by-length " .. place, function()
    it("gives as many bytes as it was made for, in blocks, and then nil", function()
      local receiver = peers.receiver(socket, ("x"):rep(5000) .. "rest")
      local chunks, err = drain(socket.source("by-length", receiver, 5000))
      assert.same({ 2048, 2048, 904 }, { #chunks[1], #chunks[2], #chunks[3] })
      assert.is_nil(err)
      assert.equal("rest", (receiver:receive(4)))
    end)

    it("gives nothing for length 0", function()
      local receiver = peers.receiver(socket, "x")
      assert.same({ n = 1 }, pack(socket.source("by-length", receiver, 0)()))
    end)

    it("gives the error when the peer closes too early", function()
      local receiver, sender = peers.receiver(socket, "short")
      sender:close()
      assert.same({ n = 2, nil, "closed" }, pack(socket.source("by-length", receiver, 10)()))
    end)

    it("gives the error when the time has run out", function()
      local receiver = peers.receiver(socket, "short")
      receiver:settimeout(0.02)
      assert.same({ n = 2, nil, "timeout" }, pack(socket.source("by-length", receiver, 10)()))
    end)
  end)

  for _, kind in ipairs { "until-closed", "default" } do
    describe(("a source %s %s"):format(kind, place), function()
      it("gives blocks, then the rest, and closes the socket", function()
        local receiver, sender = peers.receiver(socket, ("x"):rep(5000))
        sender:close()
        local chunks, err = drain(socket.source(kind, receiver))
        assert.same({ 2048, 2048, 904 }, { #chunks[1], #chunks[2], #chunks[3] })
        assert.is_nil(err)
        assert.equal(-1, receiver:getfd())
      end)

      it("gives an empty rest, and then nil", function()
        local receiver, sender = peers.receiver(socket, ("x"):rep(2048))
        sender:close()
        local source = socket.source(kind, receiver)
        assert.equal(2048, #source())
        assert.equal("", source())
        assert.is_nil(source())
      end)

      it("gives other errors and leaves the socket open", function()
        local receiver = peers.receiver(socket, "")
        receiver:settimeout(0.02)
        assert.same({ n = 2, nil, "timeout" }, pack(socket.source(kind, receiver)()))
        assert.is_true(receiver:getfd() >= 0)
      end)
    end)
  end

  it("a source without a kind is the default, " .. place, function()
    local receiver, sender = peers.receiver(socket, "all of it")
    sender:close()
    assert.same({ "all of it" }, (drain(socket.source(receiver))))
  end)

  describe("a sink close-when-done " .. place, function()
    it("sends chunks and closes the socket at the end", function()
      local client, peer = peers.pair(socket)
      local sink = socket.sink("close-when-done", client)
      assert.same({ n = 3, 3, nil, nil }, pack(sink("abc")))
      assert.same({ n = 3, 0, nil, nil }, pack(sink("")))
      assert.same({ n = 3, 3, nil, nil }, pack(sink("def")))
      assert.same({ n = 1, 1 }, pack(sink(nil)))
      assert.equal(-1, client:getfd())
      assert.equal("abcdef", (peer:receive("*a")))
    end)
  end)

  for _, kind in ipairs { "keep-open", "default" } do
    describe(("a sink %s %s"):format(kind, place), function()
      it("sends chunks and leaves the socket open at the end", function()
        local client, peer = peers.pair(socket)
        local sink = socket.sink(kind, client)
        assert.same({ n = 3, 3, nil, nil }, pack(sink("abc")))
        assert.same({ n = 1, 1 }, pack(sink(nil)))
        assert.same({ n = 3, 4, nil, nil }, pack(client:send("def\n")))
        assert.equal("abcdef", (peer:receive()))
      end)

      it("gives the error of a send that failed", function()
        local client = peers.pair(socket)
        client:close()
        assert.same({ n = 3, nil, "closed", 0 }, pack(socket.sink(kind, client)("abc")))
      end)
    end)
  end

  it("a sink without a kind is the default, " .. place, function()
    local client, peer = peers.pair(socket)
    local sink = socket.sink(client)
    assert(sink("abc\n"))
    assert.equal("abc", (peer:receive()))
  end)

  it("a source pours into a sink, " .. place, function()
    local receiver, sender = peers.receiver(socket, ("0123456789"):rep(1000))
    sender:close()
    local client, peer = peers.pair(socket)
    local source, sink = socket.source("until-closed", receiver), socket.sink("close-when-done", client)
    repeat
      local chunk = source()
      assert(sink(chunk))
    until not chunk
    assert.equal(("0123456789"):rep(1000), (peer:receive("*a")))
  end)
end

describe("sources and sinks", function()
  it("are callable tables that stand for their socket in select", function()
    local receiver = peers.receiver(socket, "one\ntwo\n")
    for _, stream in ipairs { socket.source("until-closed", receiver), socket.sink("keep-open", receiver) } do
      assert.is_table(stream)
      assert.equal(receiver:getfd(), stream:getfd())
      assert.equal(receiver:dirty(), stream:dirty())
    end
    receiver:receive()
    assert.is_true(socket.source("until-closed", receiver):dirty())
  end)

  it("raise for an unknown kind", function()
    assert.equal("unknown key (no-such-kind)", raised(function()
      local source = socket.source("no-such-kind", socket.tcp())
      return source
    end))
    assert.equal("unknown key (no-such-kind)", raised(function()
      local sink = socket.sink("no-such-kind", socket.tcp())
      return sink
    end))
  end)

  it("by-length without a length raises when called", function()
    local receiver = peers.receiver(socket, "x")
    local source = socket.source("by-length", receiver)
    assert.has_error(function()
      source()
    end)
  end)

  it("take their kinds from sourcet and sinkt, to which others may be added", function()
    socket.sourcet["spec"] = function(sock, length)
      return { "source", sock, length }
    end
    socket.sinkt["spec"] = function(sock)
      return { "sink", sock }
    end
    local from, to = socket.source("spec", "sock", 5), socket.sink("spec", "sock")
    socket.sourcet["spec"], socket.sinkt["spec"] = nil, nil
    assert.same({ "source", "sock", 5 }, from)
    assert.same({ "sink", "sock" }, to)
  end)

  it("read blocks of socket.BLOCKSIZE", function()
    local before = socket.BLOCKSIZE
    socket.BLOCKSIZE = 10
    local receiver = peers.receiver(socket, ("x"):rep(20))
    local chunk = socket.source("by-length", receiver, 20)()
    socket.BLOCKSIZE = before
    assert.equal(10, #chunk)
  end)
end)
