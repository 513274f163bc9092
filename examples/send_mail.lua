-- Sends a mail with files attached.
--
--   lua examples/send_mail.lua SERVER:PORT FROM TO SUBJECT FILE...
--   lua examples/send_mail.lua localhost:25 ann@example.org bob@example.org "Photos" sea.jpg hills.jpg

local cosock = require "cosock"
local ltn12 = require "cosock.ltn12"
local mime = require "cosock.mime"
local smtp = require "cosock.socket.smtp"

local server, port = (arg[1] or ""):match "^(.+):(%d+)$"
local from, to, subject = arg[2], arg[3], arg[4]
if not server or not arg[5] then
  io.stderr:write "usage: lua send_mail.lua SERVER:PORT FROM TO SUBJECT FILE...\n"
  os.exit(1)
end

-- A part of a message that holds a file, in base64. The file is read while the mail is sent, a piece at a
-- time: it may be of any size.
local function attachment(path)
  local name = path:match "[^/]*$":gsub('["\\]', "\\%0")
  return {
    headers = {
      ["content-type"] = "application/octet-stream",
      ["content-disposition"] = ('attachment; filename="%s"'):format(name),
      ["content-transfer-encoding"] = "base64",
    },
    body = ltn12.source.chain(
      ltn12.source.file(io.open(path, "rb")),
      ltn12.filter.chain(mime.encode "base64", mime.wrap "base64")
    ),
  }
end

local parts = {
  {
    headers = {
      ["content-type"] = 'text/plain; charset="utf-8"',
      ["content-transfer-encoding"] = "quoted-printable",
    },
    body = ltn12.source.chain(
      ltn12.source.string(("%d file(s) attached.\n"):format(#arg - 4)),
      ltn12.filter.chain(mime.normalize(), mime.encode "quoted-printable", mime.wrap "quoted-printable")
    ),
  },
}
for index = 5, #arg do
  parts[#parts + 1] = attachment(arg[index])
end

local problem
cosock.spawn(function()
  local _
  _, problem = smtp.send {
    server = server,
    port = port,
    from = ("<%s>"):format(from),
    rcpt = ("<%s>"):format(to),
    source = smtp.message {
      headers = { from = from, to = to, subject = subject },
      body = parts,
    },
  }
end, "mail")

-- The mail is a task like any other: whatever else the program does goes on meanwhile.
cosock.run()

if problem then
  io.stderr:write(("the mail was not sent: %s\n"):format(problem))
  os.exit(1)
end
print(("sent to %s"):format(to))
