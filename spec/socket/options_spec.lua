-- setoption and getoption: each option, the sockets that have it, and the values it takes.

local socket = require "cosock.socket"
local peers = require "spec.support.peers"

local pack, raised = peers.pack, peers.raised

local tcp, udp = socket.tcp4, socket.udp4

-- Each row: option, the kinds of sockets that can set it and read it, and values to set. What is read back is what
-- was set, unless the row says otherwise in its fifth place.
local both, none = { tcp, udp }, {}
local options = {
  { "reuseaddr", both, both, { true, false } },
  { "reuseport", both, both, { true, false } },
  { "keepalive", { tcp }, { tcp }, { true, false } },
  { "linger", { tcp }, { tcp }, { { on = true, timeout = 3 }, { on = false, timeout = 0 } } },
  { "tcp-nodelay", { tcp }, { tcp }, { true, false } },
  { "tcp-keepidle", { tcp }, { tcp }, { 60 } },
  { "tcp-keepcnt", { tcp }, { tcp }, { 4 } },
  { "tcp-keepintvl", { tcp }, { tcp }, { 5 } },
  { "tcp-fastopen", { tcp }, none, { 5 } },
  { "tcp-fastopen-connect", { tcp }, none, { 1 } },
  { "tcp-defer-accept", { tcp }, none, { 5 } },
  { "error", none, both, {} },
  { "dontroute", { udp }, { udp }, { true, false } },
  { "broadcast", { udp }, { udp }, { true, false } },
  { "ip-multicast-if", { udp }, { udp }, { "127.0.0.1", "*" }, { ["*"] = "0.0.0.0" } },
  { "ip-multicast-ttl", { udp }, none, { 3 } },
  { "ip-multicast-loop", { udp }, { udp }, { false, true } },
  { "ip-add-membership", { udp }, none, { { multiaddr = "239.255.7.7", interface = "127.0.0.1" } } },
  { "ip-drop-membership", { udp }, none, {} },
}

