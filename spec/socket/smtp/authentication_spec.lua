-- Who sends a mail: `smtp.send` with a user and a password.

local mails = require "spec.support.mails"

local unpack = table.unpack or unpack -- luacheck: ignore 143

local exchange, GREETING, DELIVERY = mails.exchange, mails.GREETING, mails.DELIVERY

describe("smtp.send authenticates", function()
  local function offering(lines)
    return "220 hi\r\n250-x\r\n" .. lines
  end

  local login = { [[AUTH LOGIN\r\n]], [[YW5u\r\n]], [[c2VjcmV0\r\n]] }
  local plain = { [[AUTH PLAIN AGFubgBzZWNyZXQ=\r\n]] }

  local function used(extensions)
    local replies = extensions:find "LOGIN" and "334 u\r\n334 p\r\n" or ""
    local sent, results = exchange(offering(extensions) .. replies .. "235 in\r\n" .. DELIVERY,
      { user = "ann", password = "secret" })
    assert.same({ n = 1, 1 }, results)
    return { unpack(sent, 2, #sent - 6) }
  end

  it("by LOGIN if the server offers it", function()
    assert.same(login, used "250 AUTH LOGIN\r\n")
    assert.same(login, used "250-AUTH PLAIN LOGIN\r\n250 HELP\r\n")
    assert.same(login, used "250 AUTH=LOGIN PLAIN\r\n")
  end)

  it("else by PLAIN", function()
    assert.same(plain, used "250 AUTH PLAIN\r\n")
    assert.same(plain, used "250-AUTH=PLAIN\r\n250 HELP\r\n")
    assert.same(plain, used "250 auth plain\r\n")
    assert.same(plain, used "250 AUTH CRAM-MD5 PLAIN XLOGOUT\r\n")
  end)

  it("by nothing else", function()
    for _, extensions in ipairs {
      "250 HELP\r\n", "250 AUTH CRAM-MD5\r\n", "250 AUTH XLOGIN PLAINER\r\n", "250-AUTH\r\n250 PLAIN\r\n",
      "250 my AUTH PLAIN\r\n",
    } do
      local sent, results = exchange(offering(extensions), { user = "ann", password = "secret" })
      assert.same({ n = 2, nil, "authentication not supported" }, results)
      assert.equal(1, #sent)
    end
  end)

  it("only with both a user and a password", function()
    for _, fields in ipairs { { user = "ann" }, { password = "secret" } } do
      local sent, results = exchange(GREETING .. DELIVERY, fields)
      assert.same({ n = 1, 1 }, results)
      assert.equal(7, #sent)
    end
  end)

  it("in lines that are never broken, whatever the user and the password", function()
    local long = ("x"):rep(200)
    local sent = exchange(GREETING .. "334 u\r\n334 p\r\n235 in\r\n" .. DELIVERY, { user = long, password = "\r\n" })
    assert.matches([[^eHh4[%w]+=*\r\n$]], sent[3])
    assert.equal([[DQo=\r\n]], sent[4])
  end)

  it("not with a user or password that would be taken for the other", function()
    for _, fields in ipairs { { user = "a\0b", password = "c" }, { user = "a", password = "b\0c" } } do
      local sent, results = exchange(offering "250 AUTH PLAIN\r\n", fields)
      assert.same({ n = 2, nil, "invalid user or password: NUL is not allowed" }, results)
      assert.equal(1, #sent)
    end
  end)
end)
