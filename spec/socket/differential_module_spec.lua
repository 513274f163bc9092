-- The functions of the `socket` table, its constants and the shape of its objects: `cosock.socket` does what
-- LuaSocket does. `select` and `sleep` are cosock's own and have their specs elsewhere.

local oracle = require "spec.support.oracle"
local peers = require "spec.support.peers"

local unpack = table.unpack or unpack -- luacheck: ignore 143

local function constants(socket, record)
  for _, name in ipairs { "_DATAGRAMSIZE", "_SOCKETINVALID", "BLOCKSIZE", "_DEBUG" } do
    record:value(name, socket[name])
  end
  record:value("type of _SETSIZE", type(socket._SETSIZE))
end

-- Everything LuaSocket has; cosock may have more.
local function functions(names, find)
  return function(socket, record)
    local object = find(socket)
    for _, name in ipairs(names) do
      record:value(name, type(object[name]))
    end
  end
end

local module_names = {
  "__unload", "bind", "choose", "connect", "connect4", "connect6", "dns", "gettime", "newtry", "protect", "select",
  "sink", "sinkt", "skip", "sleep", "source", "sourcet", "tcp", "tcp4", "tcp6", "try", "udp", "udp4", "udp6",
}

local dns_names = { "getaddrinfo", "gethostname", "getnameinfo", "tohostname", "toip" }

local tcp_names = {
  "accept", "bind", "close", "connect", "dirty", "getfamily", "getfd", "getoption", "getpeername", "getsockname",
  "getstats", "gettimeout", "listen", "receive", "send", "setfd", "setoption", "setpeername", "setsockname", "setstats",
  "settimeout", "shutdown",
}

local udp_names = {
  "close", "dirty", "getfamily", "getfd", "getoption", "getpeername", "getsockname", "gettimeout", "receive",
  "receivefrom", "send", "sendto", "setfd", "setoption", "setpeername", "setsockname", "settimeout",
}

-- What only the other family has.
local not_tcp = { "receivefrom", "sendto" }
local not_udp = { "accept", "bind", "connect", "getstats", "listen", "setstats", "shutdown" }

local function skipping(socket, record)
  record:call("skip", 0, "a", "b")
  record:call("skip", 1, "a", nil, "c", nil)
  record:call("skip", 2, "a", "b")
  record:call("skip", 3, "a", "b")
  record:call("skip", -1, "a", "b")
  record:call("skip", 1)
  record:call("skip")
  record:call("skip", "1", "a", "b")
  record:call("skip", "x")
  record:call("skip", {}, 1)
  record:value("keeps nothing", socket.skip(1, "a"))
end

local function choosing(socket, record)
  local choose = socket.choose {
    default = function(a, b)
      return "default", a, b
    end,
    named = function(a, b)
      return "named", a, b
    end,
  }
  local module = { choose = choose, empty = socket.choose {} }
  record:detached(module, "choose", "named", 1, 2)
  record:detached(module, "choose", "named", 1, 2, 3)
  record:detached(module, "choose", 1, 2)
  record:detached(module, "choose")
  record:detached(module, "choose", nil, 1, 2)
  record:detached(module, "choose", false, 1)
  record:detached(module, "choose", "unknown", 1)
  record:detached(module, "empty", 1)
  record:call("choose", nil)
end

-- protect, try and newtry with every type of error value.
local function protecting(socket, record)
  local finalised = 0
  local try = socket.newtry(function(...)
    finalised = finalised + 1 + select("#", ...)
  end)
  local calls = {}
  function calls.returns(...)
    return try(...)
  end
  function calls.raises(value)
    error(value, 0)
  end
  function calls.nests()
    return socket.protect(function()
      return try(nil, "inner")
    end)()
  end
  local rethrown = {}
  function calls.rethrows(value)
    local ok, exception = pcall(try, nil, value)
    rethrown = { ok, type(exception), type(exception) == "table" and exception[1], getmetatable(exception) }
    error(exception, 0)
  end
  local protected = {}
  for name, fn in pairs(calls) do
    protected[name] = socket.protect(fn)
  end

  record:detached(protected, "returns")
  record:detached(protected, "returns", 1)
  record:detached(protected, "returns", "a", nil, false, nil)
  for _, value in ipairs { "text", 5, true, false, { "table" } } do
    record:detached(protected, "returns", nil, value)
    record:detached(protected, "returns", false, value)
    record:detached(protected, "returns", nil, value, "more")
    record:detached(protected, "raises", value)
    record:detached(protected, "rethrows", value)
    record:value("what was caught", unpack(rethrown, 1, 4))
  end
  record:detached(protected, "returns", nil, nil)
  record:detached(protected, "raises", nil)
  record:detached(protected, "nests")
  record:value("finalised", finalised)

  local bad = {
    no_function = socket.protect(5),
    nothing = socket.protect(nil),
    bad_finaliser = socket.newtry(5),
    failing_finaliser = socket.newtry(function()
      error("finaliser failed", 0)
    end),
    failing_and_protected = socket.protect(function()
      socket.newtry(function()
        error("finaliser failed", 0)
      end)(nil, "lost")
    end),
    nested_try_in_finaliser = socket.protect(function()
      socket.newtry(function()
        socket.try(nil, "from the finaliser")
      end)(nil, "lost")
    end),
  }
  record:detached(bad, "bad_finaliser", "good")
  record:detached(bad, "failing_finaliser", nil, "lost")
  record:detached(bad, "failing_and_protected")
  record:detached(bad, "nested_try_in_finaliser")
  record:call("try", 1, 2, 3)
  record:call("try", false)
  record:call("try")
