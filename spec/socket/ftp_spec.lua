local fake_ftp = require "spec.support.fake_ftp"
local ftp = require "cosock.socket.ftp"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local socket = require "cosock.socket"

local pack, raised = peers.pack, peers.raised

local unpack = table.unpack or unpack -- luacheck: ignore 143

local LOGIN = "220 hi\r\n331 who\r\n230 in\r\n"
local PASSIVE = "229 Listening (|||5555|)\r\n"
local TRANSFER = "150 go\r\n226 done\r\n221 bye\r\n"

--- Calls `fn` while servers reply with `input` and send `data`. Returns what they were sent and what `fn` returned.
local function talk(input, data, fn, options)
  options = options or {}
  options.input, options.data = input, options.data or { input = data }
  local server, results = fake_ftp.serve(socket, options, function(create)
    return pack(fn(create))
  end)
  local sent = {}
  for _, line in ipairs(server.log) do
    sent[#sent + 1] = line:match '^control send "(.*)\\r\\n"$'
  end
  assert.is_false(server.control.is_open)
  for _, connection in ipairs(server.data) do
    assert.is_false(connection.is_open)
  end
  return sent, results, server
end

--- A request, with a sink.
local function request(create, fields)
  local made = { create = create, host = "h", sink = ltn12.sink.null() }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return made
end

describe("cosock.socket.ftp", function()
  it("is also socket.ftp", function()
    assert.equal(ftp, socket.ftp)
  end)

  it("has LuaSocket's defaults", function()
    assert.equal(60, ftp.TIMEOUT)
    assert.equal("ftp", ftp.USER)
    assert.equal("anonymous@anonymous.org", ftp.PASSWORD)
  end)
end)

describe("ftp.get", function()
  it("fetches what a URL names", function()
    local sent, results, server = talk(LOGIN .. PASSIVE .. TRANSFER, "content", function()
      return ftp.get "ftp://host/dir/a%20b"
    end, { plain = true })
    assert.same({ n = 1, "content" }, results)
    assert.same({
      "USER ftp", "PASS anonymous@anonymous.org", "EPSV", "RETR dir/a b", "QUIT",
    }, sent)
    assert.equal('control connect "host" 21', server.log[2])
    assert.equal('data connect "192.0.2.1" 5555', server.log[7])
  end)

  it("takes the user, the password, the port and the type out of the URL", function()
    local sent, _, server = talk(LOGIN .. "200 ok\r\n" .. PASSIVE .. TRANSFER, "", function()
      return ftp.get "ftp://ann:secret@host:2121/x;type=i"
    end, { plain = true })
    assert.same({ "USER ann", "PASS secret", "TYPE i", "EPSV", "RETR x", "QUIT" }, sent)
    assert.equal('control connect "host" 2121', server.log[2])
  end)

  it("hands what a table asks for to a sink", function()
    local sink, chunks = ltn12.sink.table()
    local steps = 0
    local sent, results, server = talk(LOGIN .. "200 ok\r\n" .. PASSIVE .. TRANSFER, "content", function(create)
      return ftp.get {
        create = create, host = "host", port = 2121, user = "ann", password = "secret", type = "i",
        command = "nlst", argument = "/dir", sink = sink,
        step = function(...)
          steps = steps + 1
          return ltn12.pump.step(...)
        end,
      }
    end)
    assert.same({ n = 1, 1 }, results)
    assert.same({ "USER ann", "PASS secret", "TYPE i", "EPSV", "NLST /dir", "QUIT" }, sent)
    assert.equal('control connect "host" 2121', server.log[2])
    assert.equal("content", table.concat(chunks))
    assert.equal(2, steps)
  end)

  it("takes what a table lacks out of its URL, and leaves the table alone", function()
    local fields
    local sent, _, server = talk(LOGIN .. "200 ok\r\n" .. PASSIVE .. TRANSFER, "content", function(create)
      fields = { create = create, url = "ftp://ann:secret@host:2121/x;type=i", path = "y", sink = ltn12.sink.null() }
      return ftp.get(fields)
    end)
    assert.same({ "USER ann", "PASS secret", "TYPE i", "EPSV", "RETR y", "QUIT" }, sent)
    assert.equal('control connect "host" 2121', server.log[2])
    fields.create, fields.sink = nil, nil
    assert.same({ url = "ftp://ann:secret@host:2121/x;type=i", path = "y" }, fields)
  end)

  it("gives a reply to the sink if that is the answer", function()
    local chunks, is_finished = {}, false
    local _, results = talk(LOGIN .. PASSIVE .. "226-here\r\n226 it is\r\n221 bye\r\n", "", function(create)
      return ftp.get(request(create, { sink = function(chunk)
        chunks[#chunks + 1] = chunk
        is_finished = chunk == nil
        return 1
      end }))
    end)
    assert.same({ n = 1, 1 }, results)
    assert.same({ "226-here\n226 it is" }, chunks)
    assert.is_true(is_finished)
  end)

  it("returns what was wrong with a URL", function()
    for url, err in pairs {
      [""] = "invalid url", ["http://h/x"] = "wrong scheme 'http'", ["FTP://h/x"] = "wrong scheme 'FTP'",
      ["ftp:///x"] = "missing hostname", ["x"] = "missing hostname", ["ftp://h/x;type=d"] = "invalid type 'd'",
      ["ftp://h/x;type=ii"] = "invalid type 'ii'", ["ftp://h/x;foo"] = "invalid type 'foo'",
      ["ftp://h/x;"] = "invalid type ''",
    } do
      assert.same({ n = 2, nil, err }, pack(ftp.get(url)))
    end
    assert.same({ n = 2, nil, "missing hostname" }, pack(ftp.get { path = "x", sink = ltn12.sink.null() }))
    assert.same({ n = 2, nil, "invalid url" }, pack(ftp.get { url = "", sink = ltn12.sink.null() }))
  end)

  describe("returns what the server said when it refused", function()
    for title, case in pairs {
      ["to talk"] = { "421 no\r\n", "421 no" },
      ["the user"] = { "220 hi\r\n530 no\r\n", "530 no" },
      ["the user without an account"] = { "220 hi\r\n332 account\r\n", "332 account" },
      ["the password"] = { "220 hi\r\n331 who\r\n530 no\r\n", "530 no" },
      ["the type"] = { LOGIN .. "504 no\r\n", "504 no", "i" },
      ["to listen"] = { LOGIN .. "425 no\r\n", "425 no" },
      ["to listen, either way"] = { LOGIN .. "500 no\r\n500 never\r\n", "500 no" },
      ["to say where"] = { LOGIN .. "229 somewhere\r\n", "invalid epsv response" },
      ["to send the file"] = { LOGIN .. PASSIVE .. "550 no\r\n", "550 no" },
      ["to go on"] = { LOGIN .. PASSIVE .. "350 more\r\n", "350 more" },
      ["to send all"] = { LOGIN .. PASSIVE .. "150 go\r\n426 no\r\n", "426 no" },
      ["to let go"] = { LOGIN .. PASSIVE .. "150 go\r\n226 done\r\n500 no\r\n", "500 no" },
      ["to make sense"] = { "hello\r\n", "invalid server reply" },
      ["to say more"] = { LOGIN .. PASSIVE .. "150 go\r\n", "closed" },
    } do
      it(title, function()
        local _, results = talk(case[1], "content", function(create)
          return ftp.get(request(create, { type = case[3], path = "x" }))
        end)
        assert.same({ n = 2, nil, case[2] }, results)
      end)
    end
  end)

  it("returns the errors of its connections, its sink and its step", function()
    for err, case in pairs {
      ["connection refused"] = { data = { connect_error = "connection refused" } },
      ["timeout"] = { data = { receive_error = "timeout" } },
      ["full"] = { fields = { sink = ltn12.sink.error "full" } },
      ["no step"] = { fields = { step = function()
        return nil, "no step"
      end } },
    } do
      local _, results = talk(LOGIN .. PASSIVE .. TRANSFER, "content", function(create)
        return ftp.get(request(create, case.fields))
      end, { data = case.data })
      assert.same({ n = 2, nil, err }, results)
    end
  end)

  it("raises what the sink raises, with its connections closed", function()
    local oops = { "oops" }
    local _, results = talk(LOGIN .. PASSIVE .. TRANSFER, "content", function(create)
      return pcall(ftp.get, request(create, { sink = function()
        error(oops)
      end }))
    end)
    assert.same({ n = 2, false, oops }, results)
  end)
end)

describe("ftp.put", function()
  it("stores a string under a URL", function()
    local sent, results, server = talk(LOGIN .. "200 ok\r\n" .. PASSIVE .. TRANSFER, "", function()
      return ftp.put("ftp://host/dir/x;type=i", "content")
    end, { plain = true })
    assert.same({ n = 1, 7 }, results)
    assert.same({ "USER ftp", "PASS anonymous@anonymous.org", "TYPE i", "EPSV", "STOR dir/x", "QUIT" }, sent)
    assert.equal('data send "content"', server.log[10])
  end)

  it("stores what a source gives", function()
    local sent, results = talk(LOGIN .. PASSIVE .. TRANSFER, "", function(create)
      return ftp.put(request(create, { source = ltn12.source.table { "ab", "", "c" }, command = "appe", path = "/x" }))
    end)
    assert.same({ n = 1, 3 }, results)
    assert.equal("APPE x", sent[4])
  end)

  it("stores nothing at all", function()
    for _, content in ipairs { "", false } do
      local _, results = talk(LOGIN .. PASSIVE .. TRANSFER, "", function()
        return ftp.put("ftp://host/x", content or nil)
      end, { plain = true })
      assert.same({ n = 1, 0 }, results)
    end
  end)

  it("returns what the server said when it refused, or took no more", function()
    for input, err in pairs {
      [PASSIVE .. "550 no\r\n"] = "550 no",
      [PASSIVE .. "150 go\r\n552 full\r\n"] = "552 full",
    } do
      local _, results = talk(LOGIN .. input, "", function(create)
        return ftp.put(request(create, { source = ltn12.source.string "x" }))
      end)
      assert.same({ n = 2, nil, err }, results)
    end
    local said = { ["552 full\r\n"] = "552 full", ["226 enough\r\n"] = "closed", [""] = "closed" }
    for reply, err in pairs(said) do
      local _, results, server = talk(LOGIN .. PASSIVE .. "150 go\r\n" .. reply, "", function(create)
        return ftp.put(request(create, { source = ltn12.source.table { "a", "b", "c" } }))
      end, { data = { send_error = "closed", send_limit = 1 } })
      assert.same({ n = 2, nil, err }, results)
      assert.equal(1, server.data[1].sent)
    end
  end)

  it("returns the errors of the source, and of a connection that does not take the data in time", function()
    local _, results = talk(LOGIN .. PASSIVE .. TRANSFER, "", function(create)
      return ftp.put(request(create, { source = ltn12.source.error "closed" }))
    end)
    assert.same({ n = 2, nil, "closed" }, results)
    _, results = talk(LOGIN .. PASSIVE .. TRANSFER, "", function(create)
      return ftp.put(request(create, { source = ltn12.source.string "x" }))
    end, { data = { send_error = "timeout" } })
    assert.same({ n = 2, nil, "timeout" }, results)
  end)

  it("raises what the source raises, with its connections closed", function()
    local oops = { "oops" }
    local _, results = talk(LOGIN .. PASSIVE .. TRANSFER, "", function(create)
      return pcall(ftp.put, request(create, { source = function()
        error(oops)
      end }))
    end)
    assert.same({ n = 2, false, oops }, results)
  end)
end)

describe("ftp.command", function()
  --- What is sent for these commands after the login, and what `command` returns.
  local function commanded(input, fields)
    local sent, results = talk(LOGIN .. input, "", function(create)
      return ftp.command(request(create, fields))
    end)
    return { unpack(sent, 3) }, results
  end

  it("sends a command", function()
    local sent, results = commanded("250 ok\r\n221 bye\r\n", { command = "dele", argument = "x" })
    assert.same({ n = 1, 1 }, results)
    assert.same({ "DELE x", "QUIT" }, sent)
  end)

  it("checks its reply", function()
    for reply, err in pairs { ["350 more"] = "350 more", ["150 wait"] = "150 wait", ["550 no"] = "550 no" } do
      local sent, results = commanded(reply .. "\r\n", { command = "noop" })
      assert.same({ n = 2, nil, err }, results)
      assert.same({ "NOOP" }, sent)
    end
    for _, check in ipairs { 350, "3..", { "2..", "3.." }, function()
      return true
    end } do
      local _, results = commanded("350 more\r\n221 bye\r\n", { command = "noop", check = check })
      assert.same({ n = 1, 1 }, results)
    end
    local _, results = commanded("250 ok\r\n", { command = "noop", check = function(code, reply)
      return nil, code .. " is not " .. reply
    end })
    assert.same({ n = 2, nil, "250 is not 250 ok" }, results)
  end)

  it("sends several, and stops at the first that is refused", function()
    local sent, results = commanded("250 ok\r\n350 go\r\n250 ok\r\n221 bye\r\n", {
      command = { "cwd", "rnfr", "rnto" },
      argument = { "dir", "a", "b" },
      check = { 250, "3..", { 250, 200 } },
    })
    assert.same({ n = 1, 1 }, results)
    assert.same({ "CWD dir", "RNFR a", "RNTO b", "QUIT" }, sent)
    sent, results = commanded("550 no\r\n", { command = { "cwd", "dele" }, argument = { "dir", "x" } })
    assert.same({ n = 2, nil, "550 no" }, results)
    assert.same({ "CWD dir" }, sent)
  end)

  it("sends several without arguments and checks", function()
    local sent, results = commanded("350 go\r\n250 ok\r\n221 bye\r\n", { command = { "rnfr", "rnto" } })
    assert.same({ n = 1, 1 }, results)
    assert.same({ "RNFR", "RNTO", "QUIT" }, sent)
    sent, results = commanded("250 ok\r\n350 go\r\n", { command = { "noop", "rnfr" } })
    assert.same({ n = 2, nil, "350 go" }, results)
    assert.same({ "NOOP", "RNFR" }, sent)
  end)

  it("needs a host and a command", function()
    assert.same({ n = 2, nil, "missing hostname" }, pack(ftp.command { command = "noop" }))
    assert.same({ n = 2, nil, "missing command" }, pack(ftp.command { host = "h" }))
  end)
end)

describe("the functions of ftp", function()
  it("refuse what would add commands of its own, before they connect", function()
    local function refused(what)
      return { n = 2, nil, "invalid " .. what .. ": CR, LF and NUL are not allowed" }
    end
    for _, evil in ipairs { "\r", "\n", "\0", "x\r\nDELE y" } do
      for _, name in ipairs { "user", "password", "type", "path", "argument", "command" } do
        for _, fn in ipairs { "get", "put", "command" } do
          local fields = request(error, { source = ltn12.source.empty(), command = "noop" })
          fields[name] = evil
          assert.same(refused(name), pack(ftp[fn](fields)))
        end
      end
      assert.same(refused "command", pack(ftp.command(request(error, { command = { "noop", evil } }))))
      assert.same(refused "argument", pack(ftp.command(request(error, {
        command = { "noop", "dele" },
        argument = { [2] = evil },
      }))))
    end
    for _, evil in ipairs { "%0d", "%0A", "%00", "x%0d%0aDELE%20y" } do
      assert.same(refused "path", pack(ftp.get("ftp://h/" .. evil)))
      assert.same(refused "path", pack(ftp.put("ftp://h/" .. evil, "x")))
    end
    assert.same(refused "user", pack(ftp.get "ftp://a\r\nb:c@h/x"))
  end)

  it("raise for arguments and fields of the wrong kind", function()
    for name, field in pairs { get = "sink", put = "source" } do
      assert.equal(("bad argument #1 to '%s' (string or table expected, got nil)"):format(name), raised(ftp[name]))
      assert.equal(("bad field '%s' (function expected, got nil)"):format(field), raised(function()
        ftp[name] { host = "h" }
      end))
      assert.equal(("bad field '%s' (function expected, got string)"):format(field), raised(function()
        ftp[name] { host = "h", [field] = "x" }
      end))
    end
    assert.equal("bad argument #1 to 'command' (table expected, got string)", raised(function()
      ftp.command "ftp://h/x"
    end))
    for _, field in ipairs { "argument", "check" } do
      assert.equal(("bad field '%s' (table expected, got string)"):format(field), raised(function()
        ftp.command { host = "h", command = { "noop" }, [field] = "x" }
      end))
    end
  end)
end)
