-- `cosock.socket.ftp` does what LuaSocket's `socket.ftp` does: the same talk with servers, the same results.

local Generator = require "spec.support.generator"
local Twins = require "spec.support.twins"
local cosock_socket = require "cosock.socket"
local fake_ftp = require "spec.support.fake_ftp"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local servers = require "spec.support.servers"

local twins = Twins.load("cosock.socket.ftp", "socket.ftp")
if not twins then
  it("has no LuaSocket here to compare cosock.socket.ftp with", function() end)
  return
end

local sockets = { [twins.ours] = cosock_socket, [twins.theirs] = require "socket" }

local LOGIN = "220 hi\r\n331 who\r\n230 in\r\n"
local PASSIVE = "229 Listening (|||5555|)\r\n"
local TRANSFER = "150 go\r\n226 done\r\n221 bye\r\n"

-- What the calls were, without the data connection's end and the farewell, whose order is ours.
local function without_order(log)
  local kept, others = {}, {}
  for _, line in ipairs(log) do
    local is_other = line == "data close" or line:find "QUIT" or line == "control close"
    local list = is_other and others or kept
    list[#list + 1] = line
  end
  table.sort(others)
  return { kept, others }
end

-- LuaSocket looks whether these have something to read or to say.
local idle = assert(cosock_socket.udp4())
assert(idle:setsockname("127.0.0.1", 0))

-- It cannot look at descriptors over 1023: what earlier specs left to the collector goes first.
setup(function()
  collectgarbage()
  collectgarbage()
end)

--- Compares what `fn` returns, and what both did to the connections of a server that replies with `input` and sends
--- `data`.
---@param fn fun(ftp: table, create: function): ...
local function same(title, input, data, fn, options)
  twins:both(title, function(ftp)
    local told = { input = input, descriptor = idle:getfd(), data = { input = data, descriptor = idle:getfd() } }
    for name, value in pairs(options or {}) do
      if name == "data" then
        for data_name, data_value in pairs(value) do
          told.data[data_name] = data_value
        end
      else
        told[name] = value
      end
    end
    local server, result, err = fake_ftp.serve(sockets[ftp], told, function(create)
      return fn(ftp, create)
    end)
    return result, err, without_order(server.log), server.control.input, server.control.timeout
  end)
end

local function get_url(url)
  return function(ftp)
    return ftp.get(url)
  end
end

--- Calls a function with a table that has these fields, and a sink or a source.
local function with(name, fields)
  return function(ftp, create)
    local request = { create = create, sink = ltn12.sink.table() }
    if name == "put" then
      request.source = ltn12.source.table { "hel", "lo", "", "x" }
    end
    for field, value in pairs(fields) do
      request[field] = value
    end
    return ftp[name](request)
  end
end

--- Makes a session and calls `fn` with it.
local function session(fn)
  return function(ftp, create)
    local made = ftp.open("h", 21, create)
    return sockets[ftp].protect(fn)(made)
  end
end

describe("cosock.socket.ftp and LuaSocket's", function()
  setup(function()
    -- As LuaSocket, which believes what servers say of where they listen.
    twins.ours.ANY_DATA_HOST = true
  end)

  teardown(function()
    twins.ours.ANY_DATA_HOST = false
  end)

  it("have the same defaults", function()
    for _, name in ipairs { "TIMEOUT", "USER", "PASSWORD" } do
      assert.equal(twins.theirs[name], twins.ours[name])
    end
  end)

  it("read URLs alike", function()
    for _, url in ipairs {
      "ftp://u:p@h:21/a/b%20c;type=i", "ftp://h", "ftp://h/", "//h/x", "ftp:///x", "x", "ftp://h/x;type=I", "",
      "ftp://h//x", "http://h/x", "FTP://h/x", "ftp://h/x;type=a", "ftp://h/a?b#c", "ftp://u@h/x", "ftp://:p@h/x",
    } do
      twins:both(url, function(ftp)
        return sockets[ftp].protect(ftp.genericform)(url)
      end)
    end
  end)

  it("get URLs alike", function()
    for _, url in ipairs {
      "ftp://h/dir/file", "ftp://h//x", "ftp://h", "ftp://h/a?b#c", "//h/x", "http://h/x", "", "ftp:///x",
      "ftp://us%40x:p%3aw@h/a", "ftp://:p@h/x", "ftp://h:2121/%2fx", "ftp://h/x;type=d",
    } do
      same(url, LOGIN .. PASSIVE .. TRANSFER, "content", get_url(url), { plain = true })
    end
    for _, url in ipairs { "ftp://h/x;type=a", "ftp://u:p@h/x;type=i" } do
      same(url, LOGIN .. "200 ok\r\n" .. PASSIVE .. TRANSFER, "content", get_url(url), { plain = true })
      same(url, LOGIN .. "500 no\r\n", "content", get_url(url), { plain = true })
    end
  end)

  it("get alike what a table asks for", function()
    for _, fields in ipairs {
      { host = "h", path = "a/b" }, { host = "h", path = "/a/b" }, { host = "h", path = "\\a" }, { host = "h" },
      { host = "h", argument = "/a%20b" }, { host = "h", argument = "x", path = "y" }, { host = "h", argument = "" },
      { host = "h", path = "a%20b%zz+" }, { host = "h", path = "" }, { host = "h", path = 12 },
      { host = "h", command = "list" }, { host = "h", command = "list -a", path = "x" }, { path = "x" },
      { url = "ftp://h/x" }, { url = "ftp://h/x", host = "i", path = "y" }, { host = "h", path = "x", user = "u" },
      { host = "h", path = "x", password = "p" }, { host = "h", path = "x", port = "99" },
      { host = "h", path = "x", step = ltn12.pump.step }, { host = "h", path = "x", step = function()
        return nil, "no step"
      end }, { host = "h", path = "x", sink = ltn12.sink.error "full" }, { host = "h", path = "x", sink = function()
        error "oops"
      end },
    } do
      same("get", LOGIN .. PASSIVE .. TRANSFER, "content", with("get", fields))
    end
    for _, kind in ipairs { "a", "i", "A", "z" } do
      local fields = { host = "h", path = "x", type = kind }
      same("type", LOGIN .. "200 ok\r\n" .. PASSIVE .. TRANSFER, "x", with("get", fields))
    end
  end)

  it("put alike", function()
    for _, content in ipairs { "hello", "" } do
      same("put", LOGIN .. PASSIVE .. TRANSFER, "", function(ftp)
        return ftp.put("ftp://h/dir/x", content)
      end, { plain = true })
    end
    for _, fields in ipairs {
      { host = "h", path = "x" }, { host = "h", argument = "/x" }, { host = "h", path = "x", command = "appe" },
      { host = "h", command = "stou" }, { path = "x" }, { url = "ftp://h/x" },
      { host = "h", path = "x", source = ltn12.source.error "no data" },
      { host = "h", path = "x", source = ltn12.source.empty() },
      { host = "h", path = "x", source = function()
        error "oops"
      end },
      { host = "h", path = "x", step = ltn12.pump.step },
    } do
      same("put", LOGIN .. PASSIVE .. TRANSFER, "", with("put", fields))
      same("put", LOGIN .. PASSIVE .. "550 no\r\n", "", with("put", fields))
      same("put", LOGIN .. PASSIVE .. "150 go\r\n552 full\r\n", "", with("put", fields))
    end
  end)

  it("command alike", function()
    for _, fields in ipairs {
      { command = "dele", argument = "x" }, { command = "noop" }, { command = "noop", check = 250 },
      { command = "noop", check = { "3..", "2.." } }, { command = "x", url = "ftp://h/x" }, {},
      { command = "noop", user = "u", password = "p", port = 9 },
      { command = { "noop", "cwd" }, argument = { nil, "b" }, check = { 250, "2.." } },
      { command = "noop", check = function()
        return "good"
      end },
    } do
      fields.host = not fields.url and "h" or nil
      twins:both("command", function(ftp)
        local told = { input = LOGIN .. "250 ok\r\n250 ok\r\n221 bye\r\n" }
        local server, result, err = fake_ftp.serve(sockets[ftp], told, function(create)
          return with("command", fields)(ftp, create)
        end)
        return result, err, without_order(server.log)
      end)
    end
    for _, reply in ipairs { "350 ok\r\n", "150 ok\r\n", "550 no\r\n", "" } do
      twins:both(reply, function(ftp)
        local _, result, err = fake_ftp.serve(sockets[ftp], { input = LOGIN .. reply }, function(create)
          return with("command", { host = "h", command = "noop" })(ftp, create)
        end)
        return result, err
      end)
    end
  end)

  it("refuse alike what names no server", function()
    for _, name in ipairs { "get", "put", "command" } do
      same(name, "", "", with(name, { command = "x" }))
    end
  end)

  it("go alike through the steps of a session", function()
    local steps = {
      greet = function(made)
        return made:greet()
      end,
      login = function(made)
        return made:login()
      end,
      ["login as"] = function(made)
        return made:login("u", "p")
      end,
      pasv = function(made)
        local host, port = made:pasv()
        return host, port
      end,
      epsv = function(made)
        local host, port = made:epsv()
        return host, tonumber(port)
      end,
      eprt = function(made)
        return made:eprt(1, "1.2.3.4", 258)
      end,
      ["eprt 6"] = function(made)
        return made:eprt(2, "::1", 258)
      end,
      cwd = function(made)
        return made:cwd "dir"
      end,
      type = function(made)
        return made:type "I"
      end,
      quit = function(made)
        return made:quit()
      end,
      close = function(made)
        return made:close()
      end,
      send = function(made)
        return made:send { argument = "x", source = ltn12.source.string "x" }
      end,
      receive = function(made)
        return made:receive { argument = "x", sink = ltn12.sink.null() }
      end,
    }
    if math.mod then -- luacheck: ignore 143
      -- Elsewhere LuaSocket's raises, for want of that function.
      function steps.port(made)
        return made:port("1.2.3.4", 258)
      end
    end
    for title, step in pairs(steps) do
      for _, reply in ipairs {
        "200 ok", "250 ok", "120 soon\r\n220 hi", "230 in", "331 who\r\n230 in", "331 who\r\n530 no", "332 what",
        "421 bye", "500 no", "221 bye",
        "227 here (1,2,3,4,5,6).", "227 here 1,2,3,4,5,6", "227 nowhere", "229 (|||77|)", "229 77",
        "229 x (!!!77!)", "229-a\r\n229 (|1|::1|77|)", "junk", "",
      } do
        same(title .. ": " .. reply, reply .. "\r\n", "", session(step))
      end
    end
  end)

  it("transfer alike in a session", function()
    for _, code in ipairs { "226", "451" } do
      same("receive", "227 (1,2,3,4,5,6)\r\n150 x\r\n" .. code .. " y\r\n", "data", session(function(made)
        made:pasv()
        return made:receive { argument = "x", sink = ltn12.sink.null() }
      end))
      same("send", "227 (1,2,3,4,5,6)\r\n150 x\r\n" .. code .. " y\r\n", "", session(function(made)
        made:pasv()
        return made:send { argument = "x", source = ltn12.source.string "abc" }
      end))
    end
  end)

  it("give a reply to the sink when there is no data connection", function()
    same("get", LOGIN .. PASSIVE .. "226-here\r\n226 it is\r\n221 bye\r\n", "", get_url "ftp://h/x", { plain = true })
  end)

  it("pass on alike the errors of the connections", function()
    for _, options in ipairs {
      { connect_error = "connection refused" }, { send_error = "closed" }, { receive_error = "timeout", input = "" },
      { data = { connect_error = "connection refused" } }, { data = { receive_error = "timeout" } },
    } do
      same("get", LOGIN .. PASSIVE .. TRANSFER, "content", with("get", { host = "h", path = "x" }), options)
    end
  end)

  it("say the same to servers, whatever they reply", function()
    local random = Generator.new(5)
    local usual = { "220 hi", "331 who", "230 in", "200 ok", "229 (|||77|)", "150 go", "226 done", "221 bye" }
    local replies = {
      "250 ok", "250-a\r\n250 b", "350 go", "421 bye", "junk", "", "150 x", "226 y", "120 wait", "332 what",
      "227 (1,2,3)", "229 77",
    }
    for _ = 1, 500 do
      local input = {}
      for index, reply in ipairs(usual) do
        input[index] = (random:number(4) == 1 and random:pick(replies) or reply) .. "\r\n"
      end
      input = table.concat(input, "", 1, random:number(#usual))
      local name = random:pick { "get", "put" }
      same(("%s %q"):format(name, input), input, "content", with(name, { host = "h", path = "x", type = "i" }))
    end
  end)

  describe("and a real server", function()
    local server

    setup(function()
      -- LuaSocket's `put` cannot do with descriptors beyond 1024: those that earlier specs have dropped are closed.
      collectgarbage()
      collectgarbage()
      server = servers.ftp()
      server:write("text", "a text\n")
      server:write("empty", "")
      server:write("a b", ("0123456789"):rep(100000))
    end)

    teardown(function()
      server:stop()
    end)

    local function url(user, path)
      return ("ftp://%s127.0.0.1:%d/%s"):format(user, server.port, path)
    end

    it("get alike", function()
      for _, path in ipairs { "text", "text;type=a", "text;type=i", "empty", "a%20b;type=i", "missing", "", "a/b" } do
        twins:both(path, function(ftp)
          return ftp.get(url("", path))
        end)
      end
      twins:both("wrong password", function(ftp)
        return ftp.get(url("ann:wrong@", "text"))
      end)
    end)

    it("list alike", function()
      for _, fields in ipairs { { command = "nlst" }, { command = "list" }, { command = "nlst", path = "missing" } } do
        twins:both("list", function(ftp)
          local sink, chunks = ltn12.sink.table()
          fields.host, fields.port, fields.sink = "127.0.0.1", server.port, sink
          local result, err = ftp.get(fields)
          return result, err, table.concat(chunks)
        end)
      end
    end)

    it("put and command alike", function()
      for _, content in ipairs { "", "hello", ("x"):rep(1000000) } do
        twins:both("put", function(ftp)
          local request = {
            host = "127.0.0.1", port = server.port, user = "ann", password = "secret word",
            path = "new", type = "i", source = ltn12.source.string(content),
          }
          local results = { ftp.put(request) }
          results[3] = server:read "new" == content
          request.command, request.argument, request.check = { "rnfr", "rnto" }, { "new", "newer" }, { 350, 250 }
          results[4] = { ftp.command(request) }
          request.command, request.argument, request.check = "dele", "newer", nil
          results[5] = { ftp.command(request) }
          results[6] = { ftp.command(request) }
          return results
        end)
      end
      twins:both("forbidden", function(ftp)
        return ftp.put(url("", "forbidden"), "x")
      end)
    end)

    it("find alike nobody behind a port", function()
      local port = peers.refused_port(cosock_socket)
      twins:both("refused", function(ftp)
        return ftp.get { host = "127.0.0.1", port = port, path = "x", sink = ltn12.sink.null() }
      end)
    end)
  end)
end)
