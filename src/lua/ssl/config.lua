--- What this build of TLS knows: names as keys, for programs to look up.

local _, native = ...

local tls = native.tls

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
