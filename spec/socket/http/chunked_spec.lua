-- The chunked coding, as entries of socket.sourcet and socket.sinkt.

require "cosock.socket.http"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local socket = require "cosock.socket"

local pack = peers.pack

--- A source over what a peer has sent before it closed.
local function source_of(bytes, headers)
  local receiver, sender = peers.receiver(socket, bytes)
  sender:close()
  return socket.source("http-chunked", receiver, headers), receiver
end

local function all_of(bytes, headers)
  local pieces = {}
  local source = source_of(bytes, headers)
  local ok, err = ltn12.pump.all(source, (ltn12.sink.table(pieces)))
  return ok, err, pieces
end

for place, it in peers.inside_and_outside(it) do
  describe('the source "http-chunked" ' .. place, function()
    it("gives one chunk after the other, then nil for ever", function()
      local source = source_of "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
      assert.same({ "abc", "d" }, { source(), source() })
      assert.same({ n = 1 }, pack(source()))
      assert.same({ n = 1 }, pack(source()))
    end)

    it("takes a chunk for data whatever is in it", function()
      local data = "\0\r\n0\r\n\r\n\255"
      assert.same({ data }, select(3, all_of(("%X\r\n"):format(#data) .. data .. "\r\n0\r\n\r\n")))
    end)

    it("overlooks extensions, white space and zeros around a size", function()
      assert.same({ "ab", "cd", "ef" }, select(3, all_of "2;a=b\r\nab\r\n 0002 \r\ncd\r\n2 ;x\r\nef\r\n000\r\n\r\n"))
    end)

    it("adds the headers behind the body to a table", function()
      local headers = { a = "1" }
      assert.equal(1, (all_of("1\r\nx\r\n0\r\nB: 2\r\nA: 3\r\n\r\n", headers)))
      assert.same({ a = "1, 3", b = "2" }, headers)
    end)

    it("fails where the data ends too early, after what there is of it", function()
      for bytes, pieces in pairs {
        ["3\r\nabc\r\n"] = { "abc" },
        ["3\r\nab"] = { "ab" },
        ["3"] = {},
        ["3\r\nabc\r\n0\r\n"] = { "abc" },
      } do
        local ok, err, received = all_of(bytes)
        assert.same({ nil, "closed" }, { ok, err })
        assert.same(pieces, received)
      end
    end)

    it("fails for a size that is none, and stays failed", function()
      local source = source_of "x\r\n3\r\nabc\r\n"
      assert.same({ nil, "invalid chunk size" }, { source() })
      assert.same({ nil, "invalid chunk size" }, { source() })
    end)

    it("gives a timeout", function()
      local receiver = peers.receiver(socket, "3\r\na")
      receiver:settimeout(0)
      local source = socket.source("http-chunked", receiver)
      assert.equal("a", source())
      assert.same({ nil, "timeout" }, { source() })
    end)
  end)

  describe('the sink "http-chunked" ' .. place, function()
    local function sent_by(feed)
      local client, peer = peers.pair(socket)
      feed(socket.sink("http-chunked", client))
      client:close()
      return (peer:receive "*a")
    end

    it("sends every piece with its size, and an empty chunk at the end", function()
      assert.equal("3\r\nabc\r\nC\r\n0123456789ab\r\n0\r\n\r\n", sent_by(function(sink)
        assert.truthy(sink "abc")
        assert.truthy(sink "0123456789ab")
        assert.truthy(sink(nil))
      end))
    end)

    it("does not end the body for an empty piece", function()
      assert.equal("1\r\na\r\n1\r\nb\r\n", sent_by(function(sink)
        sink "a"
        assert.truthy(sink "")
        sink "b"
      end))
    end)

    it("does not end the body where the source has failed", function()
      assert.equal("1\r\na\r\n", sent_by(function(sink)
        sink "a"
        assert.truthy(sink(nil, "failed"))
      end))
    end)

    it("leaves the socket open", function()
      local client, peer = peers.pair(socket)
      socket.sink("http-chunked", client)(nil)
      client:send "more\n"
      assert.same({ "0", "", "more" }, { (peer:receive()), (peer:receive()), (peer:receive()) })
    end)

    it("fails as the socket does", function()
      local client = peers.pair(socket)
      client:close()
      assert.same({ nil, "closed", 0 }, { socket.sink("http-chunked", client) "abc" })
    end)
  end)
end

describe("chunked sources and sinks", function()
  it("stand for their socket in select", function()
    local receiver = peers.receiver(socket, "0\r\n\r\n")
    for _, object in ipairs { socket.source("http-chunked", receiver), socket.sink("http-chunked", receiver) } do
      assert.equal(receiver:getfd(), object.getfd())
      assert.equal(receiver:dirty(), object.dirty())
    end
  end)

  it("undo each other, wherever the pieces are cut", function()
    local data = ("0123456789abcdef"):rep(8)
    for size = 1, #data, 7 do
      local client, peer = peers.pair(socket)
      local pieces = {}
      for from = 1, #data, size do
        pieces[#pieces + 1] = data:sub(from, from + size - 1)
      end
      ltn12.pump.all(ltn12.source.table(pieces), socket.sink("http-chunked", client))
      local received = {}
      ltn12.pump.all(socket.source("http-chunked", peer), (ltn12.sink.table(received)))
      assert.same(pieces, received)
    end
  end)
end)
