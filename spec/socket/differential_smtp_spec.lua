-- `cosock.socket.smtp` does what LuaSocket's `socket.smtp` does: the same talk with servers, the same results, and the
-- same messages, but for the order of their header fields, which LuaSocket leaves open.

local FakeSocket = require "spec.support.fake_socket"
local Generator = require "spec.support.generator"
local Twins = require "spec.support.twins"
local ltn12 = require "cosock.ltn12"
local servers = require "spec.support.servers"

local twins = Twins.load("cosock.socket.smtp", "socket.smtp")
if not twins then
  it("has no LuaSocket here to compare cosock.socket.smtp with", function() end)
  return
end

local GREETING = "220 hi\r\n250-mail.example.org\r\n250-AUTH LOGIN PLAIN\r\n250 HELP\r\n"
local DELIVERY = "250 sender\r\n250 recipient\r\n354 go on\r\n250 taken\r\n221 bye\r\n"

--- Compares what both say of the same mail, and what both say to a server that replies with `input`.
---@param make fun(): table  the mail, fresh each time
local function same(title, input, make, options)
  options = options or {}
  twins:both(title, function(smtp)
    local fake = FakeSocket.new {
      input = input,
      connect_error = options.connect_error,
      send_error = options.send_error,
      receive_error = options.receive_error,
    }
    local mail = make()
    mail.create = fake.create
    local result, err = smtp.send(mail)
    return result, err, fake.log, fake.input, fake.timeout
  end)
end

local function mail(fields)
  return function()
    local made = { from = "<ann@x>", rcpt = "<bob@x>", source = ltn12.source.string "hello\r\n" }
    for name, value in pairs(fields or {}) do
      made[name] = value
    end
    return made
  end
end

