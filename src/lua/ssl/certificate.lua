--- Certificates.

local _, native = ...

local tls = native.tls

local M = {}

--- The methods of certificates.
---@class cosock.ssl.Certificate
---@field digest fun(self, algorithm?: string): string?, string?  its hash in hexadecimal digits, by "sha1" (the
---  default) or another that OpenSSL knows
---@field getsignaturename fun(self): string?  the algorithm of its signature
---@field issued fun(self, other: cosock.ssl.Certificate, ...: cosock.ssl.Certificate): true?, string?  whether it
---  vouches for another one, by way of those behind that; else nil and why not
---@field issuer fun(self): {oid: string, name: string, value: string}[]  who has issued it
---@field notafter fun(self): string  until when it is valid: "Jan  1 00:00:00 2030 GMT"
---@field notbefore fun(self): string  from when on it is valid
---@field pem fun(self): string  the certificate as text
---@field pubkey fun(self): string?, string?, integer?  its key as text, the kind of key ("RSA"), and its length in
---  bits; or `nil, error`
---@field serial fun(self): string  its number in hexadecimal digits
---@field setencode fun(self, encoding: "ai5"|"utf8"): boolean  how names are told: as they are ("ai5", the default), or
---  as UTF-8; whether there is such an encoding
---@field subject fun(self): {oid: string, name: string, value: string}[]  whose it is
---@field validat fun(self, time: integer): boolean  whether it is valid then, in seconds since 1970
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
