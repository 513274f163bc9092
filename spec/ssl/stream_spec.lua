-- Receiving and sending: as over plain sockets, but for the errors.

local peers = require "spec.support.peers"
local run = require "spec.support.run"
local socket = require "cosock.socket"
local tls = require "spec.support.tls"

local pack = peers.pack

for place, it_there in peers.inside_and_outside(it) do
  describe("a connection, " .. place .. ",", function()
    it_there("receives by line, by number and everything", function()
      local one, other = tls.pair()
      assert.same({ n = 3, 22 }, pack(one:send("first\r\nsecond\nthe rest")))
      assert.same({ n = 3, "first" }, pack(other:receive()))
      assert.same({ n = 3, "sec" }, pack(other:receive(3)))
      assert.same({ n = 3, "ond" }, pack(other:receive("*l")))
      one:close()
      assert.same({ n = 3, "the rest" }, pack(other:receive("*a")))
      assert.same({ n = 3, nil, "closed", "" }, pack(other:receive("*a")))
    end)

    it_there("puts a prefix in front, which counts", function()
      local one, other = tls.pair()
      one:send("line\nmore")
      assert.equal("a line", other:receive("*l", "a "))
      assert.equal("no more", other:receive(7, "no "))
      assert.equal("prefix", other:receive(3, "prefix"))
    end)

    it_there("gives what has arrived when the time is up", function()
      local one, other = tls.pair()
      one:send("part")
      other:settimeout(0.05)
      assert.same({ n = 3, nil, "wantread", "a part" }, pack(other:receive("*l", "a ")))
      one:send("rest\n")
      assert.equal("rest", other:receive())
    end)

    it_there("keeps to both limits", function()
      local _, other = tls.pair()
      other:settimeout(0.05)
      assert.same({ n = 3, nil, "wantread", "" }, pack(other:receive()))
      other:settimeout(nil)
      other:settimeout(0.05, "t")
      local seconds = peers.seconds(function()
        assert.same({ n = 3, nil, "wantread", "" }, pack(other:receive(10)))
      end)
      assert.is_true(seconds < 2, seconds)
    end)

    it_there("does not wait when it must not", function()
      local one, other = tls.pair()
      other:settimeout(0)
      assert.same({ n = 3, nil, "wantread", "" }, pack(other:receive()))
      assert.equal("read", other:want())
      one:send("line\n")
      assert.equal("line", other:receive())
      assert.equal("nothing", other:want())
    end)

    it_there("says how far it got when the peer takes no more", function()
      local one, other = tls.pair()
      one:settimeout(0.05)
      local data = ("0123456789"):rep(3000000)
      local last, err, sent = one:send(data)
      assert.is_nil(last)
      assert.equal("wantwrite", err)
      assert.equal("write", one:want())
      assert.is_true(sent > 0 and sent < #data)
      -- What counts as sent arrives, once the peer takes it, and the rest can follow.
      one:settimeout(0)
      other:settimeout(0)
      local pieces, received = {}, 0
      while received < #data do
        if sent < #data then
          local done, _, partial = one:send(data, sent + 1)
          sent = done or partial
        else
          one:send("")
        end
        local piece, _, partial = other:receive(#data - received)
        pieces[#pieces + 1] = piece or partial
        received = received + #(piece or partial)
      end
      assert.is_true(table.concat(pieces) == data)
    end)

    it_there("sends ranges as string.sub counts", function()
      local one, other = tls.pair()
      assert.equal(3, (one:send("abcdef", 2, 3)))
      assert.equal(6, (one:send("abcdef", -2)))
      assert.equal(4, (one:send("abcdef", 5, 4)))
      one:close()
      assert.equal("bcef", other:receive("*a"))
    end)

    it_there("counts plain bytes", function()
      local one, other = tls.pair()
      one:send("12345\n")
      other:receive()
      local received, sent, age = other:getstats()
      assert.same({ 6, 0 }, { received, sent })
      assert.is_true(age >= 0)
      received, sent = one:getstats()
      assert.same({ 0, 6 }, { received, sent })
      one:setstats(7, 8, 100)
      received, sent, age = one:getstats()
      assert.same({ 7, 8 }, { received, sent })
      assert.is_true(age >= 100)
    end)

    it_there("is dirty while there is something to ask for", function()
      local one, other = tls.pair()
      assert.is_false(other:dirty())
      one:send("two\nlines\n")
      other:receive()
      assert.is_true(other:dirty())
      other:receive()
      assert.is_false(other:dirty())
    end)

    it_there("tells a peer that vanishes from one that closes", function()
      local one, other = tls.pair()
      one:send("partial")
      tls.vanish(one)
      assert.same({ n = 3, nil, "unexpected eof while reading", "partial" }, pack(other:receive()))
      assert.same({ n = 3, nil, "System error", "" }, pack(other:receive()))
      one, other = tls.pair(nil, tls.server { options = "ignore_unexpected_eof" })
      one:send("partial")
      tls.vanish(one)
      assert.same({ n = 3, "partial" }, pack(other:receive("*a")))
      assert.same({ n = 3, nil, "closed", "" }, pack(other:receive()))
    end)

    it_there("tells a record that was changed on its way", function()
      local one, other = tls.pair()
      local plain = socket.tcp()
      plain:connect("127.0.0.1", 0) -- fails, but makes it a client
      plain:setfd(one:getfd())
      plain:send("\23\3\3\0\32" .. ("x"):rep(32))
      plain:setfd(-1)
      assert.same({ n = 3, nil, "decryption failed or bad record mac", "" }, pack(other:receive()))
      -- The peer is told at once. Neither waits for the other from then on.
      assert.same({ n = 3, nil, "sslv3 alert bad record mac", "" }, pack(one:receive()))
      for _, connection in ipairs { one, other } do
        assert.same({ n = 3, nil, "closed", "" }, pack(connection:receive()))
        assert.same({ n = 3, nil, "closed", 0 }, pack(connection:send("x")))
        assert.same({ n = 3, nil, "closed", 0 }, pack(connection:send(("x"):rep(100000))))
        assert.equal("nothing", connection:want())
      end
    end)

    it_there("tells that the peer has refused the certificate", function()
      local one, other = tls.ends(tls.client { protocol = "tlsv1_3" }, tls.server {
        cafile = tls.file "root.pem", verify = { "peer", "fail_if_no_peer_cert" },
      })
      local outcome, refusal = tls.shake_hands(one, other)
      assert.same({ true, "peer did not return a certificate" }, { outcome.ok, refusal.error })
      assert.same({ n = 3, nil, "tlsv13 alert certificate required", "" }, pack(one:receive()))
      assert.same({ n = 3, nil, "closed", 0 }, pack(one:send("x")))
      assert.same({ n = 3, nil, "closed", "" }, pack(one:receive("*a")))
    end)

    it_there("tells a record that was cut off", function()
      local one, other = tls.pair()
      one:send("whole")
      local plain = socket.tcp()
      plain:connect("127.0.0.1", 0)
      plain:setfd(one:getfd())
      plain:send("\23\3\3\0\32xxx")
      plain:setfd(-1)
      tls.vanish(one)
      assert.same({ n = 3, nil, "unexpected eof while reading", "whole" }, pack(other:receive()))
    end)
  end)
end

describe("a connection", function()
  it("carries eight megabytes both ways at once", function()
    local SIZE = 8 * 1024 * 1024
    local one, other = tls.pair()
    local data = {
      ("one way, "):rep(math.ceil(SIZE / 9)):sub(1, SIZE),
      ("and back! "):rep(math.ceil(SIZE / 10)):sub(1, SIZE),
    }
    local received = {}
    run.tasks(function()
      assert.equal(SIZE, (one:send(data[1])))
    end, function()
      assert.equal(SIZE, (other:send(data[2])))
    end, function()
      received[1] = other:receive(SIZE)
    end, function()
      received[2] = one:receive(SIZE)
    end)
    assert.is_true(received[1] == data[1])
    assert.is_true(received[2] == data[2])
  end)

  it("carries them in pieces of any size", function()
    local one, other = tls.pair()
    local total, received = 0, {}
    run.tasks(function()
      for size = 1, 40000, 997 do
        assert.equal(size, (one:send(("%d,"):format(size):rep(size):sub(1, size))))
        total = total + size
      end
      one:close()
    end, function()
      local piece, _, partial
      repeat
        piece, _, partial = other:receive(4099)
        received[#received + 1] = piece or partial
      until not piece
    end)
    assert.equal(total, #table.concat(received))
  end)

  it("exchanges data with LuaSec", function()
    local luasec = tls.luasec()
    if not luasec then
      pending "LuaSec is not installed"
    end
    for _, version in ipairs { "tlsv1_2", "tlsv1_3" } do
      for _, places in ipairs { { nil, luasec }, { luasec, nil } } do
        local one, other = tls.pair(tls.client { protocol = version }, tls.server(), places[1], places[2])
        one:send("question\n")
        assert.equal("question", other:receive())
        other:send(("answer"):rep(10000))
        assert.equal(("answer"):rep(10000), one:receive(60000))
        one:close()
        assert.same({ n = 3, nil, "closed", "" }, pack(other:receive()))
      end
    end
  end)
end)

describe("a connection that breaks off", function()
  it("is not taken for the end of everything", function()
    local client, server, relay, forth, back = tls.relayed()
    run.tasks(forth, back, function()
      assert(server:dohandshake())
      server:send("0123456789")
    end, function()
      assert(client:dohandshake())
      assert.equal("0", client:receive(1))
      assert.equal(1, relay:setoption("linger", { on = true, timeout = 0 }))
      relay:close()
      assert.same({ n = 3, nil, "closed", "123456789" }, pack(client:receive("*a")))
      server:close()
    end)
  end)
end)

describe("select", function()
  it("takes what has been decrypted already for readable", function()
    local one, other = tls.pair()
    one:send("two\nlines\n")
    run.tasks(function()
      assert.equal("two", other:receive())
      local readable = socket.select({ other }, nil, 5)
      assert.same({ other }, readable)
      assert.equal("lines", other:receive())
      local none, _, err = socket.select({ other }, nil, 0)
      assert.is_nil(none)
      assert.equal("timeout", err)
    end)
  end)

  it("takes what has arrived and is not decrypted yet for readable", function()
    local one, other = tls.pair()
    local data = ("0123456789"):rep(4000)
    one:send(data)
    run.tasks(function()
      local from = 1
      for _, count in ipairs { 8192, 4096, 10000, 17712 } do
        assert.same({ other }, (socket.select({ other }, nil, 5)))
        assert.equal(data:sub(from, from + count - 1), other:receive(count))
        from = from + count
        assert.equal(from <= #data, other:dirty())
      end
      assert.is_nil((socket.select({ other }, nil, 0)))
    end)
  end)

  it("waits until there is something to receive, or room to send", function()
    local one, other = tls.pair()
    run.tasks(function()
      local readable = socket.select({ other }, nil, 5)
      assert.same({ other }, readable)
      assert.equal("line", other:receive())
    end, function()
      local _, writable = socket.select(nil, { one }, 5)
      assert.same({ one }, writable)
      one:send("line\n")
    end)
  end)
end)
