--- What a program may set: the fields of the table that `require "cosock.ssl.https"` returns, which is this one with
--- that module's functions added.

--- What requests ask of TLS where they say nothing themselves; any of their fields may be among these.
---@class cosock.https.Defaults : cosock.ssl.Configuration
local defaults = {
  protocol = "any",
  options = { "all", "no_sslv2", "no_sslv3", "no_tlsv1" },
  verify = "peer",
}

---@class cosock.https
---@field PORT integer|string  where a URL names none
---@field TIMEOUT number?  seconds that each step may take: connecting, asking a proxy, the handshake, sending a piece,
---  receiving a line or a block. nil for no limit.
---@field cfg cosock.https.Defaults
return {
  PORT = 443,
  TIMEOUT = 60,
  cfg = defaults,
}