if peers.has_ipv6 then
  local tcp6, udp6 = socket.tcp6, socket.udp6
  for _, row in ipairs {
    { "ipv6-v6only", { tcp6, udp6 }, { udp6 }, { false, true } },
    { "ipv6-unicast-hops", { udp6 }, { udp6 }, { 9 } },
    { "ipv6-multicast-hops", { udp6 }, { udp6 }, { 9 } },
    { "ipv6-multicast-loop", { udp6 }, { udp6 }, { false, true } },
    { "ipv6-add-membership", { udp6 }, none, { { multiaddr = "ff02::7", interface = 1 } } },
    { "ipv6-drop-membership", { udp6 }, none, {} },
  } do
    options[#options + 1] = row
  end
end

local function contains(list, value)
  for _, item in ipairs(list) do
    if item == value then
      return true
    end
  end
  return false
end

local function unsupported(method, option)
  return ("bad argument #1 to '%s' (unsupported option `%s')"):format(method, option)
end

for _, row in ipairs(options) do
  local option, setters, getters, values, read_as = row[1], row[2], row[3], row[4], row[5] or {}

  describe("the option " .. option, function()
    for _, new in ipairs(setters) do
      local class = new().class
      local readable = contains(getters, new)
      it(("can be set%s on %s"):format(readable and " and read" or "", class), function()
        for _, value in ipairs(values) do
          local sock = new()
          assert.same({ n = 1, 1 }, pack(sock:setoption(option, value)))
          if readable then
            assert.same({ n = 1, read_as[value] or value }, pack(sock:getoption(option)))
          end
        end
      end)
    end

    for _, new in ipairs(both) do
      local class = new().class
      local six = option:match("^ipv6") -- only tried on sockets of its own family
      if not six and not contains(setters, new) then
        it(("cannot be set on %s"):format(class), function()
          assert.equal(unsupported("setoption", option), raised(function()
            new():setoption(option, values[1])
          end))
        end)
      end
      if not six and not contains(getters, new) then
        it(("cannot be read on %s"):format(class), function()
          assert.equal(unsupported("getoption", option), raised(function()
            new():getoption(option)
          end))
        end)
      end
    end
  end)
end

describe("the option bindtodevice", function()
  it("binds a TCP socket to an interface by name", function()
    local sock = tcp()
    assert.same({ n = 1, 1 }, pack(sock:setoption("bindtodevice", "lo")))
    assert.equal("lo", sock:getoption("bindtodevice"))
  end)

  it("fails for an interface that does not exist", function()
    assert.same({ n = 2, nil, "setsockopt failed" }, pack(tcp():setoption("bindtodevice", "no-such-one")))
  end)

  it("raises for what is no string", function()
    assert.equal("bad argument #2 to 'setoption' (string expected, got boolean)", raised(function()
      tcp():setoption("bindtodevice", true)
    end))
  end)
end)

describe("the buffer sizes", function()
  for _, option in ipairs { "recv-buffer-size", "send-buffer-size" } do
    it(option .. " can be set, and the system may give more", function()
      for _, new in ipairs(both) do
        local sock = new()
        assert.same({ n = 1, 1 }, pack(sock:setoption(option, 65536)))
        assert.is_true(sock:getoption(option) >= 65536)
      end
    end)
  end
end)

describe("the option error", function()
  it("is nil when all is well", function()
    assert.same({ n = 1 }, pack(tcp():getoption("error")))
    assert.same({ n = 1 }, pack(udp():getoption("error")))
  end)

  it("tells why a connect with timeout 0 failed, once", function()
    local port = peers.refused_port(socket)
    local client = tcp()
    client:settimeout(0)
    client:connect("127.0.0.1", port)
    local text
    repeat -- the system answers in its own time
      text = client:getoption("error")
    until text or client:send("x")
    assert.equal("connection refused", text)
    assert.is_nil(client:getoption("error"))
  end)
end)

describe("an int option", function()
  it("takes what is no number as 0", function()
    local sock = tcp()
    for _, value in ipairs { "x", true, {} } do
      assert.same({ n = 1, 1 }, pack(sock:setoption("tcp-defer-accept", value)))
      assert.same({ n = 2, nil, "setsockopt failed" }, pack(sock:setoption("tcp-keepcnt", value)))
    end
  end)

  it("takes a numeric string, and cuts fractions", function()
    local sock = tcp()
    assert.equal(1, sock:setoption("tcp-keepcnt", "3"))
    assert.equal(3, sock:getoption("tcp-keepcnt"))
    assert.equal(1, sock:setoption("tcp-keepcnt", 5.9))
    assert.equal(5, sock:getoption("tcp-keepcnt"))
  end)
end)

-- Values that raise, with the text: option, kind of socket, value, text.
local wrong = {
  { "keepalive", tcp, 1, "boolean expected, got number" },
  { "keepalive", tcp, "true", "boolean expected, got string" },
  { "keepalive", tcp, {}, "boolean expected, got table" },
  { "broadcast", udp, 0, "boolean expected, got number" },
  { "linger", tcp, true, "table expected, got boolean" },
  { "linger", tcp, {}, "boolean 'on' field expected" },
  { "linger", tcp, { on = 1, timeout = 1 }, "boolean 'on' field expected" },
  { "linger", tcp, { on = true }, "number 'timeout' field expected" },
  { "ip-multicast-if", udp, "nonsense", "ip expected" },
  { "ip-multicast-if", udp, true, "string expected, got boolean" },
  { "ip-add-membership", udp, 5, "table expected, got number" },
  { "ip-add-membership", udp, {}, "string 'multiaddr' field expected" },
  { "ip-add-membership", udp, { multiaddr = "x", interface = "*" }, "invalid 'multiaddr' ip address" },
  { "ip-add-membership", udp, { multiaddr = "239.255.7.7" }, "string 'interface' field expected" },
  { "ip-add-membership", udp, { multiaddr = "239.255.7.7", interface = "x" }, "invalid 'interface' ip address" },
  { "ip-drop-membership", udp, {}, "string 'multiaddr' field expected" },
}
if peers.has_ipv6 then
  wrong[#wrong + 1] = { "ipv6-add-membership", socket.udp6, {}, "string 'multiaddr' field expected" }
  wrong[#wrong + 1] = { "ipv6-add-membership", socket.udp6, { multiaddr = "x" }, "invalid 'multiaddr' ip address" }
  wrong[#wrong + 1] = { "ipv6-v6only", socket.tcp6, 1, "boolean expected, got number" }
end

describe("setoption", function()
  for index, row in ipairs(wrong) do
    it(("raises for a wrong value of %s: %s (%d)"):format(row[1], row[4], index), function()
      assert.equal(("bad argument #2 to 'setoption' (%s)"):format(row[4]), raised(function()
        row[2]():setoption(row[1], row[3])
      end))
    end)
  end

  if peers.has_ipv6 then
    it("raises for an interface of ipv6-add-membership that is no number, with the number LuaSocket prints", function()
      assert.equal("bad argument #-2 to 'setoption' (number 'interface' field expected)", raised(function()
        socket.udp6():setoption("ipv6-add-membership", { multiaddr = "ff02::7", interface = "x" })
      end))
    end)

    it("cannot change ipv6-v6only once bound", function()
      local server = socket.tcp6()
      assert(server:bind("::1", 0))
      assert.same({ n = 2, nil, "setsockopt failed" }, pack(server:setoption("ipv6-v6only", false)))
    end)
  end

  it("joins a group and leaves it", function()
    local sock, group = udp(), { multiaddr = "239.255.7.7", interface = "127.0.0.1" }
    assert.same({ n = 2, nil, "setsockopt failed" }, pack(sock:setoption("ip-drop-membership", group)))
    assert.equal(1, sock:setoption("ip-add-membership", group))
    assert.same({ n = 2, nil, "setsockopt failed" }, pack(sock:setoption("ip-add-membership", group)))
    assert.equal(1, sock:setoption("ip-drop-membership", group))
  end)

  it("fails on a closed socket", function()
    for _, new in ipairs(both) do
      local sock = new()
      sock:close()
      assert.same({ n = 2, nil, "setsockopt failed" }, pack(sock:setoption("reuseaddr", true)))
      assert.same({ n = 2, nil, "getsockopt failed" }, pack(sock:getoption("reuseaddr")))
    end
  end)

  for _, new in ipairs(both) do
    it("raises for an option that no socket has, " .. new().class, function()
      assert.equal(unsupported("setoption", "nonsense"), raised(function()
        new():setoption("nonsense", true)
      end))
      assert.equal(unsupported("getoption", "nonsense"), raised(function()
        new():getoption("nonsense")
      end))
    end)
  end

  it("cuts a long name in its message", function()
    assert.equal(unsupported("setoption", ("x"):rep(35)), raised(function()
      tcp():setoption(("x"):rep(50), true)
    end))
  end)

  it("raises for a name that is no string", function()
    assert.equal("bad argument #1 to 'setoption' (string expected, got table)", raised(function()
      tcp():setoption({}, true)
    end))
    assert.equal("bad argument #1 to 'getoption' (string expected, got boolean)", raised(function()
      udp():getoption(true)
    end))
  end)
end)
