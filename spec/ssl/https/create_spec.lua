-- Mail and files over TLS: what `create` of the clients for SMTP and FTP may be.

local cosock = require "cosock"
local descriptors = require "spec.support.descriptors"
local ftp = require "cosock.socket.ftp"
local https = require "cosock.ssl.https"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local servers = require "spec.support.servers"
local smtp = require "cosock.socket.smtp"
local socket = require "cosock.socket"
local ssl = require "cosock.ssl"
local tls = require "spec.support.tls"

local unpack = table.unpack or unpack -- luacheck: ignore 143

local function trusting(fields)
  fields = fields or {}
  fields.cafile = tls.file "root.pem"
  return https.tcp(fields)
end

--- A `create` as programs have it that were written for LuaSec: the socket becomes a connection when it connects.
local function made_by_hand()
  local sock = socket.tcp()
  return setmetatable({
    connect = function(_, host, port)
      local ok, err = sock:connect(host, port)
      if not ok then
        return ok, err
      end
      local params = { mode = "client", protocol = "any", verify = "peer", cafile = tls.file "root.pem" }
      sock = assert(ssl.wrap(sock, params))
      return sock:dohandshake()
    end,
  }, {
    __index = function(_, name)
      return function(_, ...)
        return sock[name](sock, ...)
      end
    end,
  })
end

describe("smtp over TLS", function()
  local server, plain

  setup(function()
    server, plain = servers.smtp("--tls=" .. tls.folder()), servers.smtp()
  end)

  teardown(function()
    server:stop()
    plain:stop()
  end)

  local function send(create, fields)
    local mail = {
      from = "<ann@x>", rcpt = "<bob@x>", source = ltn12.source.string "hello\r\n", server = "localhost",
      port = server.port, create = create,
    }
    for name, value in pairs(fields or {}) do
      mail[name] = value
    end
    return smtp.send(mail)
  end

  for place, here in peers.inside_and_outside(it) do
    here("sends mail, " .. place, function()
      for _, create in ipairs { trusting(), made_by_hand } do
        assert.equal(1, (send(create)))
        local mail = server:mail()
        assert.same({ "bob@x", "hello\r\n\r\n" }, { mail.to, mail.text })
        assert.equal(1, (send(create, { user = "ann", password = "secret word" })))
        assert.equal("LOGIN", server:mail().by)
        assert.same({ nil, "550 nobody is here" }, { send(create, { rcpt = "<nobody@x>" }) })
      end
    end)

    here("trusts no other server than others do, " .. place, function()
      local _, err = send(https.tcp())
      assert.matches("^certificate verify failed: unable to get local issuer certificate", err)
      _, err = send(trusting { hostname = "elsewhere.test" })
      assert.matches("^certificate verify failed: hostname mismatch", err)
    end)

    here("tells when the server knows no TLS, " .. place, function()
      assert.same({ nil, "wrong version number" }, { send(trusting(), { port = plain.port }) })
      assert.same({ nil, "connection refused" }, { send(trusting(), { port = peers.refused_port(socket) }) })
    end)
  end

  it("has the limit of time that smtp has", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local former = smtp.TIMEOUT
    smtp.TIMEOUT = 0.05
    assert.same({ nil, "wantread" }, { send(trusting(), { port = port }) })
    smtp.TIMEOUT = former
    listener:close()
  end)

  it("sends a mail of many records, from each of twenty tasks", function()
    local text = ("a line of a mail, and not the shortest\r\n"):rep(20000)
    local tasks = {}
    for index = 1, 20 do
      tasks[index] = function()
        assert.equal(1, (send(trusting(), { source = ltn12.source.string(index == 1 and text or "hello\r\n") })))
      end
    end
    run.tasks(unpack(tasks))
    local longest = 0
    for _ = 1, 20 do
      longest = math.max(longest, #server:mail().text)
    end
    assert.equal(#text + 2, longest)
  end)

  it("leaves no descriptor behind", function()
    local before = descriptors.settled()
    send(trusting())
    send(https.tcp())
    send(trusting(), { port = plain.port })
    send(trusting(), { rcpt = "<nobody@x>" })
    collectgarbage()
    collectgarbage()
    assert.equal(before, descriptors.count())
  end)
end)

describe("ftp over TLS", function()
  local server, front, port

  setup(function()
    server = servers.ftp()
    server:write("text", "a text")
    front, port = servers.tls_front(tls.folder(), server.port)
  end)

  teardown(function()
    front:stop()
    server:stop()
  end)

  local function request(fields)
    fields.host, fields.port, fields.user, fields.password = "localhost", port, "ann", "secret word"
    fields.type, fields.create = "i", fields.create or trusting()
    return fields
  end

  for place, here in peers.inside_and_outside(it) do
    here("gets and puts files, its commands being protected, " .. place, function()
      local sink, chunks = ltn12.sink.table()
      assert.equal(1, (ftp.get(request { path = "text", sink = sink })))
      assert.equal("a text", table.concat(chunks))
      local content = ("\0\1\r\n\254\255"):rep(50000)
      assert.equal(#content, (ftp.put(request { path = "new", source = ltn12.source.string(content) })))
      assert.equal(content, server:read "new")
      assert.equal(1, (ftp.command(request { command = "dele", argument = "new" })))
    end)

    here("trusts no other server than others do, " .. place, function()
      local _, err = ftp.command(request { command = "noop", create = https.tcp() })
      assert.matches("^certificate verify failed: unable to get local issuer certificate", err)
    end)
  end

  it("lets others run meanwhile", function()
    local order = {}
    cosock.spawn(function()
      assert.equal(1, (ftp.command(request { command = "noop" })))
      order[#order + 1] = "ftp"
    end)
    cosock.spawn(function()
      socket.sleep(0)
      order[#order + 1] = "other"
    end)
    cosock.run()
    assert.same({ "other", "ftp" }, order)
  end)
end)
