-- socket.dns: names to addresses and back.

local socket = require "cosock.socket"
local peers = require "spec.support.peers"
local run = require "spec.support.run"

local dns = socket.dns
local pack, raised = peers.pack, peers.raised

local UNKNOWN = { n = 2, nil, "host or service not provided, or not known" }

local function addresses(list)
  local found = {}
  for _, entry in ipairs(list) do
    found[entry.addr] = entry.family
  end
  return found
end

for place, it in peers.inside_and_outside(it) do
  describe("getaddrinfo " .. place, function()
    it("gives the addresses of a name with their families", function()
      assert.equal("inet", addresses(assert(dns.getaddrinfo("localhost")))["127.0.0.1"])
    end)

    it("gives one entry for an address", function()
      assert.same({ { family = "inet", addr = "127.0.0.1" } }, dns.getaddrinfo("127.0.0.1"))
      assert.same({ { family = "inet6", addr = "::1" } }, dns.getaddrinfo("::1"))
    end)

    it("takes the short form of an address", function()
      assert.same({ { family = "inet", addr = "127.0.0.1" } }, dns.getaddrinfo("127.1"))
    end)

    it("stops reading the host at a NUL", function()
      assert.same({ { family = "inet", addr = "127.0.0.1" } }, dns.getaddrinfo("127.0.0.1\0.example"))
    end)

    for _, host in ipairs { "*", "" } do
      it(("fails for %q"):format(host), function()
        assert.same(UNKNOWN, pack(dns.getaddrinfo(host)))
      end)
    end
  end)

  describe("toip " .. place, function()
    it("gives the first IPv4 address and what is known of the host", function()
      local address, info = dns.toip("localhost")
      assert.equal("127.0.0.1", address)
      assert.equal("localhost", info.name)
      assert.is_table(info.alias)
      assert.equal("127.0.0.1", info.ip[1])
    end)

    it("takes an address that has a name", function()
      assert.equal("127.0.0.1", (dns.toip("127.0.0.1")))
    end)
  end)

  describe("tohostname " .. place, function()
    it("gives the name of an address and what is known of the host", function()
      local name, info = dns.tohostname("127.0.0.1")
      assert.equal("localhost", name)
      assert.equal("localhost", info.name)
      assert.is_table(info.alias)
      assert.equal("127.0.0.1", info.ip[1])
    end)

    it("takes a name too", function()
      assert.equal("localhost", (dns.tohostname("localhost")))
    end)
  end)

  describe("getnameinfo " .. place, function()
    it("gives the names of a host's addresses alone without a service", function()
      assert.same({ n = 1, { "localhost" } }, pack(dns.getnameinfo("127.0.0.1")))
    end)

    it("gives the name of the service too", function()
      assert.same({ n = 2, { "localhost" }, "http" }, pack(dns.getnameinfo("127.0.0.1", 80)))
      assert.same({ n = 2, { "localhost" }, "http" }, pack(dns.getnameinfo("127.0.0.1", "80")))
    end)

    it("gives an empty table of names without a host", function()
      assert.same({ n = 2, {}, "http" }, pack(dns.getnameinfo(nil, 80)))
    end)

    it("fails for a service that is not known", function()
      assert.same({ n = 2, nil, "service not supported for socket type" },
        pack(dns.getnameinfo(nil, "no such service")))
    end)
  end)

  describe("gethostname " .. place, function()
    it("gives the name of this machine", function()
      local shell = assert(io.popen("uname -n"))
      local name = shell:read("*l")
      shell:close()
      assert.same({ n = 1, name }, pack(dns.gethostname()))
    end)
  end)
end

describe("the functions of dns", function()
  local calls = {
    getaddrinfo = function(host)
      dns.getaddrinfo(host)
    end,
    toip = function(host)
      dns.toip(host)
    end,
    tohostname = function(host)
      dns.tohostname(host)
    end,
  }

  for name, call in pairs(calls) do
    it(name .. " raises without a host and for what is no string", function()
      for _, value in ipairs { "nothing", true, {} } do
        assert.matches(("^bad argument #1 to '%s' %%(string expected, got "):format(name), raised(function()
          call(value ~= "nothing" and value or nil)
        end))
      end
    end)
  end

  it("getnameinfo raises without a host and a service", function()
    assert.equal("host and serv cannot be both nil", raised(function()
      dns.getnameinfo()
    end))
  end)
end)

describe("name resolution in a task", function()
  it("lets other tasks run", function()
    local resolving, ran_meanwhile = true, false
    run.tasks(function()
      assert(dns.getaddrinfo("localhost"))
      resolving = false
    end, function()
      ran_meanwhile = resolving
    end)
    assert.is_true(ran_meanwhile)
  end)

  it("serves many tasks at once", function()
    local resolved = 0
    local tasks = {}
    for index = 1, 50 do
      tasks[index] = function()
        assert.equal("inet", addresses(assert(dns.getaddrinfo("localhost")))["127.0.0.1"])
        resolved = resolved + 1
      end
    end
    run.tasks((table.unpack or unpack)(tasks)) -- luacheck: ignore 143
    assert.equal(50, resolved)
  end)

  it("does not count against other sockets of the task", function()
    local receiver = peers.receiver(socket, "one\n")
    run.task(function()
      assert(dns.toip("localhost"))
      assert.equal("one", (receiver:receive()))
    end)
  end)
end)
