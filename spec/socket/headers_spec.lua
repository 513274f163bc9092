-- cosock.socket.headers: how the names of header fields are written.

local Twins = require "spec.support.twins"
local headers = require "cosock.socket.headers"

it("is what cosock.socket has as headers", function()
  assert.equal(headers, require("cosock.socket").headers)
end)

it("knows the usual form of 91 names, by their lower case", function()
  local count = 0
  for lower, name in pairs(headers.canonic) do
    assert.equal(lower, name:lower())
    count = count + 1
  end
  assert.equal(91, count)
  for lower, name in pairs {
    ["content-md5"] = "Content-MD5",
    ["dsn-gateway"] = "DSN-Gateway",
    ["etag"] = "ETag",
    ["mime-version"] = "MIME-Version",
    ["smtp-remote-recipient"] = "SMTP-Remote-Recipient",
    ["te"] = "TE",
    ["www-authenticate"] = "WWW-Authenticate",
  } do
    assert.equal(name, headers.canonic[lower])
  end
end)

local twins = Twins.load("cosock.socket.headers", "socket.headers")
if twins then
  it("knows the names that LuaSocket knows", function()
    assert.same(twins.theirs.canonic, twins.ours.canonic)
  end)
end
