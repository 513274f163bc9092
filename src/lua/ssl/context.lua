--- Contexts: reading a configuration, field by field.

local require, native = ...

local array = require "cosock.array"
local decisions = require "cosock.ssl.decisions"
local exhaustion = require "cosock.socket.exhaustion"

local tls = native.tls
local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local M = {}

--- What to make a context of.
---@class cosock.ssl.Configuration
---@field protocol "any"|"tlsv1"|"tlsv1_1"|"tlsv1_2"|"tlsv1_3"
---@field mode "client"|"server"
---@field key? string  a PEM file
---@field password? string|fun(): string  of the key, if it is encrypted
---@field certificate? string  a PEM file: the certificate, then those that vouch for it
---@field certificates? cosock.ssl.KeyPair[]  several of these three, instead of one
---@field cafile? string  a PEM file of certificates to trust
---@field capath? string  a folder of such files, named by hash
---@field ciphers? string  OpenSSL's list, up to TLS 1.2
---@field ciphersuites? string  OpenSSL's list, from TLS 1.3 on
---@field verify? string|string[]  "none", "peer", "client_once", "fail_if_no_peer_cert"
---@field verifyext? string|string[]  "lsec_continue", "lsec_ignore_purpose", "crl_check", "crl_check_chain"
---@field options? string|string[]  names from `config.options`
---@field depth? integer  the longest chain of certificates
---@field curve? string  a name from `config.curves`
---@field curveslist? string  such names with colons between them; wins over `curve`
---@field dhparam? fun(export: boolean, bits: integer): string?  gives parameters as PEM
---@field alpn? string|string[]|fun(offered: string[]): string|string[]|nil  a function on servers only
---@field psk? function|{hint: string?, callback: function}  see `decisions.client_psk` and `server_psk`
---@field dane? boolean|string[]  true, or flags: "no_ee_namechecks"
---@field hostname? string  of the server, by name or address: a client asks for it, and where it verifies,
---  looks for it in the certificate

---@class cosock.ssl.KeyPair
---@field key? string
---@field password? string|fun(): string
---@field certificate? string

--- Settings that connections have in common.
---@class cosock.ssl.Context

--- A configuration that is being read, by the function of that name which the program called.
---@class cosock.ssl.Reader
---@field caller string
local Reader = {}
Reader.__index = Reader

--- Raises an error where the program called us.
local function raise(message)
  local level = 2
  local info = debug.getinfo(level, "S")
  while info and (info.source:find "^=cosock" or info.what == "tail") do
    level = level + 1
    info = debug.getinfo(level, "S")
  end
  error(message, level)
end

--- Raises an error about what a field says.
function Reader:refuse(field, reason)
  raise(("bad argument to '%s' (field '%s': %s)"):format(self.caller, field, reason))
end

--- Raises an error about a field's type.
function Reader:fail(field, expected, value)
  self:refuse(field, ("%s expected, got %s"):format(expected, type(value)))
end

--- A field that must be a string; numbers count.
function Reader:required_string(source, field)
  local value = source[field]
  if type(value) == "number" then
    return tostring(value)
  elseif type(value) ~= "string" then
    self:fail(field, "string", value)
  end
  return value
end

--- The same, or nil if it is not set.
function Reader:string(source, field)
  if source[field] then
    return self:required_string(source, field)
  end
end

--- A field that is a string or an array of strings, as an array.
function Reader:strings(source, field)
  local value = source[field]
  if not value then
    return {}
  elseif type(value) ~= "table" then
    return { self:required_string(source, field) }
  end
  local names = {}
  for index = 1, array.length(value) do
    local name = value[index]
    if type(name) ~= "string" and type(name) ~= "number" then
      self:fail(field, "string", name)
    end
    names[index] = tostring(name)
  end
  return names
end

--- A field that must be a whole number, or nil if it is not set.
function Reader:integer(source, field)
  local value = source[field]
  if not value then
    return nil
  end
  local number = tonumber(value)
  if not number then
    self:fail(field, "number", value)
  elseif number ~= math.floor(number) or number < -2 ^ 63 or number >= 2 ^ 63 then
    self:refuse(field, "number has no integer representation")
  end
  return number
end

--- Loads a private key, asking for its password if there is need.
local function load_key(ctx, path, password)
  if password and type(password) ~= "string" and type(password) ~= "function" then
    return nil, "invalid password type"
  elseif type(password) ~= "function" then
    return tls.loadkey(ctx, path, password or nil)
  end
  local loaded, err = tls.loadkey(ctx, path, false)
  if loaded == false then
    local answer = password()
    return tls.loadkey(ctx, path, type(answer) == "string" and answer or "")
  end
  return loaded, err
end

