--- Mails to a server that is a script, for the specs of `cosock.socket.smtp`.

local FakeSocket = require "spec.support.fake_socket"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local smtp = require "cosock.socket.smtp"

local mails = {
  --- What a server says before and while it takes a mail.
  GREETING = "220 hi\r\n250-mail.example.org\r\n250-AUTH LOGIN PLAIN\r\n250 HELP\r\n",
  DELIVERY = "250 sender\r\n250 recipient\r\n354 go on\r\n250 taken\r\n221 bye\r\n",
}

--- A mail, with the fields that are given in place of the usual ones.
---@param fields? table
---@return table
function mails.mail(fields)
  local made = { from = "<ann@example.org>", rcpt = "<bob@example.org>", source = ltn12.source.string "hello\r\n" }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return made
end

--- What is sent to a server that replies with `input`, and what `send` returns.
---@param input string
---@param fields? table  of the mail
---@return string[] sent
---@return table results
---@return table fake  the socket
function mails.exchange(input, fields)
  local fake = FakeSocket.new { input = input }
  fields = mails.mail(fields)
  fields.create = fake.create
  local results = peers.pack(smtp.send(fields))
  assert(not fake.is_open, "the connection is open")
  local sent = {}
  for _, line in ipairs(fake.log) do
    sent[#sent + 1] = line:match '^send "(.*)"$'
  end
  return sent, results, fake
end

return mails
