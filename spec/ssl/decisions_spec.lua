-- What the program decides in the midst of a handshake: protocols, contexts by name, parameters. (Shared keys:
-- psk_spec.lua.)

local peers = require "spec.support.peers"
local run = require "spec.support.run"
local socket = require "cosock.socket"
local ssl = require "cosock.ssl"
local tls = require "spec.support.tls"

local client, server = tls.client, tls.server

-- The protocols that both sides have agreed on.
local function agreed(offered, spoken)
  local one, other = tls.pair(client { alpn = offered }, server { alpn = spoken })
  assert.equal(one:getalpn(), other:getalpn())
  return one:getalpn()
end

describe("an application protocol", function()
  it("is the first of the server's that the client offers", function()
    assert.equal("h2", agreed("h2", { "http/1.1", "h2" }))
    assert.equal("b", agreed({ "a", "b" }, { "b", "a" }))
  end)

  it("may be none", function()
    assert.is_nil(agreed({ "a" }, { "b" }))
    assert.is_nil(agreed(nil, { "a" }))
    assert.is_nil(agreed({ "a" }, nil))
  end)

  it("can be chosen by a function", function()
    local offered
    assert.equal("b", agreed({ "a", "b" }, function(names)
      offered = names
      return "b"
    end))
    assert.same({ "a", "b" }, offered)
    assert.equal("a", agreed({ "a", "b" }, function()
      return { "c", "a" }
    end))
    for _, useless in ipairs { false, 5, "", "z", ("x"):rep(256), {}, { 5 }, { "" } } do
      assert.is_nil(agreed({ "a" }, function()
        return useless or nil
      end))
    end
  end)

  it("is refused where it cannot be one", function()
    for alpn, err in pairs {
      [""] = "invalid ALPN name (empty string)", [("x"):rep(256)] = "invalid ALPN name (length > 255)",
      [5] = "invalid ALPN parameter", [true] = "invalid ALPN parameter",
    } do
      assert.same({ n = 2, nil, err }, peers.pack(ssl.newcontext(client { alpn = alpn })))
    end
    assert.same({ n = 2, nil, "invalid ALPN list (empty)" }, peers.pack(ssl.newcontext(client { alpn = {} })))
    assert.same({ n = 2, nil, "invalid ALPN name (string expected, got table)" },
      peers.pack(ssl.newcontext(client { alpn = { {} } })))
    assert.same({ n = 2, nil, "invalid ALPN name (string expected, got nil)" },
      peers.pack(ssl.newcontext(client { alpn = { nil, "h2" } })))
    assert.same({ n = 2, nil, "invalid ALPN parameter" },
      peers.pack(ssl.newcontext(client { alpn = function() end })))
    assert.same({ n = 2, nil, "invalid ALPN parameter" }, peers.pack(ssl.newcontext(server { alpn = "h2" })))
  end)
end)

