-- Nothing stays behind: no descriptor, no memory, whatever becomes of a connection.

local descriptors = require "spec.support.descriptors"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local socket = require "cosock.socket"
local ssl = require "cosock.ssl"
local tls = require "spec.support.tls"

local client, server = tls.client, tls.server

-- How often a thing is done, and by how much the process may grow meanwhile, in KiB: a connection of OpenSSL's takes
-- more each time, a context much more.
local TIMES, FEWER = 80, 20
local SLACK, SLACK_EACH = 512, 20

local function collect()
  collectgarbage()
  collectgarbage()
end

-- KiB that the whole process holds, or 0 where the system does not tell.
local function resident()
  local file = io.open "/proc/self/status"
  local status = file and file:read "*a" or ""
  if file then
    file:close()
  end
  return tonumber(status:match "VmRSS:%s*(%d+)" or 0)
end

local function grows_not(title, work, times)
  times = times or TIMES
  it(title, function()
    local function often()
      for _ = 1, times do
        work()
      end
      collect()
    end
    often() -- fills what is kept for good
    local open, all = descriptors.count(), resident()
    often()
    assert.equal(open, descriptors.count())
    local growth = resident() - all
    assert.is_true(growth < SLACK + SLACK_EACH * times, ("%d KiB more"):format(growth))
  end)
end

-- How the handshake with a plain peer ends that sends this, and closes.
local function handshake_with(data, configuration)
  local mine, theirs = tls.sockets()
  theirs:send(data)
  theirs:shutdown "send"
  local connection = assert(ssl.wrap(mine, configuration))
  assert.is_false((connection:dohandshake()))
  connection:close()
  theirs:close()
end

describe("nothing is left of", function()
  local client_context, server_context

  setup(function()
    client_context, server_context = assert(ssl.newcontext(client())), assert(ssl.newcontext(server()))
  end)

  grows_not("connections that were closed", function()
    local one, other = tls.pair(client_context, server_context)
    one:send("line\n")
    other:receive()
    one:close()
    other:close()
  end)

  grows_not("connections that are garbage", function()
    tls.pair(client_context, server_context)
  end)

  grows_not("what connections tell, many times", function()
    local one, other = tls.pair(client_context, server_context)
    for _ = 1, 200 do
      assert(one:getpeercertificate():pem() and #one:getpeerchain() > 0 and #other:getlocalchain() > 0)
      assert(one:info() and one:exportkeyingmaterial("EXPORTER-x", 1000) and one:getfinished())
    end
    one:close()
    other:close()
  end, FEWER)

  grows_not("connections with a context each", function()
    local one, other = tls.pair()
    one:close()
    other:close()
  end, FEWER)

  grows_not("contexts", function()
    assert(ssl.newcontext(client()))
    assert(ssl.newcontext(server { alpn = function() end, dhparam = function() end, psk = function() end }))
  end, FEWER)

  grows_not("contexts that could not be made", function()
    assert.is_nil(ssl.newcontext(client { key = "/no/such/file" }))
    assert.is_nil(ssl.newcontext(server { key = tls.file "encrypted.key", password = "wrong" }))
    assert.is_nil(ssl.newcontext(server { key = tls.file "client.key" }))
    assert.is_nil(ssl.newcontext(client { ciphers = "x" }))
    assert.is_false((pcall(ssl.newcontext, client { verify = { {} } })))
  end, FEWER)

  local stranger

  setup(function()
    stranger = assert(ssl.newcontext(server {
      key = tls.file "stranger.key", certificate = tls.file "stranger.pem",
    }))
  end)

  grows_not("servers that were refused", function()
    assert.equal("certificate verify failed", (tls.outcome(client_context, stranger)))
  end)

  for title, data in pairs {
    ["garbage"] = ("\255garbage"):rep(100),
    ["plain text"] = "GET / HTTP/1.0\r\n\r\n",
    ["a record that is cut off"] = "\22\3\1\2\0\1\0\1\252",
    ["nothing"] = "",
  } do
    grows_not(title .. " in place of a handshake", function()
      handshake_with(data, client_context)
      handshake_with(data, server_context)
    end)
  end

  grows_not("peers that vanish", function()
    local one, other = tls.pair(client_context, server_context)
    tls.vanish(one)
    assert.same({ n = 3, nil, "unexpected eof while reading", "" }, peers.pack(other:receive()))
    one:close()
    other:close()
  end)

  grows_not("handshakes whose time was up", function()
    local mine, theirs = tls.sockets()
    local connection = assert(ssl.wrap(mine, client_context))
    connection:settimeout(0)
    assert.same({ false, "wantread" }, { connection:dohandshake() })
    connection:close()
    theirs:close()
  end)

  grows_not("functions that raise in the midst of a handshake", function()
    local one, other = tls.ends(client { alpn = "a" }, server { alpn = function()
      error "no"
    end })
    assert.is_false((pcall(tls.shake_hands, one, other)))
    one:close()
    other:close()
  end)

  grows_not("parameters of key agreements", function()
    local parameters = tls.contents "dh.pem"
    local one, other = tls.pair(client { protocol = "tlsv1_2", ciphers = "DHE-RSA-AES256-GCM-SHA384" }, server {
      key = tls.file "server-rsa.key", certificate = tls.file "server-rsa.pem",
      dhparam = function() return parameters end,
    })
    one:close()
    other:close()
  end, FEWER)

  grows_not("certificates", function()
    local one, other = tls.pair(client_context, server_context)
    one:getpeercertificate():extensions()
    one:getpeerchain()
    other:getlocalchain()
    one:close()
    other:close()
  end)

  grows_not("tasks that were cancelled in the midst of it", function()
    run.tasks(function()
      local cosock = require "cosock"
      local mine, theirs = tls.sockets()
      local task = cosock.spawn(function()
        assert(ssl.wrap(mine, client_context)):dohandshake()
      end)
      socket.sleep(0)
      task:cancel()
      theirs:close()
    end)
  end)

  it("much that was sent and received", function()
    local one, other = tls.pair()
    local piece = ("x"):rep(1000000)
    local function exchange()
      run.tasks(function()
        for _ = 1, 20 do
          one:send(piece)
        end
      end, function()
        for _ = 1, 20 do
          assert.equal(#piece, #other:receive(#piece))
        end
      end)
      collect()
    end
    exchange()
    local before = resident()
    exchange()
    assert.is_true(resident() - before < 3072, resident() - before)
  end)
end)
