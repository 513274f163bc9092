-- `smtp.message`: sources of messages.

local cosock = require "cosock"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local smtp = require "cosock.socket.smtp"
local socket = require "cosock.socket"

local pack, raised = peers.pack, peers.raised

--- The whole text of a message.
local function text(message)
  local sink, chunks = ltn12.sink.table()
  assert(ltn12.pump.all(smtp.message(message), sink))
  return table.concat(chunks)
end

--- The header fields of a message's text, and its body.
local function split(whole)
  local head, body = whole:match "^(.-\r\n)\r\n(.*)$"
  local fields, last = {}, nil
  for line in head:gmatch "(.-)\r\n" do
    local name, value = line:match "^([^: ]+): (.*)$"
    if name then
      assert.is_nil(fields[name], name .. " is there twice")
      fields[name], last = value, name
    else
      assert.matches("^[ \t]", line)
      fields[last] = fields[last] .. "\r\n" .. line
    end
  end
  return fields, body
end

--- What a message's source says at first.
local function problem(message)
  local chunk, err = smtp.message(message)()
  assert.is_nil(chunk)
  return err
end

describe("smtp.message", function()
  describe("writes header fields", function()
    it("that every message has", function()
      local fields, body = split(text { body = "hello" })
      assert.equal("hello", body)
      assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d %-0000$", fields.Date)
      fields.Date = nil
      assert.same({
        ["MIME-Version"] = "1.0",
        ["X-Mailer"] = socket._VERSION,
        ["Content-Type"] = 'text/plain; charset="iso-8859-1"',
      }, fields)
    end)

    it("that it is given, in their usual spelling", function()
      local fields = split(text {
        headers = { SUBJECT = "hi", ["X-Foo"] = "bar", ["message-id"] = "<1@x>", To = 12, empty = "" },
      })
      assert.equal("hi", fields.Subject)
      assert.equal("bar", fields["x-foo"])
      assert.equal("<1@x>", fields["Message-ID"])
      assert.equal("12", fields.To)
      assert.equal("", fields.empty)
    end)

    it("in place of its own ones, except for the version of MIME", function()
      local fields = split(text {
        headers = { Date = "now", ["X-MAILER"] = "mine", ["content-type"] = "text/html", ["Mime-Version"] = "9" },
      })
      assert.same({ Date = "now", ["X-Mailer"] = "mine", ["Content-Type"] = "text/html", ["MIME-Version"] = "1.0" },
        fields)
    end)

    it("always in the same order", function()
      local headers = { To = "a", From = "b", Subject = "c", Date = "d" }
      local first = text { headers = headers, body = "x" }
      for _ = 1, 10 do
        local copy = {}
        for name, value in pairs(headers) do
          copy[name:upper()] = value
        end
        assert.equal(first, text { headers = copy, body = "x" })
      end
    end)

    it("into the message's table", function()
      local headers = { Subject = "hi" }
      local message = { headers = headers, body = "x" }
      smtp.message(message)
      assert.not_equal(headers, message.headers)
      assert.same({ Subject = "hi" }, headers)
      assert.equal("hi", message.headers.subject)
      assert.equal("1.0", message.headers["mime-version"])
      assert.is_string(message.headers.date)
      assert.is_nil(message.headers["content-type"])
    end)

    it("that are folded", function()
      local fields = split(text { headers = { References = "<a@x>\r\n <b@x>\r\n\t<c@x>" }, body = "" })
      assert.equal("<a@x>\r\n <b@x>\r\n\t<c@x>", fields.References)
    end)
  end)

  describe("tells the date", function()
    it("in English, of now, in UTC", function()
      local before = os.time()
      local value = split(text { body = "" }).Date
      local after = os.time()
      local expected = {}
      for time = before, after do
        expected[os.date("!%d %m %Y %H:%M:%S", time)] = true
      end
      local names = "JanFebMarAprMayJunJulAugSepOctNovDec"
      local day, month, rest = value:match "^%a%a%a, (%d%d) (%a%a%a) (%d%d%d%d %d%d:%d%d:%d%d) "
      local number = ("%02d"):format((names:find(month, 1, true) + 2) / 3)
      assert.is_true(expected[day .. " " .. number .. " " .. rest], value)
    end)

    it("with the zone of the message, or that of the module", function()
      assert.matches(" %+0200$", split(text { zone = "+0200", body = "" }).Date)
      smtp.ZONE = "-0330"
      local value = split(text { body = "" }).Date
      smtp.ZONE = "-0000"
      assert.matches(" %-0330$", value)
    end)
  end)

  describe("takes a body", function()
    it("that is a string, a number or nothing", function()
      assert.equal("text", select(2, split(text { body = "text" })))
      assert.equal("", select(2, split(text { body = "" })))
      assert.equal("12", select(2, split(text { body = 12 })))
      assert.equal("", select(2, split(text {})))
      local long = ("0123456789abcdef\r\n"):rep(10000)
      assert.equal(long, select(2, split(text { body = long })))
    end)

    it("that a source gives", function()
      assert.equal("abc", select(2, split(text { body = ltn12.source.table { "a", "", "b", "c" } })))
    end)

    it("that a callable table gives", function()
      local chunks = { "a", "b" }
      local source = setmetatable({}, {
        __call = function()
          return table.remove(chunks, 1)
        end,
      })
      assert.equal("ab", select(2, split(text { body = source })))
    end)

    it("of several parts", function()
      local whole = text {
        headers = { Subject = "parts" },
        body = {
          preamble = "before",
          { headers = { ["Content-ID"] = "<1>" }, body = "one" },
          { headers = { ["content-type"] = "image/png; x=y" }, body = ltn12.source.string "two" },
          { body = 3 },
          epilogue = "after",
        },
      }
      local fields, body = split(whole)
      local boundary = fields["Content-Type"]:match '^multipart/mixed; boundary="([^"]+)"$'
      assert.equal(table.concat({
        "before", "",
        "--" .. boundary, "Content-ID: <1>", 'Content-Type: text/plain; charset="iso-8859-1"', "", "one",
        "--" .. boundary, "Content-Type: image/png; x=y", "", "two",
        "--" .. boundary, 'Content-Type: text/plain; charset="iso-8859-1"', "", "3",
        "--" .. boundary .. "--", "", "after", "",
      }, "\r\n"), body)
    end)

    it("whose parts have parts", function()
      local whole = text {
        headers = { ["content-type"] = "multipart/related" },
        body = {
          { headers = { ["Content-Type"] = 'multipart/alternative; x="y"' }, body = { { body = "in" } } },
          { body = "out" },
        },
      }
      local outer = whole:match 'multipart/related; boundary="([^"]+)"'
      local inner = whole:match 'multipart/alternative; x="y"; boundary="([^"]+)"'
      assert.not_equal(outer, inner)
      local _, body = split(whole)
      local plain = '\r\nContent-Type: text/plain; charset="iso-8859-1"\r\n\r\n'
      assert.equal(table.concat {
        "\r\n--", outer, '\r\nContent-Type: multipart/alternative; x="y"; boundary="', inner, '"\r\n\r\n',
        "\r\n--", inner, plain, "in", "\r\n--", inner, "--\r\n\r\n",
        "\r\n--", outer, plain, "out", "\r\n--", outer, "--\r\n\r\n",
      }, body)
    end)

    it("whose boundary it is told", function()
      for _, written in ipairs { 'boundary="abc"', "Boundary=abc", 'x="y"; boundary = "abc"; z=1' } do
        local fields, body = split(text { headers = { ["content-type"] = "multipart/mixed; " .. written },
          body = { { body = "in" } } })
        assert.equal("multipart/mixed; " .. written, fields["Content-Type"])
        assert.matches("^\r\n%-%-abc\r\n.*\r\n%-%-abc%-%-\r\n\r\n$", body)
      end
    end)

    it("of no parts", function()
      local fields, body = split(text { body = {} })
      local boundary = fields["Content-Type"]:match 'boundary="([^"]+)"'
      assert.equal("\r\n--" .. boundary .. "--\r\n\r\n", body)
    end)
  end)

  it("makes boundaries that nobody has seen before", function()
    local seen = {}
    for _ = 1, 1000 do
      local boundary = text({ body = {} }):match 'boundary="([^"]+)"'
      assert.is_nil(seen[boundary])
      assert.is_true(#boundary <= 70)
      assert.matches("^[%w=_.]+$", boundary)
      seen[boundary] = true
    end
  end)

  describe("gives an error", function()
    it("of a body's source, as often as that gives it", function()
      local source = smtp.message { body = ltn12.source.error "no data" }
      assert.is_string(source())
      assert.same({ n = 2, nil, "no data" }, pack(source()))
      assert.same({ n = 2, nil, "no data" }, pack(source()))
    end)

    it("that a body's source raises, once", function()
      local oops = { "oops" }
      local source = smtp.message { body = function()
        error(oops)
      end }
      assert.is_string(source())
      assert.same({ n = 2, nil, oops }, pack(source()))
      assert.same({ n = 2, nil, "cannot resume dead coroutine" }, pack(source()))
    end)

    it("after the end", function()
      local source = smtp.message { body = "x" }
      assert.is_string(source())
      assert.same({ n = 1, nil }, pack(source()))
      assert.same({ n = 2, nil, "cannot resume dead coroutine" }, pack(source()))
    end)

    it("for header fields that would end early", function()
      for _, evil in ipairs {
        "\r", "\n", "\0", "x\r\nBcc: eve", "x\nBcc: eve", "x\r\n\r\nbody", "x\r\n ", "x\r\n \r\n y", "x\r\n", "x\n y",
        "\r\n",
      } do
        local expected = "invalid header field 'subject': CR, LF and NUL are not allowed"
        assert.equal(expected, problem { headers = { Subject = evil } })
        assert.equal(expected, problem { body = { { body = "x" }, { headers = { Subject = evil } } } })
      end
      assert.equal("invalid name of a header field: CR, LF and NUL are not allowed", problem {
        headers = { ["x\r\nBcc"] = "eve" },
      })
      assert.equal("invalid header field 'date': CR, LF and NUL are not allowed", problem { zone = "\r\nBcc: eve" })
      assert.equal("invalid header field 'content-type': CR, LF and NUL are not allowed", problem {
        headers = { ["content-type"] = "multipart/mixed; boundary=a\r\nBcc: eve" },
        body = {},
      })
    end)

    it("for what it cannot write", function()
      assert.equal("bad header field 'a' (string expected, got boolean)", problem { headers = { A = true } })
      assert.equal("bad field 'headers' (table expected, got string)", problem { headers = "x" })
      assert.equal("bad field 'headers' (table expected, got string)", problem { body = { { headers = "x" } } })
      assert.equal("bad field 'body' (string, function or table expected, got boolean)", problem { body = true })
      assert.equal("bad field 'preamble' (string expected, got table)", problem { body = { preamble = {} } })
      assert.equal("bad field 'epilogue' (string expected, got boolean)", problem { body = { epilogue = true } })
      assert.equal("bad part of a message (table expected, got string)", problem { body = { "x" } })
    end)
  end)

  it("raises for what is no message", function()
    assert.equal("bad argument #1 to 'message' (table expected, got nil)", raised(function()
      smtp.message()
    end))
  end)

  it("lets a body's source wait, at any depth, while others run", function()
    local client, peer = peers.pair(socket)
    local tx, rx = cosock.channel.new()
    local order, whole = {}, nil
    run.tasks(function()
      whole = text {
        body = {
          { body = function()
            local line = rx:receive()
            order[#order + 1] = "channel"
            return line
          end },
          { body = { { body = socket.source("until-closed", client) } } },
        },
      }
    end, function()
      order[#order + 1] = "other"
      tx:send "from a channel"
      tx:send(nil)
      socket.sleep(0)
      peer:send "from a socket"
      socket.sleep(0)
      peer:send ", twice"
      peer:close()
    end)
    assert.same({ "other", "channel", "channel" }, order)
    assert.matches("\r\n\r\nfrom a channel\r\n", whole, 1, true)
    assert.matches("\r\n\r\nfrom a socket, twice\r\n", whole, 1, true)
  end)

  it("holds no more of a source's data than a chunk", function()
    local left = 1000
    local chunk = ("x"):rep(100000)
    local source = smtp.message { body = function()
      left = left - 1
      return left >= 0 and chunk or nil
    end }
    collectgarbage()
    local before, most = collectgarbage "count", 0
    repeat
      local got = source()
      if left % 50 == 0 then
        collectgarbage()
        most = math.max(most, collectgarbage "count" - before)
      end
    until not got
    assert.is_true(most < 1000, most)
  end)
end)
