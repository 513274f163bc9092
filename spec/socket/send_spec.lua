-- send of TCP clients: which bytes go out, and what is told when not all of them could.

local socket = require "cosock.socket"
local peers = require "spec.support.peers"

local pack, raised = peers.pack, peers.raised

local function ok(last)
  return { n = 3, last, nil, nil }
end

-- Each row: what it states, the arguments, the index of the last byte sent, and the bytes that arrive.
local rows = {
  { "sends all of a string", { "abcdef" }, 6, "abcdef" },
  { "sends from the i-th byte on", { "abcdef", 3 }, 6, "cdef" },
  { "sends from the i-th to the j-th byte", { "abcdef", 2, 4 }, 4, "bcd" },
  { "sends to the j-th byte when i is nil", { "abcdef", nil, 2 }, 2, "ab" },
  { "counts a negative i from the end", { "abcdef", -2 }, 6, "ef" },
  { "counts a negative j from the end", { "abcdef", 2, -2 }, 5, "bcde" },
  { "begins at the first byte when i is before it", { "abc", -10 }, 3, "abc" },
  { "begins at the first byte when i is 0", { "abc", 0 }, 3, "abc" },
  { "ends at the last byte when j is after it", { "abc", 1, 10 }, 3, "abc" },
  { "cuts the fractions of i and j", { "abcdef", 2.9, 4.9 }, 4, "bcd" },
  { "takes i and j as numeric strings", { "abcdef", "2", "4" }, 4, "bcd" },
  { "sends every byte", { "\r\n\0\255" }, 4, "\r\n\0\255" },
  { "sends a number as its text", { 12.5 }, 4, "12.5" },
  { "sends nothing of an empty string", { "" }, 0, "" },
  { "sends nothing when i is past the end", { "abc", 5 }, 4, "" },
  { "sends nothing when j is before i", { "abc", 3, 2 }, 2, "" },
  { "sends nothing when j is 0", { "abc", 1, 0 }, 0, "" },
}

for place, it in peers.inside_and_outside(it) do
  describe("send " .. place, function()
    for _, row in ipairs(rows) do
      it(("%s and returns %d"):format(row[1], row[3]), function()
        local client, peer = peers.pair(socket)
        assert.same(ok(row[3]), pack(client:send(row[2][1], row[2][2], row[2][3])))
        client:close()
        assert.equal(row[4], (peer:receive("*a", "")) or "")
      end)
    end

    it("succeeds with an empty range even when closed", function()
      local client = peers.pair(socket)
      client:close()
      assert.same(ok(0), pack(client:send("")))
      assert.same(ok(4), pack(client:send("abc", 5)))
      assert.same(ok(2), pack(client:send("abc", 3, 2)))
    end)

    it("gives closed and i-1 on a client that is closed", function()
      local client = peers.pair(socket)
      client:close()
      assert.same({ n = 3, nil, "closed", 0 }, pack(client:send("abc")))
      assert.same({ n = 3, nil, "closed", 2 }, pack(client:send("abc", 3)))
      assert.same({ n = 3, nil, "closed", 1 }, pack(client:send("abc", -2)))
    end)

    it("gives closed, and does not end the program, when the peer has gone", function()
      local client, peer = peers.pair(socket)
      peer:close()
      assert.same({ n = 3, nil, "closed", "" }, pack(client:receive()))
      client:send("the first may succeed")
      client:receive(0) -- waits for the peer's answer to that
      assert.same({ n = 3, nil, "closed", 0 }, pack(client:send("abc")))
    end)

    it("tells how far it came when its time has run out", function()
      local client, peer = peers.pair(socket)
      client:settimeout(0.05)
      local sent, err, last
      local seconds = peers.seconds(function()
        sent, err, last = client:send(peers.too_much)
      end)
      assert.is_true(seconds >= 0.04)
      assert.same({ nil, "timeout" }, { sent, err })
      assert.is_true(last > 0 and last < #peers.too_much)
      client:close()
      assert.is_true(peer:receive("*a") == peers.too_much:sub(1, last))
    end)

    it("can go on from there", function()
      local client, peer = peers.pair(socket)
      client:settimeout(0.05)
      local _, _, last = client:send(peers.too_much)
      local received = assert(peer:receive(last)) -- makes room
      local all, _, more = client:send(peers.too_much, last + 1)
      assert.is_true((all or more) > last)
      client:close()
      assert.is_true(received .. peer:receive("*a") == peers.too_much:sub(1, all or more))
    end)

    it("with timeout 0 sends what the system takes, be it nothing", function()
      local client, peer = peers.pair(socket)
      client:settimeout(0)
      local last, results = 0
      repeat
        local before = last
        results = pack(client:send(peers.too_much, before + 1))
        last = results[3]
      until last == before
      assert.same({ n = 3, nil, "timeout", last }, results)
      client:close()
      assert.is_true(peer:receive("*a") == peers.too_much:sub(1, last))
    end)

    it("ignores further arguments", function()
      local client = peers.pair(socket)
      assert.same(ok(3), pack(client:send("abc", 1, -1, "more", {})))
    end)
  end)
end

describe("send", function()
  for title, value in pairs { ["a boolean"] = true, ["a table"] = {}, ["a function"] = print } do
    it("raises for " .. title .. " as the data, i or j", function()
      local client = peers.pair(socket)
      assert.equal(("bad argument #1 to 'send' (string expected, got %s)"):format(type(value)), raised(function()
        client:send(value)
      end))
      assert.equal(("bad argument #2 to 'send' (number expected, got %s)"):format(type(value)), raised(function()
        client:send("abc", value)
      end))
      assert.equal(("bad argument #3 to 'send' (number expected, got %s)"):format(type(value)), raised(function()
        client:send("abc", 1, value)
      end))
    end)
  end

  it("raises for text that is no number as i or j", function()
    local client = peers.pair(socket)
    assert.equal("bad argument #2 to 'send' (number expected, got string)", raised(function()
      client:send("abc", "x")
    end))
    assert.equal("bad argument #3 to 'send' (number expected, got string)", raised(function()
      client:send("abc", 1, "x")
    end))
  end)

  it("raises without data", function()
    local client = peers.pair(socket)
    assert.matches("^bad argument #1 to 'send' %(string expected, got n", raised(function()
      client:send()
    end))
  end)
end)
