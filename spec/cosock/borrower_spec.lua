-- Objects that borrow a socket: they copy its `inner_sock`, and often its `setwaker` and `_wake` too.

local socket = require "cosock.socket"
local run = require "spec.support.run"

--- A UDP socket with a datagram waiting, and one without.
local function udp_sockets()
  local full, empty = socket.udp4(), socket.udp4()
  assert(full:setsockname("127.0.0.1", 0))
  assert(empty:setsockname("127.0.0.1", 0))
  local _, port = full:getsockname()
  local sender = socket.udp4()
  assert(sender:sendto("hello", "127.0.0.1", port))
  sender:close()
  return full, empty
end

describe("an object that borrows a socket", function()
  for name, make in pairs { tcp = socket.tcp, udp = socket.udp } do
    it("finds inner_sock, setwaker and _wake on an object of " .. name, function()
      local sock = make()
      assert.equal(sock, sock.inner_sock)
      assert.is_function(sock.setwaker)
      assert.is_function(sock._wake)
      sock:setwaker("recvr", function() end)
      sock:_wake("recvr")
      sock:setwaker("recvr", nil)
      sock:close()
    end)
  end

  it("is ready when the socket is, with all three copied from it", function()
    local full, empty = udp_sockets()
    local function borrow(sock)
      return { inner_sock = sock.inner_sock, setwaker = sock.setwaker, _wake = sock._wake }
    end
    local ready, idle = borrow(full), borrow(empty)
    local recvr, _, err = run.task(socket.select, { idle, ready }, nil, 10)
    assert.same({ ready }, recvr)
    assert.is_nil(err)
    full:close()
    empty:close()
  end)

  it("is ready even if its _wake tells nobody", function()
    local full, empty = udp_sockets()
    local silent = { inner_sock = full.inner_sock, _wake = function() end }
    local recvr = run.task(socket.select, { silent }, nil, 10)
    assert.same({ silent }, recvr)
    full:close()
    empty:close()
  end)
end)
