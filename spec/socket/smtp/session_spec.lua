-- Mails step by step: what `smtp.open` returns.

local FakeSocket = require "spec.support.fake_socket"
local ltn12 = require "cosock.ltn12"
local mails = require "spec.support.mails"
local peers = require "spec.support.peers"
local smtp = require "cosock.socket.smtp"
local socket = require "cosock.socket"

local pack, raised = peers.pack, peers.raised
local DELIVERY, mail = mails.DELIVERY, mails.mail

describe("smtp.open", function()
  --- A session with a server that replies with `input`.
  local function opened(input)
    local fake = FakeSocket.new { input = input }
    return smtp.open("host", 25, fake.create), fake
  end

  it("connects, to the usual server if it is told no other", function()
    local fake = FakeSocket.new {}
    smtp.open(nil, nil, fake.create)
    assert.equal('connect "localhost" 25', fake.log[2])
  end)

  it("raises for socket.protect what kept it from connecting", function()
    local fake = FakeSocket.new { connect_error = "connection refused" }
    local function open()
      return smtp.open("host", 25, fake.create)
    end
    assert.has_error(open)
    assert.same({ n = 2, nil, "connection refused" }, pack(socket.protect(open)()))
  end)

  it("gives the steps of a session", function()
    local session, fake = opened("220 hi\r\n250-x\r\n250 AUTH PLAIN\r\n235 in\r\n" .. DELIVERY)
    local extensions = session:greet "here"
    assert.equal("250-x\n250 AUTH PLAIN", extensions)
    assert.same({ n = 2, 235, "235 in" }, pack(session:auth("ann", "secret", extensions)))
    assert.same({ n = 2, 250, "250 sender" }, pack(session:mail "<a@x>"))
    assert.same({ n = 2, 250, "250 recipient" }, pack(session:rcpt "<b@x>"))
    assert.same({ n = 2, 250, "250 taken" }, pack(session:data(ltn12.source.string ".a")))
    assert.same({ n = 2, 221, "221 bye" }, pack(session:quit()))
    assert.is_true(fake.is_open)
    assert.equal(1, session:close())
    assert.equal(1, session:close())
    assert.is_false(fake.is_open)
    assert.same({
      "create", 'connect "host" 25', [[send "EHLO here\r\n"]], [[send "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"]],
      [[send "MAIL FROM:<a@x>\r\n"]], [[send "RCPT TO:<b@x>\r\n"]], [[send "DATA\r\n"]], [[send ".a"]],
      [[send "\r\n.\r\n"]], [[send "QUIT\r\n"]], "close",
    }, fake.log)
  end)

  it("gives a session that can send several mails", function()
    local session, fake = opened(DELIVERY:gsub("221 bye\r\n", ""):rep(2))
    session:send(mail())
    session:send(mail { source = ltn12.source.string "." })
    assert.equal([[send ".."]], fake.log[#fake.log - 1])
  end)

  it("raises for socket.protect what the server refused, with the connection closed", function()
    for _, step in ipairs {
      function(session)
        session:greet()
      end,
      function(session)
        session:mail "<a@x>"
      end,
      function(session)
        session:auth("ann", "secret", "")
      end,
      function(session)
        session:mail "<a@x>\r\n"
      end,
    } do
      local session, fake = opened "550 no\r\n"
      local results = pack(socket.protect(step)(session))
      assert.is_nil(results[1])
      assert.is_string(results[2])
      assert.is_false(fake.is_open)
    end
  end)

  it("authenticates nobody without a user and a password", function()
    local session = opened ""
    assert.equal(1, session:auth(nil, "secret", "AUTH PLAIN"))
    assert.equal(1, session:auth("ann", nil, "AUTH PLAIN"))
  end)

  it("raises for arguments of the wrong kind", function()
    local session = opened "250 x\r\n"
    for name, call in pairs {
      from = function()
        session:mail()
      end,
      rcpt = function()
        session:send { from = "<a@x>", source = ltn12.source.empty() }
      end,
      user = function()
        session:login({}, "secret")
      end,
      password = function()
        session:plain("ann", {})
      end,
      extensions = function()
        session:auth("ann", "secret")
      end,
    } do
      assert.matches("^bad field '" .. name .. "' %(string expected, got %a+%)$", raised(call))
    end
  end)
end)
