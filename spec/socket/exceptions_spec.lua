-- newtry, try and protect: exceptions that turn into `nil, error`.

local socket = require "cosock.socket"
local peers = require "spec.support.peers"

local pack, raised = peers.pack, peers.raised

describe("try", function()
  it("returns all its arguments when the first is true", function()
    assert.same({ n = 4, "a", nil, false, nil }, pack(socket.try("a", nil, false, nil)))
  end)

  for title, first in pairs { ["false"] = false, ["nil"] = nil } do
    it("raises a table with the second argument when the first is " .. title, function()
      local exception = raised(function()
        socket.try(first, "message", "more")
      end)
      assert.same({ "message" }, exception)
    end)
  end

  it("raises when called with nothing", function()
    assert.same({}, raised(socket.try))
  end)

  it("hides the metatable of the exception", function()
    local exception = raised(function()
      socket.try(nil, "message")
    end)
    assert.is_false(getmetatable(exception))
    assert.matches("^table: ", tostring(exception))
  end)
end)

describe("newtry", function()
  it("gives a try that calls the finalizer, with no arguments, before it raises", function()
    local calls = {}
    local try = socket.newtry(function(...)
      calls[#calls + 1] = select("#", ...)
    end)
    try("good")
    assert.same({}, calls)
    assert.same({ "bad" }, raised(function()
      try(nil, "bad")
    end))
    assert.same({ 0 }, calls)
  end)

  it("gives a try without a finalizer", function()
    assert.same({ "bad" }, raised(function()
      socket.newtry()(nil, "bad")
    end))
  end)

  it("does not check the finalizer until it is needed", function()
    local try = socket.newtry(5)
    assert.equal("good", try("good"))
    assert.has_error(function()
      try(nil, "bad")
    end)
  end)

  it("lets an error in the finalizer replace the first one", function()
    local try = socket.newtry(function()
      error("finalizer failed", 0)
    end)
    assert.equal("finalizer failed", raised(function()
      try(nil, "bad")
    end))
  end)

  it("lets a try that fails in the finalizer replace the first one", function()
    local fails = socket.protect(function()
      socket.newtry(function()
        socket.try(nil, "from the finalizer")
      end)(nil, "lost")
    end)
    assert.same({ n = 2, nil, "from the finalizer" }, pack(fails()))
  end)
end)

describe("protect", function()
  it("passes arguments in and all results out", function()
    local echo = socket.protect(function(...)
      return ...
    end)
    assert.same({ n = 4, nil, 2, false, nil }, pack(echo(nil, 2, false, nil)))
    assert.same({ n = 0 }, pack(echo()))
  end)

  local values = { ["a string"] = "text", ["a number"] = 5, ["true"] = true, ["false"] = false, ["a table"] = {} }
  for title, value in pairs(values) do
    it(("turns what try raised into nil and the error when that is %s"):format(title), function()
      local fails = socket.protect(function()
        socket.try(nil, value)
      end)
      local results = pack(fails())
      assert.equal(2, results.n)
      assert.is_nil(results[1])
      assert.equal(value, results[2])
    end)
  end

  it("turns it into nil, nil when there was no error value", function()
    assert.same({ n = 2 }, pack(socket.protect(function()
      socket.try(nil)
    end)()))
  end)

  it("returns nil, not false, when false failed", function()
    assert.same({ n = 2, nil, "bad" }, pack(socket.protect(function()
      socket.try(false, "bad")
    end)()))
  end)

  for title, value in pairs(values) do
    it(("raises every other error as it is when that is %s"):format(title), function()
      local ok, caught = pcall(socket.protect(function()
        error(value, 0)
      end))
      assert.is_false(ok)
      assert.equal(value, caught)
    end)
  end

  it("knows an exception that was caught and raised again", function()
    local fails = socket.protect(function()
      local _, exception = pcall(socket.try, nil, "again")
      error(exception, 0)
    end)
    assert.same({ n = 2, nil, "again" }, pack(fails()))
  end)

  it("leaves a table alone that only looks like an exception", function()
    local lookalike = { "message" }
    local ok, caught = pcall(socket.protect(function()
      error(lookalike)
    end))
    assert.is_false(ok)
    assert.equal(lookalike, caught)
  end)

  it("may be nested", function()
    local outer = socket.protect(function()
      return socket.try(socket.protect(function()
        socket.try(nil, "inner")
      end)())
    end)
    assert.same({ n = 2, nil, "inner" }, pack(outer()))
  end)

  it("does not check its function until it is called", function()
    local protected = socket.protect(5)
    assert.has_error(protected)
  end)
end)

-- The way programs use them, in both places a socket can wait in.
for place, it in peers.inside_and_outside(it) do
  describe("try and protect around sockets " .. place, function()
    it("close the connection and hand its error out", function()
      local receiver, sender = peers.receiver(socket, "one\n")
      sender:close()
      local read_two_lines = socket.protect(function()
        local try = socket.newtry(function()
          receiver:close()
        end)
        return try(receiver:receive()), try(receiver:receive())
      end)
      assert.same({ n = 2, nil, "closed" }, pack(read_two_lines()))
      assert.equal(-1, receiver:getfd())
    end)

    it("hand the results out when all went well", function()
      local receiver = peers.receiver(socket, "one\ntwo\n")
      local read_two_lines = socket.protect(function()
        return socket.try((receiver:receive())), socket.try((receiver:receive()))
      end)
      assert.same({ n = 2, "one", "two" }, pack(read_two_lines()))
    end)
  end)
end