end

local function connecting(socket, record)
  local server, port = peers.server(socket)
  local refused = peers.refused_port(socket)
  record:as("connect"):call("connect", "127.0.0.1", port)
  record:as("connect with a local address"):call("connect", "127.0.0.1", port, "127.0.0.2")
  record:as("connect with a local address and port"):call("connect", "127.0.0.1", port, "127.0.0.1", 0)
  record:as("connect in the family"):call("connect", "127.0.0.1", port, nil, nil, "inet")
  record:as("connect unspecified"):call("connect", "127.0.0.1", port, nil, nil, "unspec")
  record:as("connect in no family"):call("connect", "127.0.0.1", port, nil, nil, "x")
  record:as("connect refused"):call("connect", "127.0.0.1", refused)
  record:as("connect from a foreign address"):call("connect", "127.0.0.1", port, "203.0.113.1")
  record:as("connect from no address"):call("connect", "127.0.0.1", port, "")
  record:as("connect from a table"):call("connect", "127.0.0.1", port, {})
  record:as("connect to nobody"):call("connect", "", port)
  record:as("connect to nil"):call("connect", nil, port)
  record:as("connect4"):call("connect4", "127.0.0.1", port)
  record:as("connect4 refused"):call("connect4", "127.0.0.1", refused)
  record:call("connect")
  record:call("connect", "127.0.0.1")
  record:call("connect", "127.0.0.1", true)
  record:call("connect", {}, 1)
  server:close()
end

local function binding(socket, record)
  record:call("bind", "127.0.0.1", 0)
  record:call("bind", "*", 0)
  record:call("bind", "127.0.0.1", "0", 5)
  record:call("bind", "127.0.0.1", 0, "5")
  record:call("bind", "localhost", 0)
  record:call("bind", "203.0.113.1", 0)
  record:call("bind", "", 0)
  record:call("bind", "127.0.0.1", -1)
  record:call("bind", "127.0.0.1", 0, "x")
  record:call("bind")
  record:call("bind", {}, 0)
  record:call("bind", "127.0.0.1")
  record:call("bind", "127.0.0.1", {})
  local server = socket.bind("*", 0)
  record:method(server, "getsockname")
  record:method(server, "getoption", "reuseaddr")
  server:close()
end

local function resolving(_, record)
  for _, host in ipairs { "localhost", "127.0.0.1", "", "*", "127.1", "127.0.0.1\0x", 5 } do
    record:call("dns.getaddrinfo", host)
  end
  for _, host in ipairs { "localhost", "127.0.0.1" } do
    record:call("dns.toip", host)
    record:call("dns.tohostname", host)
    record:call("dns.getnameinfo", host)
    record:call("dns.getnameinfo", host, 80)
    record:call("dns.getnameinfo", nil, 80)
  end
  record:call("dns.getnameinfo", nil, "no such service")
  record:call("dns.gethostname")
  for _, name in ipairs(dns_names) do
    if name ~= "gethostname" then
      record:call("dns." .. name)
      record:call("dns." .. name, {})
      record:call("dns." .. name, true)
    end
  end
  if peers.has_ipv6 then
    record:call("dns.getaddrinfo", "::1")
  end
end

-- Methods called with a self that is of another family or no socket at all.
local function foreign_selves(socket, record)
  local client, peer = peers.pair(socket)
  local udp = socket.udp4()
  for _, name in ipairs(tcp_names) do
    record:detached(client, name)
    for title, self in pairs { udp = udp, string = "text", number = 5, table = {}, file = io.stdout } do
      record:as(("client.%s with a %s"):format(name, title)):detached(client, name, self)
    end
  end
  for _, name in ipairs(udp_names) do
    record:detached(udp, name)
    record:detached(udp, name, client)
    record:detached(udp, name, {})
  end
  client:close()
  peer:close()
  udp:close()
end

local function same_as_luasocket(title, scenario)
  it(title, function()
    assert.equal("", oracle.differences(scenario))
  end)
end

if oracle.available() then
  describe("as with LuaSocket, the socket table", function()
    same_as_luasocket("has these constants", constants)
    same_as_luasocket("has these members", functions(module_names, function(socket) return socket end))
    same_as_luasocket("has these members in dns", functions(dns_names, function(socket) return socket.dns end))
    same_as_luasocket("skips results", skipping)
    same_as_luasocket("chooses", choosing)
    same_as_luasocket("protects and tries", protecting)
    same_as_luasocket("connects", connecting)
    same_as_luasocket("binds", binding)
    same_as_luasocket("resolves", resolving)
  end)

  describe("as with LuaSocket, an object", function()
    local function tcp(socket)
      return socket.tcp()
    end
    local function udp(socket)
      return socket.udp()
    end
    same_as_luasocket("of TCP has these methods", functions(tcp_names, tcp))
    same_as_luasocket("of TCP lacks these methods", functions(not_tcp, tcp))
    same_as_luasocket("of UDP has these methods", functions(udp_names, udp))
    same_as_luasocket("of UDP lacks these methods", functions(not_udp, udp))
    same_as_luasocket("refuses to be another's self", foreign_selves)
  end)
else
  it("has no LuaSocket here to compare the socket table with", function() end)
end