describe("a server with several contexts", function()
  local own, elsewhere

  before_each(function()
    own = assert(ssl.newcontext(server()))
    elsewhere = assert(ssl.newcontext(server {
      key = tls.file "elsewhere.key", certificate = tls.file "elsewhere.pem",
    }))
  end)

  -- Whom the client finds when it asks for `name`, and how the handshake ends for the server.
  local function found(name, strict)
    local one, other = tls.ends(client(), own)
    other:sni({ ["elsewhere.test"] = elsewhere }, strict)
    if name then
      one:sni(name)
    end
    local outcome, server_outcome = tls.shake_hands(one, other)
    if not outcome.ok then
      return outcome.error, server_outcome.error
    end
    assert.equal(name, other:getsniname())
    return one:getpeercertificate():subject()[1].value
  end

  it("takes the one that the client asks for", function()
    assert.equal("elsewhere.test", found("elsewhere.test"))
    assert.equal("elsewhere.test", found("elsewhere.test", true))
  end)

  it("takes its own for other names, unless it is strict", function()
    assert.equal("localhost", found("nowhere.test"))
    assert.equal("localhost", found("127.0.0.1"))
    assert.same({ "tlsv1 unrecognized name", "callback failed" }, { found("nowhere.test", true) })
  end)

  it("takes its own for clients that ask for nothing", function()
    assert.equal("localhost", found(nil))
    assert.equal("localhost", found(nil, true))
  end)

  it("uses what the other context decides", function()
    local one, other = tls.ends(client { alpn = { "a", "b" } }, assert(ssl.newcontext(server { alpn = { "a" } })))
    other:sni({ name = assert(ssl.newcontext(server { alpn = function() return "b" end })) })
    one:sni("name")
    tls.shake_hands(one, other)
    assert.equal("b", one:getalpn())
  end)

  it("looks up names when it needs them", function()
    local names = {}
    local one, other = tls.ends(client(), own)
    other:sni(setmetatable(names, { __index = function(_, name)
      return name == "elsewhere.test" and elsewhere or nil
    end }))
    one:sni("elsewhere.test")
    tls.shake_hands(one, other)
    assert.equal("elsewhere.test", one:getpeercertificate():subject()[1].value)
  end)

  it("refuses what is no map of contexts", function()
    local _, other = tls.ends(client(), own)
    local function raises(expected, ...)
      local arguments = { ... }
      assert.equal(expected, peers.raised(function()
        other:sni(arguments[1])
      end))
    end
    raises("bad argument #1 to 'sni' (table expected, got string)", "name")
    raises("bad argument #1 to 'sni' (names expected as keys, got number)", { own })
    raises("bad argument #1 to 'sni' (SSL:Context expected for 'name', got number)", { name = 5 })
    local one = tls.ends(client(), own)
    assert.equal("bad argument #1 to 'sni' (string expected, got table)", peers.raised(function()
      one:sni({})
    end))
  end)

  it("does not mix up its connections", function()
    local one, other = tls.ends(client(), own)
    local third, fourth = tls.ends(client(), own)
    other:sni({ ["elsewhere.test"] = elsewhere })
    one:sni("elsewhere.test")
    third:sni("elsewhere.test")
    tls.shake_hands(one, other)
    tls.shake_hands(third, fourth)
    assert.equal("elsewhere.test", one:getpeercertificate():subject()[1].value)
    assert.equal("localhost", third:getpeercertificate():subject()[1].value)
  end)
end)

describe("parameters of a key agreement", function()
  local DHE = { protocol = "tlsv1_2", ciphers = "DHE-RSA-AES256-GCM-SHA384" }

  local function dhe_server(dhparam)
    return server {
      protocol = "tlsv1_2", key = tls.file "server-rsa.key", certificate = tls.file "server-rsa.pem",
      dhparam = dhparam,
    }
  end

  it("are asked for", function()
    local arguments
    local one = tls.pair(client(DHE), dhe_server(function(...)
      arguments = peers.pack(...)
      return tls.contents "dh.pem"
    end))
    assert.equal("DHE-RSA-AES256-GCM-SHA384", one:info("cipher"))
    assert.equal("DH", one:info("key"))
    assert.equal(2, arguments.n)
    assert.is_false(arguments[1])
    assert.equal("number", type(arguments[2]))
  end)

  it("must be of use", function()
    for answer, reason in pairs {
      [false] = "internal error", [5] = "internal error", ["no parameters"] = "no start line",
    } do
      local _, err = tls.outcome(client(DHE), dhe_server(function()
        return answer or nil
      end))
      assert.equal(reason, err)
    end
    assert.same({ n = 2, nil, "invalid DH parameter type" }, peers.pack(ssl.newcontext(server { dhparam = "x" })))
  end)
end)

