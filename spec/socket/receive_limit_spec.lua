-- The third argument of receive: the most bytes that may come.

local peers = require "spec.support.peers"
local socket = require "cosock.socket"

local pack = peers.pack

for place, it in peers.inside_and_outside(it) do
  describe("receive with a limit " .. place, function()
    local function receiver(data)
      local sock, sender = peers.receiver(socket, data)
      sender:close()
      return sock
    end

    it("returns lines that are no longer", function()
      local sock = receiver "12345\n123\r\n\n"
      assert.equal("12345", (sock:receive("*l", nil, 5)))
      assert.equal("123", (sock:receive("*l", nil, 4))) -- the carriage return counts
      assert.equal("", (sock:receive(nil, nil, 0)))
    end)

    it("fails for a line that is longer, whole or not, with what may come of it", function()
      local sock = receiver "123456\n789\n"
      assert.same({ n = 3, nil, "line too long", "12345" }, pack(sock:receive("*l", nil, 5)))
      assert.equal("6", (sock:receive()))
      assert.same({ "789" }, { (sock:receive("*l", nil, 3)) })
      sock = receiver "123456"
      assert.same({ nil, "line too long", "123" }, { sock:receive("*l", "", 3) })
      assert.same({ nil, "closed", "456" }, { sock:receive("*l", "", 3) })
    end)

    it("does not wait for the end of a line that is too long already", function()
      local sock, sender = peers.receiver(socket, "123456")
      assert.same({ nil, "line too long", "123" }, { sock:receive("*l", nil, 3) })
      sender:close()
    end)

    it("returns what is there beyond the bytes that have to come", function()
      local sock = receiver "1234567890"
      assert.equal("123456", (sock:receive(2, nil, 6)))
      assert.equal("7890", (sock:receive(2, nil, 100)))
      assert.same({ nil, "closed", "" }, { sock:receive(2, nil, 100) })
    end)

    it("waits for the bytes that have to come", function()
      local sock, sender = peers.receiver(socket, "1")
      sock:settimeout(0.05)
      assert.same({ nil, "timeout", "1" }, { sock:receive(2, nil, 100) })
      sender:send "23"
      assert.equal("23", (sock:receive(2, nil, 100)))
    end)

    it("counts the prefix", function()
      local sock = receiver "123456789"
      assert.equal("abc12", (sock:receive(4, "abc", 5)))
      assert.same({ nil, "line too long", "abc34" }, { sock:receive("*l", "abc", 5) })
      assert.equal("abc", (sock:receive(2, "abc", 5)))
    end)

    it("means nothing for everything up to the end, or if it is less than has to come", function()
      assert.equal("1234567890", (receiver "1234567890":receive("*a", nil, 5)))
      assert.equal("1234567890", (receiver "1234567890":receive(10, nil, 5)))
    end)

    it("receives large blocks whole", function()
      local sock, sender = peers.pair(socket)
      local block = ("0123456789abcdef"):rep(1024)
      sender:send(block)
      sender:close()
      local received = {}
      local data, _, partial = sock:receive(2048, nil, 65536)
      while data do
        assert.is_true(#data >= 2048)
        received[#received + 1] = data
        data, _, partial = sock:receive(2048, nil, 65536)
      end
      assert.equal(block, table.concat(received) .. partial)
    end)

    it("is none if it is no number: LuaSocket ignores that argument", function()
      local sock = receiver "12345\n1\n"
      assert.equal("12345", (sock:receive("*l", nil, {})))
      assert.equal("1", (sock:receive("*l", nil, 0 / 0)))
    end)
  end)
end
