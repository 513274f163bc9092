-- receive of TCP clients: what each pattern reads, and what is handed over when it cannot be had.

local socket = require "cosock.socket"
local peers = require "spec.support.peers"

local pack, raised = peers.pack, peers.raised

local function ok(data)
  return { n = 3, data, nil, nil }
end

local function closed(partial)
  return { n = 3, nil, "closed", partial }
end

local function timeout(partial)
  return { n = 3, nil, "timeout", partial }
end

-- Each row: what it states, the bytes that the peer sends before it closes, and calls with their results.
local rows = {
  -- Lines
  { "reads a line and drops its LF", "one\ntwo\n", { { "*l" }, ok "one" }, { { "*l" }, ok "two" } },
  { "reads a line by default", "one\ntwo\n", { {}, ok "one" }, { { nil }, ok "two" } },
  { "looks only at the first two characters of a pattern", "one\n", { { "*line" }, ok "one" } },
  { "drops the CR before a LF", "one\r\n", { { "*l" }, ok "one" } },
  { "drops every CR of a line, wherever it stands", "\ro\rn\r\re\r\n", { { "*l" }, ok "one" } },
  { "keeps a NUL in a line", "o\0ne\n", { { "*l" }, ok "o\0ne" } },
  { "keeps every other byte of a line", "\1\127\128\255\n", { { "*l" }, ok "\1\127\128\255" } },
  { "reads an empty line", "\n\r\n", { { "*l" }, ok "" }, { { "*l" }, ok "" } },
  { "gives what there is of a line that the peer did not end", "half", { { "*l" }, closed "half" } },
  { "drops CR from such a part too", "ha\rlf\r", { { "*l" }, closed "half" } },
  { "gives such a part once", "half", { { "*l" }, closed "half" }, { { "*l" }, closed "" } },
  -- Everything
  { "reads everything until the peer closes", "one\r\ntwo", { { "*a" }, ok "one\r\ntwo" } },
  { "gives closed for everything when nothing came", "", { { "*a" }, closed "" } },
  { "gives closed for everything the second time", "one", { { "*a" }, ok "one" }, { { "*a" }, closed "" } },
  { "reads everything after a line", "one\ntwo\nthree", { { "*l" }, ok "one" }, { { "*a" }, ok "two\nthree" } },
  { "takes *all for *a", "one", { { "*all" }, ok "one" } },
  -- Counts
  { "reads exactly n bytes", "abcdef", { { 2 }, ok "ab" }, { { 4 }, ok "cdef" } },
  { "keeps every byte it counts", "\r\n\0\255", { { 4 }, ok "\r\n\0\255" } },
  { "takes a count as a numeric string", "abcde", { { "3" }, ok "abc" }, { { "0x2" }, ok "de" } },
  { "cuts the fraction of a count", "abcdef", { { 2.9 }, ok "ab" } },
  { "gives what there is when the peer closes before n bytes", "abc", { { 5 }, closed "abc" }, { { 5 }, closed "" } },
  { "reads 0 bytes once a byte is there, and leaves it", "abc", { { 0 }, ok "" }, { { 3 }, ok "abc" } },
  { "gives closed for 0 bytes at the end", "a", { { 1 }, ok "a" }, { { 0 }, closed "" } },
  -- Prefix
  { "puts the prefix before a line", "one\n", { { "*l", "> " }, ok "> one" } },
  { "puts the prefix before everything", "one", { { "*a", "> " }, ok "> one" } },
  { "counts the prefix among the n bytes", "abcdef", { { 5, "xyz" }, ok "xyzab" }, { { 4 }, ok "cdef" } },
  { "gives the prefix alone, at once, when it has n bytes", "abc", { { 3, "xyz" }, ok "xyz" }, { { 3 }, ok "abc" } },
  { "gives a longer prefix whole", "abc", { { 2, "xyz" }, ok "xyz" }, { { 0, "x" }, ok "x" } },
  { "puts the prefix before a part", "abc", { { 9, "xyz" }, closed "xyzabc" }, { { "*l", "> " }, closed "> " } },
  { "gives the prefix when everything is nothing", "", { { "*a", "> " }, closed "> " } },
  { "leaves the CR and LF of a prefix alone", "one\n", { { "*l", "\r\n" }, ok "\r\none" } },
  { "takes a number as the prefix", "one\n", { { "*l", 5 }, ok "5one" } },
  { "takes an empty prefix as none", "abc", { { 2, "" }, ok "ab" } },
  -- A mixture
  { "mixes patterns without losing a byte", "ab\r\ncdef\nrest",
    { { 1 }, ok "a" }, { { "*l" }, ok "b" }, { { 0 }, ok "" }, { { 2 }, ok "cd" }, { { "*l" }, ok "ef" },
    { { "*a" }, ok "rest" } },
}

