-- Fetches pages over HTTPS, all at once, and says what came of each. Every server has to prove who it is to somebody
-- whom the system trusts, or those in the file that SSL_CERT_FILE names.
--
--   lua examples/https_get.lua URL ...
--   lua examples/https_get.lua https://www.lua.org/ https://www.debian.org/

local cosock = require "cosock"
local https = require "cosock.ssl.https"
local socket = require "cosock.socket"

if #arg == 0 then
  io.stderr:write "usage: lua https_get.lua URL ...\n"
  os.exit(1)
end

https.TIMEOUT = 10 -- seconds, for each step

local started = socket.gettime()
local fetched = 0

for _, url in ipairs(arg) do
  cosock.spawn(function()
    local body, code, _, status = https.request(url)
    if body then
      fetched = fetched + 1
      print(("%s: %s, %d bytes after %.1f seconds"):format(url, status or code, #body, socket.gettime() - started))
    else
      print(("%s: %s"):format(url, code)) -- for example, what is wrong with the certificate
    end
  end, url)
end

cosock.run()
os.exit(fetched == #arg and 0 or 1)
