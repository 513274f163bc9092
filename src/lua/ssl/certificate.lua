--- Certificates.

local _, native = ...

local tls = native.tls

local M = {}

--- The methods of certificates.
---@class cosock.ssl.Certificate
local methods = tls.classes["SSL:Certificate"]

for _, name in ipairs {
  "digest", "getsignaturename", "issued", "issuer", "notafter", "notbefore", "pem", "pubkey", "serial",
  "setencode", "subject", "validat",
} do
  methods[name] = tls[name]
end

--- The extension with the alternative names.
local OID, TITLE = "2.5.29.17", "X509v3 Subject Alternative Name"

--- The alternative names of what the certificate is for, by their kinds. Other extensions are not told.
---@return table<string, {name: string, dNSName: string[]?, rfc822Name: string[]?, iPAddress: string[]?,
---  uniformResourceIdentifier: string[]?}> extensions  by object identifier
function methods:extensions()
  local names = tls.alternative_names(self)
  if not names then
    return {}
  end
  local extension = { name = TITLE }
  for _, found in ipairs(names) do
    local list = extension[found.kind]
    if not list then
      list = { name = found.title }
      extension[found.kind] = list
    end
    list[#list + 1] = found.value
  end
  return { [OID] = extension }
end

--- Reads the first certificate of a PEM text.
---@param pem string
---@return cosock.ssl.Certificate? certificate  nil if there is none
M.load = tls.loadcertificate

return M