--- Loads a key and a certificate, of which either may be missing.
local function load_pair(ctx, reader, pair)
  local key, certificate = reader:string(pair, "key"), reader:string(pair, "certificate")
  local ok, err
  if key then
    ok, err = load_key(ctx, key, pair.password)
    if not ok then
      return nil, err
    end
  end
  if certificate then
    ok, err = tls.loadcert(ctx, certificate)
    if not ok then
      return nil, err
    end
  end
  if key and certificate and not tls.checkkey(ctx) then
    return nil, "private key does not match public key"
  end
  return true
end

--- The steps, in the order in which LuaSec takes them: the first that fails ends it. Each gets the
--- context, the reader and the configuration.
---@type (fun(ctx: any, reader: any, configuration: table): any, string?)[]
local STEPS = {
  function(ctx, reader, configuration)
    return tls.setmode(ctx, reader:required_string(configuration, "mode"))
  end,

  function(ctx, reader, configuration)
    if not configuration.certificates then
      return load_pair(ctx, reader, configuration)
    end
    if type(configuration.certificates) ~= "table" then
      reader:fail("certificates", "table", configuration.certificates)
    end
    for index = 1, array.length(configuration.certificates) do
      local pair = configuration.certificates[index]
      if type(pair) ~= "table" then
        reader:fail("certificates", "array of tables", pair)
      end
      local ok, err = load_pair(ctx, reader, pair)
      if not ok then
        return nil, err
      end
    end
    return true
  end,

  function(ctx, reader, configuration)
    local file, folder = reader:string(configuration, "cafile"), reader:string(configuration, "capath")
    if file or folder then
      return tls.locations(ctx, file, folder)
    end
    return true
  end,

  function(ctx, reader, configuration)
    local list = reader:string(configuration, "ciphers")
    if list then
      return tls.setcipher(ctx, list)
    end
    return true
  end,

  function(ctx, reader, configuration)
    local list = reader:string(configuration, "ciphersuites")
    if list then
      return tls.setciphersuites(ctx, list)
    end
    return true
  end,

  function(ctx, reader, configuration)
    return tls.setverify(ctx, unpack(reader:strings(configuration, "verify")))
  end,

  function(ctx, reader, configuration)
    return tls.setoptions(ctx, unpack(reader:strings(configuration, "options")))
  end,

  function(ctx, reader, configuration)
    local depth = reader:integer(configuration, "depth")
    if depth then
      return tls.setdepth(ctx, depth)
    end
    return true
  end,

  function(ctx, reader, configuration)
    local list = reader:string(configuration, "curveslist")
    if list then
      return tls.setcurveslist(ctx, list)
    end
    local curve = reader:string(configuration, "curve")
    if curve then
      return tls.setcurve(ctx, curve)
    end
    return true
  end,

  function(ctx, reader, configuration)
    local hostname = reader:string(configuration, "hostname")
    if hostname then
      return tls.sethostname(ctx, hostname)
    end
    return true
  end,

  function(ctx, _, configuration)
    return decisions.configure(ctx, configuration)
  end,

  function(ctx, reader, configuration)
    if not configuration.dane then
      return true
    end
    local flags = type(configuration.dane) == "table" and reader:strings(configuration, "dane") or {}
    local ok, err = tls.enable_dane(ctx, unpack(flags))
    if ok == false then
      reader:refuse("dane", err)
    end
    return ok, err
  end,

  function(ctx, reader, configuration)
    return tls.setverifyext(ctx, unpack(reader:strings(configuration, "verifyext")))
  end,
}

--- Takes a step; once more if sockets that are garbage had the descriptors for its files.
local function take(step, ctx, reader, configuration)
  local ok, err = step(ctx, reader, configuration)
  if not ok and exhaustion.collect(err and err:match "%((.*)%)$" or err) then
    ok, err = step(ctx, reader, configuration)
    exhaustion.settle(ok or nil)
  end
  return ok, err
end

--- Makes a context of a configuration.
---@param configuration cosock.ssl.Configuration
---@param caller string  the function that the program called
---@return cosock.ssl.Context? context
---@return string? error
function M.new(configuration, caller)
  if type(configuration) ~= "table" then
    raise(("bad argument #1 to '%s' (table expected, got %s)"):format(caller, type(configuration)))
  end
  local reader = setmetatable({ caller = caller }, Reader)
  local ctx, err = tls.create_context(reader:required_string(configuration, "protocol"))
  if not ctx then
    return nil, err
  end
  for _, step in ipairs(STEPS) do
    local ok
    ok, err = take(step, ctx, reader, configuration)
    if not ok then
      return nil, err
    end
  end
  return ctx
end

local methods = tls.classes["SSL:Context"]

--- Changes how connections to come verify certificates.
---@param ... string  "lsec_continue", "lsec_ignore_purpose", "crl_check", "crl_check_chain"
---@return boolean done
---@return string? error
methods.setverifyext = tls.setverifyext

return M