describe("a function that decides", function()
  local problem = setmetatable({}, { __tostring = function() return "the problem" end })

  for place, it_there in peers.inside_and_outside(it) do
    it_there("fails the handshake when it raises, and its error is passed on, " .. place, function()
      local one, other = tls.ends(client { alpn = "a" }, server { alpn = function()
        error(problem)
      end })
      one:settimeout(0)
      one:dohandshake()
      local ok, raised = pcall(other.dohandshake, other)
      assert.is_false(ok)
      assert.equal(problem, raised)
      one:settimeout(1)
      assert.same({ false, "tlsv1 alert no application protocol" }, { one:dohandshake() })
      -- The connection is as after any failure.
      local again, reason = other:dohandshake()
      assert.is_false(again)
      assert.equal("string", type(reason))
      other:close()
      one:close()
    end)
  end

  it("may raise in the look-up of a name", function()
    local one, other = tls.ends(client(), server())
    other:sni(setmetatable({}, { __index = function()
      error(problem)
    end }))
    one:sni("name")
    one:settimeout(0)
    one:dohandshake()
    local ok, raised = pcall(other.dohandshake, other)
    assert.is_false(ok)
    assert.equal(problem, raised)
  end)

  it("cannot wait", function()
    local mine = tls.sockets()
    local one, other = tls.ends(client { alpn = "a" }, server { alpn = function()
      mine:receive()
      return "a"
    end })
    one:settimeout(0)
    one:dohandshake()
    run.tasks(function()
      local ok, raised = pcall(other.dohandshake, other)
      if ok then -- Lua 5.1 has the standard `pcall` cut off what yields
        return
      end
      assert.is_truthy(tostring(raised):find("yield"), raised)
    end)
    -- The task is not lost for it.
    run.tasks(function()
      socket.sleep(0.001)
    end)
  end)

  it("may ask for what there is to know of its connection, and do nothing with it", function()
    local name, outcome, waited, known
    local one, other
    one, other = tls.ends(client { alpn = "a" }, server { alpn = function()
      name = other:getsniname()
      known = {
        peers.pack(tostring(other) == tostring(other)), peers.pack(other:info()), peers.pack(other:want()),
        peers.pack(other:dirty()), peers.pack(other:getpeerverification()), peers.pack(other:getpeercertificate()),
        peers.pack(other:getpeerfinished()),
      }
      outcome = { pcall(other.close, other) }
      waited = { pcall(other.getfd, other) }
      return "a"
    end })
    one:sni("localhost")
    assert.is_true(tls.shake_hands(one, other).ok)
    assert.equal("localhost", name)
    assert.same({
      { n = 1, true }, { n = 2, nil, "closed" }, { n = 1, "nothing" }, { n = 1, false }, { n = 2, false, "closed" },
      { n = 2, nil, "closed" }, { n = 0 },
    }, known)
    assert.is_false(outcome[1])
    assert.is_truthy(outcome[2]:find("the connection is in the midst of its handshake", 1, true))
    assert.is_false(waited[1])
    assert.equal("a", one:getalpn())
  end)

  it("may use other connections", function()
    local one, other
    local name, name_from_within
    one, other = tls.ends(client { alpn = "a" }, server { alpn = function()
      local third, fourth = tls.pair(client { alpn = "b" }, server { alpn = function()
        name_from_within = peers.pack(other:getsniname())
        return "b"
      end })
      third:send("line\n")
      assert.equal("line", fourth:receive())
      assert.is_false((pcall(error)))
      name = other:getsniname()
      return "a"
    end })
    one:sni("localhost")
    assert.is_true(tls.shake_hands(one, other).ok)
    assert.equal("a", one:getalpn())
    assert.equal("localhost", name)
    assert.same({ n = 0 }, name_from_within) -- not that of the connection in whose handshake it is asked
  end)

  it("raises its own error although it has used other connections", function()
    local one, other = tls.ends(client { alpn = "a" }, server { alpn = function()
      tls.pair(client { alpn = "b" }, server { alpn = function()
        return "b"
      end })
      error("its own", 0)
    end })
    one:settimeout(0)
    other:settimeout(0)
    one:dohandshake()
    assert.equal("its own", peers.raised(function()
      other:dohandshake()
    end))
  end)

  it("is garbage when its connections are", function()
    local marker = setmetatable({}, { __mode = "k" })
    do
      local value = {}
      marker[value] = true
      local connection
      local function decide()
        return value and connection and "a"
      end
      local context = assert(ssl.newcontext(server { alpn = decide, dhparam = decide }))
      connection = assert(ssl.wrap(tls.sockets(), context))
      connection:close()
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(marker))
  end)
end)