for place, it in peers.inside_and_outside(it) do
  describe("receive " .. place, function()
    for _, row in ipairs(rows) do
      it(row[1], function()
        local receiver, sender = peers.receiver(socket, row[2])
        sender:close()
        for index = 3, #row do
          local arguments, expected = row[index][1], row[index][2]
          assert.same(expected, pack(receiver:receive(arguments[1], arguments[2])))
        end
      end)
    end

    it("reads lines and counts that are longer than its buffers", function()
      local line, rest = ("0123456789"):rep(10000), ("abcdefghij"):rep(10000)
      local receiver, sender = peers.receiver(socket, line .. "\n" .. rest)
      assert.is_true(receiver:receive() == line)
      assert.is_true(receiver:receive(#rest) == rest)
      sender:close()
    end)

    it("reads thousands of lines that came at once", function()
      local lines = {}
      for index = 1, 5000 do
        lines[index] = tostring(index)
      end
      local receiver, sender = peers.receiver(socket, table.concat(lines, "\r\n") .. "\r\n")
      for index = 1, 5000 do
        assert.equal(lines[index], (receiver:receive()))
      end
      sender:close()
    end)

    it("finds a line's end however the line was cut on its way", function()
      local receiver, sender = peers.receiver(socket, "a")
      receiver:settimeout(0.01)
      local line = "ab\r\ncd\r\n"
      local partial = ""
      for index = 2, 4 do
        local data, err
        data, err, partial = receiver:receive("*l", partial)
        assert.same({ nil, "timeout" }, { data, err })
        sender:send(line, index, index)
      end
      receiver:settimeout(nil)
      assert.same(ok "ab", pack(receiver:receive("*l", partial)))
      assert.equal(8, (sender:send(line, 5)))
      assert.same(ok "cd", pack(receiver:receive()))
    end)

    it("hands over what it read before its time ran out, once", function()
      for _, pattern in ipairs { "*l", "*a", 10 } do
        local receiver, sender = peers.receiver(socket, "abc")
        receiver:settimeout(0.02)
        assert.same(timeout "abc", pack(receiver:receive(pattern)))
        assert.same(timeout "", pack(receiver:receive(pattern)))
        assert.is_false(receiver:dirty())
        sender:send("def\n")
        receiver:settimeout(nil)
        assert.same(ok "def", pack(receiver:receive("*l")))
      end
    end)

    it("goes on after a timeout when the part is given back as the prefix", function()
      local receiver, sender = peers.receiver(socket, "abc")
      receiver:settimeout(0.02)
      local _, _, partial = receiver:receive(6)
      receiver:settimeout(nil)
      sender:send("def")
      assert.same(ok "abcdef", pack(receiver:receive(6, partial)))
    end)

    it("puts the prefix before what it read before its time ran out", function()
      local receiver = peers.receiver(socket, "abc")
      receiver:settimeout(0.02)
      assert.same(timeout "> abc", pack(receiver:receive("*l", "> ")))
      assert.same(timeout "> ", pack(receiver:receive("*a", "> ")))
      assert.same(timeout "xy", pack(receiver:receive(3, "xy")))
    end)

    it("times out for 0 bytes when none is there", function()
      local client = peers.pair(socket)
      client:settimeout(0.02)
      assert.same(timeout "", pack(client:receive(0)))
    end)

    it("gives data that is there already, whatever the timeout", function()
      local receiver = peers.receiver(socket, "one\n")
      receiver:settimeout(0)
      assert.same(ok "one", pack(receiver:receive()))
    end)

    it("gives closed after the peer has reset the connection", function()
      local client, peer = peers.pair(socket)
      assert(client:send("never read"))
      assert(peer:setoption("linger", { on = true, timeout = 0 }))
      peer:close()
      assert.same(closed "", pack(client:receive()))
    end)

    it("gives closed on a client that is closed", function()
      local client = peers.pair(socket)
      client:close()
      for _, pattern in ipairs { "*l", "*a", 0, 3 } do
        assert.same(closed "", pack(client:receive(pattern)))
        assert.same(closed "> ", pack(client:receive(pattern == 3 and 9 or "*l", "> ")))
      end
    end)

    it("ignores further arguments", function()
      local receiver = peers.receiver(socket, "one\n")
      assert.same(ok "one", pack(receiver:receive("*l", "", "more", {})))
    end)
  end)
end

describe("receive", function()
  for _, pattern in ipairs { "l", "a", "L", "*x", "*", "", "n", -1, "-1", 0 / 0 } do
    it(("raises for the pattern %q"):format(tostring(pattern)), function()
      local client = peers.pair(socket)
      assert.equal("bad argument #1 to 'receive' (invalid receive pattern)", raised(function()
        client:receive(pattern)
      end))
    end)
  end

  for _, value in ipairs { true, {}, print } do
    it(("raises for a %s as the pattern or the prefix"):format(type(value)), function()
      local client = peers.pair(socket)
      assert.equal(("bad argument #1 to 'receive' (string expected, got %s)"):format(type(value)), raised(function()
        client:receive(value)
      end))
      assert.equal(("bad argument #2 to 'receive' (string expected, got %s)"):format(type(value)), raised(function()
        client:receive("*l", value)
      end))
    end)
  end
end)
