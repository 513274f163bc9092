-- cosock.mbox: mail messages and mailboxes.

local mbox = require "cosock.mbox"
local peers = require "spec.support.peers"
local socket = require "cosock.socket"

local pack, raised = peers.pack, peers.raised

it("sets no global", function()
  assert.not_equal(mbox, rawget(_G, "mbox"))
end)

-- What a function returns for each argument.
local function gives(name, cases)
  describe("mbox." .. name, function()
    for _, case in ipairs(cases) do
      it(("takes %q apart"):format(case[1]), function()
        assert.same({ n = case.n or #case - 1, case[2], case[3] }, pack(mbox[name](case[1])))
      end)
    end

    it("raises for what is no string", function()
      assert.equal(("bad argument #1 to '%s' (string expected, got nil)"):format(name), raised(function()
        mbox[name]()
      end))
    end)
  end)
end

gives("split_message", {
  { "a: b\nc: d\n\nbody\n\nmore", "a: b\nc: d\n", "body\n\nmore" },
  { "a: b\r\n\r\nbody\r\nmore", "a: b\n", "body\nmore" },
  { "a: b", "a: b", "" },
  { "a: b\n\n", "a: b\n", "" },
  { "\nbody", "", "body" },
  { "", "", "" },
})

gives("split_headers", {
  { "a: b\nc: d\n", { "a: b", "c: d" } },
  { "a: b\r\n c\r\n   d\r\ne: f", { "a: b c d", "e: f" } },
  { "a: b\n\tc", { "a: b", "\tc" } },
  { "\n\n", {} },
})

gives("parse_header", {
  { "Subject: a: b ", "Subject", "a: b " },
  { "a:b", "a", "b" },
  { "a:", "a", "" },
  { "a: b\n c\nd", "a", "b cd" },
  { "a b: c", "b", "c" },
  { "a : b", "", "b" },
  { "a", n = 2 },
})

gives("parse_headers", {
  { "From: a\nTO: b\nto: c\nno header\n", { from = "a", to = "b, c" } },
  { "a: b\n c\r\n", { a = "b c" } },
  { "", {} },
})

gives("parse_from", {
  { '"Ann B." <ann@example.com>', "Ann B.", "ann@example.com" },
  { " Ann  B.  <ann@example.com>, more", "Ann  B.", "ann@example.com" },
  { "<ann@example.com>", "ann@example.com", "ann@example.com" },
  { "  ann@example.com", "ann@example.com", "ann@example.com" },
  { "Ann <ann", "Ann <ann", "Ann <ann" },
  { "", "", "" },
})

gives("split_mbox", {
  { "From a\nb\n\nFrom c\nd\n\nFrom e\n", { "From a\nb", "d", "" } },
  { "From a\r\nb\r\n\r\nFrom c\r\nd", { "From a\nb", "d" } },
  { "a\nFrom b\n\n>From c\n", { "a\nFrom b\n\n>From c\n" } },
  { "a\n\nFrom b", { "a" } },
  { "", { "" } },
})

gives("parse_message", {
  { "From x\nA: b\r\nA: c\r\n\r\nbody", { headers = { a = "b, c" }, body = "body" } },
  { "a: b", { headers = { a = "b" }, body = "" } },
})

gives("parse", {
  { "From a\nB: c\n\nd\n\nFrom e\nF: g\n\nh\n", {
    { headers = { b = "c" }, body = "d" },
    { headers = { f = "g" }, body = "h\n" },
  } },
})

describe("the time that mbox takes", function()
  -- Each would take hours if the time grew with the square of the length.
  local MANY = 2000000

  local function is_quick(title, name, text)
    it("is short for " .. title, function()
      local start = socket.gettime()
      mbox[name](text)
      assert.is_true(socket.gettime() - start < 30)
    end)
  end

  is_quick("a header that is none", "parse_headers", ("x"):rep(MANY))
  is_quick("a header of blanks", "parse_headers", (" "):rep(MANY) .. "x")
  is_quick("a sender of blanks", "parse_from", (" "):rep(MANY) .. "x")
  is_quick("a name with blanks", "parse_from", "x" .. (" "):rep(MANY) .. "x<")
  is_quick("a name of blanks", "parse_from", (" "):rep(MANY) .. "<x>")
  is_quick("many of the same header", "parse_headers", ("a:b\n"):rep(MANY / 10))
  is_quick("many messages", "parse", ("a\n\nFrom b\n"):rep(MANY / 20))
end)
