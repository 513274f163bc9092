--- What a program may set: the fields of the table that `require "cosock.socket.http"` returns, which is
--- this one with that module's functions added.

local require = ...

local pool = require "cosock.socket.http.pool"
local socket = require "cosock.socket"

--- What a server may make a request cost. What is beyond is an error.
---@class cosock.HttpLimits
---@field status_line integer  bytes of the first line of a reply
---@field header_count integer  lines of headers in a reply, and of those behind a chunked body
---@field header_bytes integer  bytes of them
---@field chunk_line integer  bytes of a line that tells the size of a chunk
---@field body_bytes number  bytes of a body that `request` returns as a string
---@field interim_replies integer  how many replies of the kind "100 Continue" may come before the one that counts
---@field redirects integer  how many redirects are followed when the request has no `maxredirects`

---@class cosock.http
---@field TIMEOUT number?  seconds that each step may take: connecting, sending a piece, receiving a line or a
---  block. nil for no limit.
---@field USERAGENT string?  the header of that name
---@field PROXY string?  the URL of a proxy for every request that names none
---@field LIMITS cosock.HttpLimits
---@field POOL cosock.HttpPool|false  connections kept for later requests; false to keep none
---@field EXPECT_TIMEOUT number  seconds for which a request with `expect: 100-continue` waits for the go-ahead
---  before it sends its body all the same
local M = {
  TIMEOUT = 60,
  USERAGENT = socket._VERSION,
  EXPECT_TIMEOUT = 1,
  POOL = pool.new(),
  LIMITS = {
    status_line = 8192,
    header_count = 256,
    header_bytes = 65536,
    chunk_line = 4096,
    body_bytes = math.huge,
    interim_replies = 16,
    redirects = 5,
  },
}

return M