--- A message with what may differ between two of the same made equal: dates, the mailer, boundaries, the order of
--- header fields.
local function normalized(text)
  local boundaries = 0
  for boundary in text:gmatch 'boundary="([^"]+)"' do
    boundaries = boundaries + 1
    local pattern = boundary:gsub("%W", "%%%0")
    text = text:gsub(pattern, "boundary " .. boundaries)
  end
  text = text:gsub("Date: %a+, %d+ %a+ %d+ %d+:%d+:%d+ ", "Date: "):gsub("LuaSocket 3%.%d%.%d", "LuaSocket")
  local lines, head = {}, {}
  for line in (text .. "\r\n"):gmatch "(.-)\r\n" do
    if head and line ~= "" then
      head[#head + 1] = line
    else
      if head then
        table.sort(head)
        lines[#lines + 1] = table.concat(head, "\r\n")
        head = nil
      end
      lines[#lines + 1] = line
      if line:find "^%-%-boundary %d+$" then
        head = {}
      end
    end
  end
  return table.concat(lines, "\r\n")
end

--- Compares the messages that both make.
---@param make fun(): table  the message, fresh each time
local function same_message(title, make)
  twins:both(title, function(smtp)
    local message = make()
    local sink, chunks = ltn12.sink.table()
    local done, err = ltn12.pump.all(smtp.message(message), sink)
    local names = {}
    for name, value in pairs(message.headers) do
      names[name] = name ~= "date" and name ~= "x-mailer" and value or nil
    end
    return done, err, normalized(table.concat(chunks)), names
  end)
end

describe("cosock.socket.smtp and LuaSocket's", function()
  it("have the same defaults", function()
    for _, name in ipairs { "TIMEOUT", "SERVER", "PORT", "DOMAIN", "ZONE" } do
      assert.equal(twins.theirs[name], twins.ours[name])
    end
  end)

  it("send mails alike", function()
    same("plain", GREETING .. DELIVERY, mail())
    same("server", GREETING .. DELIVERY, mail { server = "h", port = "587", domain = "here" })
    same("no recipients", GREETING .. DELIVERY:gsub("250 r%w+\r\n", ""), mail { rcpt = {} })
    same("recipients", GREETING .. "250 x\r\n" .. DELIVERY, mail { rcpt = { "<a@x> NOTIFY=NEVER", "<b@x>" } })
    same("numbers", GREETING .. DELIVERY, mail { from = 1, rcpt = { 2 } })
    same("LOGIN", GREETING .. "334 u\r\n334 p\r\n235 in\r\n" .. DELIVERY, mail { user = "ann", password = "secret" })
    same("PLAIN", "220 hi\r\n250 AUTH PLAIN\r\n235 in\r\n" .. DELIVERY, mail { user = "ann", password = "secret" })
    same("neither", "220 hi\r\n250 AUTH CRAM-MD5\r\n", mail { user = "ann", password = "secret" })
    same("user only", GREETING .. DELIVERY, mail { user = "ann" })
    same("step", GREETING .. DELIVERY, mail { step = ltn12.pump.step })
    same("no step", GREETING .. DELIVERY, mail { step = function()
      return nil, "no step"
    end })
    same("no data", GREETING .. DELIVERY, mail { source = ltn12.source.error "no data" })
    same("a source that raises", GREETING .. DELIVERY, mail { source = function()
      error "oops"
    end })
    same("refused", "", mail(), { connect_error = "connection refused" })
    same("closed", GREETING, mail(), { send_error = "closed" })
    same("silent", "", mail(), { receive_error = "timeout" })
  end)

  it("raise alike for mails without a sender, a recipient or a source", function()
    for _, name in ipairs { "from", "rcpt", "source" } do
      twins:both(name, function(smtp)
        local made = mail()()
        made[name] = nil
        made.create = FakeSocket.new({ input = GREETING .. DELIVERY }).create
        smtp.send(made)
      end)
    end
  end)

  it("stuff messages alike, wherever their chunks begin and end", function()
    local random = Generator.new(3)
    for _ = 1, 200 do
      local chunks = random:split(random:text({ ".", "\r\n", "\r\n.", "\r", "\n", "a", "..", "\r\n.\r\n" }, 20))
      same(table.concat(chunks, "|"), GREETING .. DELIVERY, function()
        return mail({ source = ltn12.source.table(chunks) })()
      end)
    end
  end)

  it("say the same to servers, whatever they reply", function()
    local random = Generator.new(4)
    local usual = { "220 hi", "250-x\r\n250 AUTH LOGIN PLAIN", "250 a", "250 b", "250 c", "354 d", "250 e", "221 f" }
    local replies = {
      "250 ok", "250-a\r\n250 b", "354 go", "550 no", "550-no\r\n550 never", "421 bye", "334 x", "235 in", "junk", "",
      "250-AUTH PLAIN\r\n250 x", "220-\r\n220 x",
    }
    for _ = 1, 500 do
      local input = {}
      for index, reply in ipairs(usual) do
        input[index] = (random:number(4) == 1 and random:pick(replies) or reply) .. "\r\n"
      end
      input = table.concat(input, "", 1, random:number(#usual))
      local fields = {
        rcpt = random:coin() and { "<a@x>", "<b@x>" } or nil,
        user = random:coin() and "ann" or nil,
        password = "secret",
      }
      same(("%q"):format(input), input, mail(fields))
    end
  end)

  it("make the same messages", function()
    for _, message in ipairs {
      {}, { body = "" }, { body = "text" }, { body = 12 }, { headers = {}, body = ("x\r\n"):rep(3000) },
      { headers = { Subject = "hi", ["X-Foo"] = "bar", ["from"] = 12, ["message-ID"] = "<1>" }, body = "x" },
      { headers = { ["Content-Type"] = "text/html", ["mime-version"] = "3" }, body = "x" },
      { headers = { Date = "now", ["X-MAILER"] = "mine" }, body = "x" },
      { zone = "+0200", body = "x" },
      { body = {} }, { body = { preamble = "", epilogue = "", { body = "a" } } },
      { headers = { ["content-type"] = 'multipart/alternative; x="y"' }, body = { { body = { { body = "in" } } } } },
    } do
      same_message("message", function()
        local copy = {}
        for name, value in pairs(message) do
          copy[name] = value
        end
        return copy
      end)
    end
  end)

  it("make the same messages, whatever they are made of", function()
    local function generated(random, depth)
      local message = { headers = {} }
      for _ = 1, random:number(4) do
        message.headers[random:pick { "Subject", "to", "CC", "X-One", "x-two", "Content-ID", "received" }] =
          random:text({ "a", "b c", "<d@x>", '"e"', ",", "\195\169", "=" }, 6)
      end
      if random:coin() then
        message.headers["Content-Type"] = random:pick { 'text/html; charset="utf-8"', "image/png", "text/plain" }
      end
      local kind = random:number(depth > 0 and 4 or 2)
      if kind == 1 then
        message.body = random:text({ "a", "\r\n", ".", "bb ", "\r\n\r\n", "\0", "\255" }, 30)
      elseif kind == 2 then
        message.body = ltn12.source.table(random:split(random:text({ "a", "\r\n", ".", "bb " }, 30)))
      else
        if message.headers["Content-Type"] then
          message.headers["Content-Type"] = "multipart/related"
        end
        message.body = { preamble = random:coin() and "before" or nil, epilogue = random:coin() and "after" or nil }
        for index = 1, random:number(3) do
          message.body[index] = generated(random, depth - 1)
        end
      end
      return message
    end

    for seed = 1, 300 do
      same_message("seed " .. seed, function()
        return generated(Generator.new(seed), 3)
      end)
    end
  end)

  it("give the same errors of a message's body", function()
    for _, make in ipairs {
      function()
        return ltn12.source.error "no data"
      end,
      function()
        return ltn12.source.cat(ltn12.source.string "x", ltn12.source.error "no more")
      end,
      function()
        return function()
          error({ "oops" }, 0)
        end
      end,
    } do
      twins:both("error", function(smtp)
        local source = smtp.message { body = make() }
        source()
        local results = {}
        for index = 1, 3 do
          results[index] = { source() }
        end
        return results
      end)
    end
  end)

  describe("and a real server", function()
    local server

    setup(function()
      server = servers.smtp()
    end)

    teardown(function()
      server:stop()
    end)

    it("agree alike", function()
      for _, fields in ipairs {
        {}, { from = "<>" }, { rcpt = { "<a@x>", "<b@x>" } }, { user = "ann", password = "secret word" },
        { user = "ann", password = "wrong" }, { rcpt = "<nobody@x>" }, { from = "no address" }, { rcpt = {} },
        { from = "<ann@x> SIZE=99999999999" }, { from = "<ann@x> FOO=BAR" }, { domain = "" },
      } do
        for _, text in ipairs { ".\r\n..\r\n", "refuse this\r\n" } do
          twins:both("mail", function(smtp)
            local made = mail(fields)()
            made.server, made.port, made.source = "127.0.0.1", server.port, ltn12.source.string(text)
            local result, err = smtp.send(made)
            return result, err, result and server:mail()
          end)
        end
      end
    end)

    it("agree alike on messages", function()
      for seed = 1, 20 do
        twins:both("seed " .. seed, function(smtp)
          local random = Generator.new(seed)
          local made = mail()()
          made.server, made.port = "127.0.0.1", server.port
          made.source = smtp.message {
            headers = { subject = "seed" },
            body = {
              { body = random:text({ ".", "\r\n", "a" }, 30) },
              { body = ltn12.source.table(random:split(random:text({ ".", "\r\n" }, 30))) },
            },
          }
          local result, err = smtp.send(made)
          return result, err, normalized(server:mail().text)
        end)
      end
    end)

    it("find alike nobody behind a port", function()
      twins:both("refused", function(smtp)
        local made = mail()()
        made.server, made.port = "127.0.0.1", 1
        return smtp.send(made)
      end)
    end)
  end)
end)
