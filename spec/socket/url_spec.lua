-- cosock.socket.url: URLs in parts and as a whole.

local peers = require "spec.support.peers"
local url = require "cosock.socket.url"

local pack, raised = peers.pack, peers.raised

it("is what cosock.socket has as url", function()
  assert.equal(url, require("cosock.socket").url)
  assert.equal("URL 1.0.3", url._VERSION)
end)

describe("url.parse", function()
  it("takes all parts apart", function()
    assert.same({
      scheme = "https",
      authority = "me:secret@example.com:8080",
      userinfo = "me:secret",
      user = "me",
      password = "secret",
      host = "example.com",
      port = "8080",
      path = "/a/b",
      params = "p=1",
      query = "q=2?",
      fragment = "f#?;",
    }, url.parse "https://me:secret@example.com:8080/a/b;p=1?q=2?#f#?;")
  end)

  for text, parts in pairs {
    ["a"] = { path = "a" },
    ["/"] = { path = "/" },
    ["?"] = { query = "" },
    ["#"] = { fragment = "" },
    [";"] = { params = "" },
    ["x:"] = { scheme = "x" },
    ["2a+b-c.d:e"] = { scheme = "2a+b-c.d", path = "e" },
    ["HTTP:x"] = { scheme = "HTTP", path = "x" },
    ["a_b:c"] = { path = "a_b:c" },
    ["/a:b"] = { path = "/a:b" },
    ["//"] = { authority = "" },
    ["///a"] = { authority = "", path = "/a" },
    ["//h"] = { authority = "h", host = "h" },
    ["//h:"] = { authority = "h:", host = "h", port = "" },
    ["//:1"] = { authority = ":1", port = "1" },
    ["//h:1:2"] = { authority = "h:1:2", host = "h:1", port = "2" },
    ["//[::1]"] = { authority = "[::1]", host = "::1" },
    ["//[::1]:8"] = { authority = "[::1]:8", host = "::1", port = "8" },
    ["//::1"] = { authority = "::1", host = ":", port = "1" },
    ["//u@h"] = { authority = "u@h", userinfo = "u", user = "u", host = "h" },
    ["//u:@h"] = { authority = "u:@h", userinfo = "u:", user = "u", password = "", host = "h" },
    ["//u:p:q@h"] = { authority = "u:p:q@h", userinfo = "u:p:q", user = "u:p", password = "q", host = "h" },
    ["//u@v@h"] = { authority = "u@v@h", userinfo = "u", user = "u", host = "v@h" },
    ["//h?q"] = { authority = "h", host = "h", query = "q" },
    ["//h#f"] = { authority = "h", host = "h", fragment = "f" },
    ["//h?u@v#w@x"] = { authority = "h", host = "h", query = "u@v", fragment = "w@x" },
    ["//h;p"] = { authority = "h;p", host = "h;p" },
    ["/%41+%zz"] = { path = "/%41+%zz" },
  } do
    it("takes apart " .. text, function()
      assert.same(parts, url.parse(text))
    end)
  end

  it("takes parts that are missing from a default, and leaves it alone", function()
    local default = { scheme = "s", host = "h", port = "1", path = "p" }
    assert.same({ scheme = "s", host = "x", authority = "x", port = "1", path = "p", query = "q" },
      url.parse("//x?q", default))
    assert.same({ scheme = "s", host = "h", port = "1", path = "p" }, default)
  end)

  it("takes the authority of a default apart", function()
    assert.same({ authority = "u@h:1", userinfo = "u", user = "u", host = "h", port = "1", path = "p" },
      url.parse("p", { authority = "u@h:1" }))
  end)

  it("fails for what is no URL", function()
    assert.same({ n = 2, nil, "invalid url" }, pack(url.parse(nil)))
    assert.same({ n = 2, nil, "invalid url" }, pack(url.parse(false)))
    assert.same({ n = 2, nil, "invalid url" }, pack(url.parse("", { host = "h" })))
  end)

  it("raises for wrong arguments", function()
    assert.equal("bad argument #1 to 'parse' (string expected, got table)", raised(function() url.parse {} end))
    assert.equal("bad argument #2 to 'parse' (table expected, got string)", raised(function() url.parse("a", "b") end))
  end)
end)

