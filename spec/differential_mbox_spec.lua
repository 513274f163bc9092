-- Mailboxes: `cosock.mbox` does what LuaSocket's `mbox` does.

local Generator = require "spec.support.generator"
local Twins = require "spec.support.twins"

-- Some packages, Debian's for one, install it as socket.mbox.
local twins = Twins.load("cosock.mbox", "mbox") or Twins.load("cosock.mbox", "socket.mbox")
if not twins then
  it("has no mbox here to compare cosock.mbox with", function() end)
  return
end

local PIECES = {
  "\n", "\n", "\n\n", "\r\n", "\r\n\r\n", "\r", " ", "  ", "\t", ":", ": ", "a", "A", "b", "From ", "From a\n",
  "\n\nFrom ", "<", ">", '"', "a@b", "Subject: x", "\0", "\200",
}
local NAMES = {
  "split_message", "split_headers", "parse_header", "parse_headers", "parse_from", "split_mbox", "parse_message",
  "parse",
}

describe("as with LuaSocket, mbox", function()
  it("has these members", function()
    for name, member in pairs(twins.theirs) do
      assert.equal(type(member), type(twins.ours[name]), name)
    end
  end)

  it("takes generated text apart", function()
    local generator = Generator.new(1)
    for _ = 1, 6000 do
      local text = generator:text(PIECES, 12)
      for _, name in ipairs(NAMES) do
        twins:same(name, text)
      end
    end
  end)

  it("takes these arguments or raises", function()
    for _, name in ipairs(NAMES) do
      twins:same(name)
      for _, argument in ipairs { 5, "", true, {} } do
        twins:same(name, argument)
      end
    end
  end)
end)
