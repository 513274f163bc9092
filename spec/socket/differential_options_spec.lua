-- Every option of TCP and UDP sockets with good, wrong and missing values: `cosock.socket` does what LuaSocket does.

local oracle = require "spec.support.oracle"
local peers = require "spec.support.peers"

local booleans = { true, false, 1, 0, "true", {} }
local integers = { 1, 4, 0, "3", "x", true, {}, 2.5 }

-- Values that setoption is tried with. `bindtodevice` is missing because LuaSocket 3.1.0 lacks it for TCP.
local values = {
  ["reuseaddr"] = booleans,
  ["reuseport"] = booleans,
  ["keepalive"] = booleans,
  ["tcp-nodelay"] = booleans,
  ["dontroute"] = booleans,
  ["broadcast"] = booleans,
  ["ipv6-v6only"] = booleans,
  ["ip-multicast-loop"] = booleans,
  ["ipv6-multicast-loop"] = booleans,
  ["tcp-keepidle"] = integers,
  ["tcp-keepcnt"] = integers,
  ["tcp-keepintvl"] = integers,
  ["tcp-fastopen"] = integers,
  ["tcp-fastopen-connect"] = integers,
  ["tcp-defer-accept"] = integers,
  ["recv-buffer-size"] = { 4096, 65536, "x" },
  ["send-buffer-size"] = { 4096, 65536, "x" },
  ["ip-multicast-ttl"] = integers,
  ["ipv6-unicast-hops"] = integers,
  ["ipv6-multicast-hops"] = integers,
  ["error"] = { 0, true },
  ["linger"] = {
    { on = true, timeout = 2 }, { on = false, timeout = 0 }, { on = true }, { timeout = 1 }, {},
    { on = 1, timeout = 1 },
    { on = true, timeout = "x" }, { on = true, timeout = "3" }, true, 5,
  },
  ["ip-multicast-if"] = { "127.0.0.1", "*", "0.0.0.0", "nonsense", "", 5, true, {} },
  ["ip-add-membership"] = {
    { multiaddr = "239.255.7.7", interface = "127.0.0.1" }, { multiaddr = "239.255.7.7" }, {}, true,
    { interface = "*" }, { multiaddr = "x", interface = "*" }, { multiaddr = "239.255.7.7", interface = "x" },
    { multiaddr = 5, interface = "*" }, { multiaddr = "127.0.0.1", interface = "127.0.0.1" },
  },
  ["ip-drop-membership"] = {
    { multiaddr = "239.255.7.7", interface = "127.0.0.1" }, { multiaddr = "239.255.7.7" }, {}, true,
  },
  -- An interface of the wrong type is missing: LuaSocket prints a number of the argument that depends on the
  -- interpreter.
  ["ipv6-add-membership"] = {
    { multiaddr = "ff02::7", interface = 1 }, { multiaddr = "x" }, {}, true, { interface = 1 },
    { multiaddr = "127.0.0.1", interface = 1 },
  },
  ["ipv6-drop-membership"] = { { multiaddr = "ff02::7", interface = 1 }, { multiaddr = "x" }, {}, true },
  ["no-such-option"] = { true },
  ["an-option-whose-name-is-longer-than-35-characters"] = { true },
  [""] = { true },
}

local subjects = {
  { "tcp()", function(socket) return socket.tcp() end },
  { "tcp4()", function(socket) return socket.tcp4() end },
  { "a connected client", function(socket) return peers.pair(socket) end },
  { "a server", function(socket) return (peers.server(socket)) end },
  { "a closed tcp4()", function(socket)
    local tcp = socket.tcp4()
    tcp:close()
    return tcp
  end },
  { "udp()", function(socket) return socket.udp() end },
  { "udp4()", function(socket) return socket.udp4() end },
  { "a bound udp", function(socket) return (peers.udp(socket)) end },
  { "a connected udp", function(socket) return peers.udp_pair(socket) end },
}
if peers.has_ipv6 then
  subjects[#subjects + 1] = { "tcp6()", function(socket) return socket.tcp6() end }
  subjects[#subjects + 1] = { "udp6()", function(socket) return socket.udp6() end }
end

local function names_of_options()
  local names = {}
  for name in pairs(values) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- Reads the option before and after each setting, on a socket of its own for each value.
local function every_value(build, option)
  return function(socket, record)
    for _, value in ipairs(values[option]) do
      local subject, partner = build(socket)
      record:method(subject, "getoption", option)
      record:method(subject, "setoption", option, value)
      record:method(subject, "getoption", option)
      subject:close()
      if partner then
        partner:close()
      end
    end
    local subject = build(socket)
    record:method(subject, "setoption", option)
    record:method(subject, "setoption", option, nil)
    subject:close()
  end
end

local function names_of_the_wrong_type(build)
  return function(socket, record)
    local subject = build(socket)
    for _, name in ipairs { 5, true, {}, print } do
      record:method(subject, "getoption", name)
      record:method(subject, "setoption", name, true)
    end
    record:method(subject, "getoption")
    record:method(subject, "setoption")
    subject:close()
  end
end

if oracle.available() then
  for _, subject in ipairs(subjects) do
    local title, build = subject[1], subject[2]
    describe("as with LuaSocket, on " .. title, function()
      for _, option in ipairs(names_of_options()) do
        it(("sets and reads the option %q"):format(option), function()
          assert.equal("", oracle.differences(every_value(build, option)))
        end)
      end

      it("refuses names of options that are no strings", function()
        assert.equal("", oracle.differences(names_of_the_wrong_type(build)))
      end)
    end)
  end
else
  it("has no LuaSocket here to compare the options with", function() end)
end