describe("url.build", function()
  for text, parts in pairs {
    [""] = {},
    ["s:"] = { scheme = "s" },
    ["a b"] = { path = "a b" },
    ["s://u:p@h:1/a;b?c#d"] = {
      scheme = "s", user = "u", password = "p", host = "h", port = 1, path = "/a", params = "b", query = "c",
      fragment = "d",
    },
    ["//[::1]:1"] = { host = "::1", port = "1" },
    ["//u@h"] = { host = "h", user = "u", userinfo = "x" },
    ["//x@h"] = { host = "h", password = "p", userinfo = "x" },
    ["//h"] = { host = "h", password = "p", authority = "x" },
    ["//x"] = { authority = "x", port = "1", user = "u" },
    ["://;?#"] = { scheme = "", authority = "", params = "", query = "", fragment = "" },
  } do
    it("puts together " .. (text == "" and "nothing" or text), function()
      assert.same({ n = 1, text }, pack(url.build(parts)))
    end)
  end

  it("undoes parse", function()
    for _, text in ipairs { "a", "//h", "s://u:p@[::1]:1/a;b?c#d", "s:?q", "/;p", "//h/?#" } do
      assert.equal(text, url.build(url.parse(text)))
    end
  end)

  it("raises for what is no table", function()
    assert.equal("bad argument #1 to 'build' (table expected, got nil)", raised(function() url.build() end))
  end)
end)

describe("url.absolute", function()
  local function resolves(base, cases)
    for relative, absolute in pairs(cases) do
      it(("resolves %q from %s"):format(relative, base), function()
        assert.same({ n = 1, absolute }, pack(url.absolute(base, relative)))
      end)
    end
  end

  -- Most of these are the examples of RFC 2396, appendix C.
  resolves("http://a/b/c/d;p?q#f", {
    [""] = "http://a/b/c/d;p?q#f",
    ["g"] = "http://a/b/c/g",
    ["./g"] = "http://a/b/c/g",
    ["g/"] = "http://a/b/c/g/",
    ["/g"] = "http://a/g",
    ["//g"] = "http://g",
    ["?y"] = "http://a/b/c/d;p?y",
    ["g?y"] = "http://a/b/c/g?y",
    [";x"] = "http://a/b/c/d;x",
    ["g;x"] = "http://a/b/c/g;x",
    ["g;x?y#s"] = "http://a/b/c/g;x?y#s",
    ["#s"] = "http://a/b/c/d;p?q#s",
    ["g#s"] = "http://a/b/c/g#s",
    ["."] = "http://a/b/c/",
    ["./"] = "http://a/b/c/",
    [".."] = "http://a/b/",
    ["../"] = "http://a/b/",
    ["../g"] = "http://a/b/g",
    ["../.."] = "http://a/",
    ["../../"] = "http://a/",
    ["../../g"] = "http://a/g",
    ["../../../g"] = "http://a/g",
    ["../../../../g"] = "http://a/g",
    ["/./g"] = "http://a/g",
    ["/../g"] = "http://a/g",
    ["g."] = "http://a/b/c/g.",
    [".g"] = "http://a/b/c/.g",
    ["g.."] = "http://a/b/c/g..",
    ["..g"] = "http://a/b/c/..g",
    ["./../g"] = "http://a/b/g",
    ["./g/."] = "http://a/b/c/g/",
    ["g/./h"] = "http://a/b/c/g/h",
    ["g/../h"] = "http://a/b/c/h",
    ["g:h"] = "g:h",
    ["g?y/./x"] = "http://a/b/c/g?y/x",
    ["g#s/./x"] = "http://a/b/c/g#s/x",
  })
  resolves("http://example.com", {
    [".badhost.com"] = "http://example.com/.badhost.com",
    ["a"] = "http://example.com/a",
    ["?q"] = "http://example.com?q",
  })
  resolves("http://example.com/a/b/c/d/", { ["..//../../../q"] = "http://example.com/a/q" })
  resolves("a/b/c/d", { ["d/e/f"] = "a/b/c/d/e/f", ["../../../../q"] = "../q" })
  resolves("http://h?q", { ["a"] = "http://h/a", ["#f"] = "http://h?q#f" })

  it("takes a base in parts, of which only the authority says where the host is", function()
    local base = { scheme = "s", authority = "a", host = "h", path = "/b/c" }
    assert.equal("s://a/b/x", url.absolute(base, "x"))
    assert.equal("s://h/b/c", url.absolute(base, ""))
    assert.equal("s:/b/x", url.absolute({ scheme = "s", host = "h", path = "/b/c" }, "x"))
  end)

  it("makes do with one of both", function()
    assert.equal("b", url.absolute(nil, "a/../b"))
    assert.equal("b", url.absolute("a/../b", nil))
  end)

  it("raises for wrong arguments", function()
    assert.equal("bad argument #2 to 'absolute' (string expected, got nil)", raised(function() url.absolute() end))
    assert.equal("bad argument #1 to 'absolute' (string expected, got boolean)", raised(function()
      url.absolute(true, "a")
    end))
    assert.equal("bad argument #2 to 'absolute' (string expected, got table)", raised(function()
      url.absolute("a", {})
    end))
  end)
end)

