--- What this build of TLS knows: names as keys, for programs to look up.

local _, native = ...

local tls = native.tls

---@class cosock.ssl.Config
---@field algorithms table<string, boolean>  kinds of keys
---@field capabilities table<string, any>  what can be asked for, by the names that LuaSec gives it
---@field curves table<string, boolean>  elliptic curves
---@field options table<string, boolean>  what the field `options` may name
---@field protocols table<string, boolean>  what the field `protocol` may name
return {
  algorithms = { ec = true },
  capabilities = {
    alpn = true,
    curves_list = true,
    dane = { no_ee_namechecks = true },
    ecdh_auto = true,
    psk = true,
  },
  curves = tls.curves,
  options = tls.options,
  protocols = tls.protocols,
}
