-- require "cosock.socket.smtp": its fields, and sending a mail.

local FakeSocket = require "spec.support.fake_socket"
local ltn12 = require "cosock.ltn12"
local mails = require "spec.support.mails"
local peers = require "spec.support.peers"
local smtp = require "cosock.socket.smtp"
local socket = require "cosock.socket"

local pack, raised = peers.pack, peers.raised
local unpack = table.unpack or unpack -- luacheck: ignore 143
local exchange, GREETING, DELIVERY, mail = mails.exchange, mails.GREETING, mails.DELIVERY, mails.mail

describe("cosock.socket.smtp", function()
  it("is also socket.smtp", function()
    assert.equal(smtp, socket.smtp)
  end)

  it("has LuaSocket's defaults", function()
    assert.equal(60, smtp.TIMEOUT)
    assert.equal("localhost", smtp.SERVER)
    assert.equal(25, smtp.PORT)
    assert.equal(os.getenv "SERVER_NAME" or "localhost", smtp.DOMAIN)
    assert.equal("-0000", smtp.ZONE)
  end)
end)

describe("smtp.send", function()
  it("greets, says from whom and to whom, sends the message, takes leave and closes", function()
    local sent, results, fake = exchange(GREETING .. DELIVERY)
    assert.same({ n = 1, 1 }, results)
    assert.same({
      [[EHLO localhost\r\n]], [[MAIL FROM:<ann@example.org>\r\n]], [[RCPT TO:<bob@example.org>\r\n]], [[DATA\r\n]],
      [[hello\r\n]], [[\r\n.\r\n]], [[QUIT\r\n]],
    }, sent)
    assert.equal('connect "localhost" 25', fake.log[2])
    assert.equal(60, fake.timeout)
  end)

  it("takes the server, its port and the domain that it is told", function()
    local sent, _, fake = exchange(GREETING .. DELIVERY, { server = "mail.example.org", port = "587", domain = "here" })
    assert.equal('connect "mail.example.org" 587', fake.log[2])
    assert.equal([[EHLO here\r\n]], sent[1])
  end)

  it("takes several recipients", function()
    local sent = exchange(GREETING .. "250 r\r\n" .. DELIVERY, { rcpt = { "<a@x>", "<b@x> NOTIFY=NEVER" } })
    assert.equal([[RCPT TO:<a@x>\r\n]], sent[3])
    assert.equal([[RCPT TO:<b@x> NOTIFY=NEVER\r\n]], sent[4])
  end)

  it("moves the message by the step that it is told", function()
    local steps = 0
    local sent = exchange(GREETING .. DELIVERY, { step = function(...)
      steps = steps + 1
      return ltn12.pump.step(...)
    end })
    assert.equal([[hello\r\n]], sent[5])
    assert.equal(2, steps)
  end)

  describe("doubles dots at the beginning of a line", function()
    --- What arrives as the message that is sent in these chunks.
    local function arriving(chunks)
      local sent = exchange(GREETING .. DELIVERY, { source = ltn12.source.table(chunks) })
      return table.concat(sent, "", 5, #sent - 2)
    end

    it("and nowhere else", function()
      for message, stuffed in pairs {
        [""] = "", ["a"] = "a", ["."] = "..", [".."] = "...",
        ["\r\n."] = [[\r\n..]], ["a\r\n.\r\n.b"] = [[a\r\n..\r\n..b]],
        ["a.b"] = "a.b", ["a\n.b"] = [[a\n.b]], ["\r.\n."] = [[\r.\n.]], ["\r\n\r\n.."] = [[\r\n\r\n...]],
        ["\r\r\n."] = [[\r\r\n..]],
      } do
        assert.equal(stuffed, arriving { message })
      end
    end)

    it("wherever chunks begin and end", function()
      local message = ".\r\n..a\r\n\r\n.\r.\n.b\r\r\n.\r\n"
      local whole = arriving { message }
      for first = 0, #message do
        for second = first, #message do
          assert.equal(whole, arriving {
            message:sub(1, first), message:sub(first + 1, second), message:sub(second + 1),
          })
        end
      end
      local bytes = {}
      for index = 1, #message do
        bytes[index] = message:sub(index, index)
      end
      assert.equal(whole, arriving(bytes))
    end)
  end)

  describe("returns what the server said when it refused", function()
    local user = { user = "ann", password = "secret" }

    for title, case in pairs {
      ["to talk"] = { "554 no\r\n", "554 no", 0 },
      ["the domain"] = { "220 hi\r\n502 no\r\n", "502 no", 1 },
      ["LOGIN"] = { GREETING .. "504 no\r\n", "504 no", 2, user },
      ["the user"] = { GREETING .. "334 u\r\n535 no\r\n", "535 no", 3, user },
      ["the password"] = { GREETING .. "334 u\r\n334 p\r\n535-no\r\n535 never\r\n", "535-no\n535 never", 4, user },
      ["the sender"] = { GREETING .. "550 no\r\n", "550 no", 2 },
      ["a recipient"] = { GREETING .. "250 m\r\n550 no\r\n", "550 no", 3 },
      ["one of two"] = { GREETING .. "250 m\r\n250 r\r\n550 no\r\n", "550 no", 4, { rcpt = { "<a>", "<b>" } } },
      ["data"] = { GREETING .. "250 m\r\n250 r\r\n554 no\r\n", "554 no", 4 },
      ["data, in a friendly way"] = { GREETING .. "250 m\r\n250 r\r\n250 what\r\n", "250 what", 4 },
      ["the message"] = { GREETING .. "250 m\r\n250 r\r\n354 go\r\n554 no\r\n", "554 no", 6 },
      ["to let go"] = { GREETING .. "250 m\r\n250 r\r\n354 go\r\n250 taken\r\n500 no\r\n", "500 no", 7 },
      ["to make sense"] = { "hello\r\n", "invalid server reply", 0 },
      ["to go on"] = { GREETING .. "250 m\r\n", "closed", 3 },
    } do
      it(title, function()
        local sent, results = exchange(case[1], case[4])
        assert.same({ n = 2, nil, case[2] }, results)
        assert.equal(case[3], #sent)
      end)
    end
  end)

  it("returns what kept it from connecting", function()
    local fake = FakeSocket.new { connect_error = "connection refused" }
    assert.same({ n = 2, nil, "connection refused" }, pack(smtp.send(mail { create = fake.create })))
    assert.is_false(fake.is_open)
    assert.same({ n = 2, nil, "no sockets" }, pack(smtp.send(mail { create = function()
      return nil, "no sockets"
    end })))
  end)

  it("returns what the server said when it took no more of the message", function()
    local said = { ["552 too much\r\n"] = "552 too much", ["250 enough\r\n"] = "closed", [""] = "closed" }
    for reply, expected in pairs(said) do
      local fake = FakeSocket.new {
        input = GREETING .. "250 m\r\n250 r\r\n354 go\r\n" .. reply,
        send_error = "closed",
        send_limit = 5,
      }
      local results = pack(smtp.send(mail { create = fake.create, source = ltn12.source.table { "a", "b", "c" } }))
      assert.same({ n = 2, nil, expected }, results)
      assert.equal('send "b"', fake.log[#fake.log - 1])
      assert.is_false(fake.is_open)
    end
  end)

  it("returns the error of the source or the step, and sends no end of the message", function()
    local sent, results = exchange(GREETING .. DELIVERY, { source = ltn12.source.cat(ltn12.source.string "a",
      ltn12.source.error "no data") })
    assert.same({ n = 2, nil, "no data" }, results)
    assert.same({ [[DATA\r\n]], "a" }, { unpack(sent, 4) })
    sent, results = exchange(GREETING .. DELIVERY, { step = function()
      return nil, "no step"
    end })
    assert.same({ n = 2, nil, "no step" }, results)
    assert.same({ [[DATA\r\n]] }, { unpack(sent, 4) })
  end)

  it("raises what the source raises, with the connection closed", function()
    local oops = { "oops" }
    local fake = FakeSocket.new { input = GREETING .. DELIVERY }
    local ok, err = pcall(smtp.send, mail { create = fake.create, source = function()
      error(oops)
    end })
    assert.is_false(ok)
    assert.equal(oops, err)
    assert.is_false(fake.is_open)
  end)

  it("refuses what would add commands of its own, before it connects", function()
    local fake = FakeSocket.new {}
    for _, evil in ipairs { "\r", "\n", "\0", "<a@x>\r\nRCPT TO:<eve@x>", "<a@x>\nDATA" } do
      for what, fields in pairs { sender = { from = evil }, recipient = { rcpt = { "<a@x>", evil } },
        domain = { domain = evil } } do
        fields.create = fake.create
        assert.same({ n = 2, nil, "invalid " .. what .. ": CR, LF and NUL are not allowed" },
          pack(smtp.send(mail(fields))))
      end
      assert.same({ n = 2, nil, "invalid recipient: CR, LF and NUL are not allowed" },
        pack(smtp.send(mail { rcpt = evil, create = fake.create })))
    end
    assert.same({}, fake.log)
  end)

  it("raises for fields of the wrong kind, before it connects", function()
    local fake = FakeSocket.new {}
    assert.equal("bad argument #1 to 'send' (table expected, got nil)", raised(function()
      smtp.send()
    end))
    for _, case in ipairs {
      { "from", {}, "string", "table" }, { "rcpt", true, "string", "boolean" },
      { "rcpt", { true }, "string", "boolean" }, { "source", "text", "function", "string" },
      { "server", {}, "string", "table" }, { "port", {}, "string", "table" },
      { "user", {}, "string", "table" }, { "password", {}, "string", "table" }, { "domain", true, "string", "boolean" },
    } do
      local name, value, expected, got = unpack(case)
      assert.equal(("bad field '%s' (%s expected, got %s)"):format(name, expected, got), raised(function()
        smtp.send(mail { [name] = value, create = fake.create })
      end))
    end
    for _, name in ipairs { "from", "rcpt", "source" } do
      local incomplete = mail { create = fake.create }
      incomplete[name] = nil
      assert.matches("^bad field '" .. name .. "' %(%a+ expected, got nil%)$", raised(function()
        smtp.send(incomplete)
      end))
    end
    assert.same({}, fake.log)
  end)
end)