describe("url.escape and url.unescape", function()
  it("escape all but letters, digits and underscores", function()
    assert.same({ n = 1, "a_Z9%2d%2e%7e%20%2b%2f%25%00%ff" }, pack(url.escape "a_Z9-.~ +/%\0\255"))
  end)

  it("unescape what is escaped, and leave the rest", function()
    assert.same({ n = 1, "a+A%4Az%zz%4" }, pack(url.unescape "a+%41%254A%7a%zz%4"))
  end)

  it("are each other's inverse", function()
    local bytes = {}
    for byte = 0, 255 do
      bytes[#bytes + 1] = string.char(byte)
    end
    local all = table.concat(bytes)
    assert.equal(all, url.unescape(url.escape(all)))
  end)

  it("raise for what is no string", function()
    assert.equal("bad argument #1 to 'escape' (string expected, got nil)", raised(function() url.escape() end))
    assert.equal("bad argument #1 to 'unescape' (string expected, got boolean)", raised(function()
      url.unescape(true)
    end))
  end)
end)

describe("url.parse_path and url.build_path", function()
  for path, segments in pairs {
    [""] = {},
    ["/"] = { is_absolute = 1, is_directory = 1 },
    ["a"] = { "a" },
    ["/a"] = { "a", is_absolute = 1 },
    ["a/"] = { "a", is_directory = 1 },
    ["/a//b/%41%2f/"] = { "a", "b", "A/", is_absolute = 1, is_directory = 1 },
    ["./.."] = { ".", ".." },
  } do
    it(("take %q apart"):format(path), function()
      assert.same(segments, url.parse_path(path))
    end)
  end

  it("take no path for an empty one", function()
    assert.same({}, url.parse_path(nil))
  end)

  for path, segments in pairs {
    [""] = { is_directory = 1 },
    ["/"] = { is_absolute = 1, is_directory = 1 },
    ["//"] = { "", is_absolute = 1, is_directory = 1 },
    ["a/b"] = { "a", "b" },
    ["/a/"] = { "a", is_absolute = 1, is_directory = 1 },
    ["a//5"] = { "a", "", 5 },
    ["-_.!~*'():@&=+$,/%2F%3B%3F%23%20%FF"] = { "-_.!~*'():@&=+$,", "/;?# \255" },
  } do
    it(("put %q together"):format(path), function()
      assert.same({ n = 1, path }, pack(url.build_path(segments)))
    end)
  end

  it("take segments as they are when told to", function()
    assert.equal("/a b/;/c", url.build_path({ "a b", ";/c", is_absolute = 1 }, true))
  end)

  it("raise for wrong arguments", function()
    assert.equal("bad argument #1 to 'parse_path' (string expected, got table)", raised(function()
      url.parse_path {}
    end))
    assert.equal("bad argument #1 to 'build_path' (table expected, got string)", raised(function()
      url.build_path "a"
    end))
    assert.equal("bad argument #1 to 'build_path' (string expected, got table)", raised(function()
      url.build_path { "a", {} }
    end))
  end)
end)
