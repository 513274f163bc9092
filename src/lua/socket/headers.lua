--- How the names of header fields are written.

local require = ...

local socket = require "cosock.socket"

---@class cosock.socket.headers
local M = {
  --- The usual form of a name, by the name in lower case. Programs may add to it.
  ---@type table<string, string>
  canonic = {},
}
socket.headers = M

for name in ([[
  Accept Accept-Charset Accept-Encoding Accept-Language Accept-Ranges Action Age Allow Alternate-Recipient
  Arrival-Date Authorization Bcc Cache-Control Cc Comments Connection Content-Description Content-Disposition
  Content-Encoding Content-ID Content-Language Content-Length Content-Location Content-MD5 Content-Range
  Content-Transfer-Encoding Content-Type Cookie DSN-Gateway Date Diagnostic-Code ETag Expect Expires Final-Log-ID
  Final-Recipient From Host If-Match If-Modified-Since If-None-Match If-Range If-Unmodified-Since In-Reply-To
  Keywords Last-Attempt-Date Last-Modified Location MIME-Version Max-Forwards Message-ID Original-Envelope-ID
  Original-Recipient Pragma Proxy-Authenticate Proxy-Authorization Range Received Received-From-MTA References
  Referer Remote-MTA Reply-To Reporting-MTA Resent-Bcc Resent-Cc Resent-Date Resent-From Resent-Message-ID
  Resent-Reply-To Resent-Sender Resent-To Retry-After Return-Path SMTP-Remote-Recipient Sender Server Status
  Subject TE To Trailer Transfer-Encoding Upgrade User-Agent Vary Via WWW-Authenticate Warning Will-Retry-Until
  X-Mailer
]]):gmatch "%S+" do
  M.canonic[name:lower()] = name
end

return M
