--- What requests ask of TLS. Those that ask the same share a profile, and with it a context, so that the certificates
--- to trust are loaded once and sessions are resumed.

local require, native = ...

local contexts = require "cosock.ssl.context"
local deep = require "cosock.deep"
local settings = require "cosock.ssl.https.settings"
local ssl = require "cosock.ssl"

local clock = native.task.clock
local tls = native.tls

local M = {}

--- The fields of a request that are for TLS.
local FIELDS = {
  "protocol", "key", "certificate", "certificates", "cafile", "capath", "ciphers", "ciphersuites", "verify",
  "verifyext", "options", "depth", "curve", "curveslist", "dhparam", "alpn", "psk", "dane", "hostname",
}

--- How many profiles are kept.
local MOST = 32

--- How long a context is used, in seconds: whom the system trusts may change.
local LIFETIME = 600

--- A profile.
---@class cosock.https.Profile : cosock.HttpLayer
---@field create function?  makes sockets that have it
---@field package ctx cosock.ssl.Context?
---@field package made number  when, on the runtime's clock
---@field package stamps table<string, string>  the states of the files that it was made of
local Profile = {}
Profile.__index = Profile

--- Those that were used last, the latest first.
---@type cosock.https.Profile[]
local recent = {}

--- Whether a field is not set. An empty list of what to verify is no wish to verify nothing.
local function is_unset(field, value)
  return not value or field == "verify" and type(value) == "table" and next(value) == nil
end

--- What a request asks for, and the defaults where it asks for nothing.
local function parameters_of(request)
  local parameters, defaults = {}, settings.cfg or {}
  for _, field in ipairs(FIELDS) do
    local value, source = request[field], request
    if is_unset(field, value) then
      value, source = defaults[field], defaults
    end
    if not is_unset(field, value) then
      parameters[field] = value
      if field == "key" then
        -- Of a request without a key, the password is for something else.
        parameters.password = source.password
      end
    end
  end
  parameters.verify = parameters.verify or "peer"
  parameters.protocol = parameters.protocol or "any"
  return parameters
end

--- Whether the server has to prove who it is.
local function verifies(verify)
  if type(verify) ~= "table" then
    return verify ~= "none"
  end
  for _, name in ipairs(verify) do
    if name ~= "none" then
      return true
    end
  end
  return false
end

--- Makes a context.
---
--- Raises if a field is of the wrong type.
local function new_context(parameters)
  local configuration = setmetatable({ mode = "client" }, { __index = parameters })
  local ctx, err = contexts.new(configuration, "request")
  if not ctx then
    return nil, err
  elseif verifies(parameters.verify) and not (parameters.cafile or parameters.capath) then
    local ok
    ok, err = tls.trust_system(ctx)
    if not ok then
      return nil, err
    end
  end
  return ctx
end

--- The states of the files that parameters name, by their paths.
local function stamps_of(parameters)
  local stamps = {}
  local function add(source, ...)
    for _, field in ipairs { ... } do
      local path = source[field]
      if type(path) == "string" then
        stamps[path] = tls.file_stamp(path) or "missing"
      end
    end
  end
  add(parameters, "cafile", "capath", "key", "certificate")
  for _, pair in ipairs(parameters.certificates or {}) do
    add(pair, "key", "certificate")
  end
  return stamps
end

--- Makes the context if there is none yet, or if it was made of files that have changed.
---
--- Raises if a field is of the wrong type.
---@return true? done
---@return string? error  as of `newcontext`
function Profile:prepare()
  local parameters = self.parameters
  if self.ctx and clock() < self.made + LIFETIME and deep.equal(stamps_of(parameters), self.stamps) then
    return true
  end
  local ctx, err = new_context(parameters)
  if not ctx then
    return nil, err
  end
  self.ctx, self.made, self.stamps = ctx, clock(), stamps_of(parameters)
  return true
end

--- Makes a TLS connection of a TCP connection to a host, whose name is asked for and looked for in the certificate. To
--- be called after `prepare`.
---@param sock any
---@param host string
---@return cosock.ssl.Connection? connection  before its handshake
---@return string? error
function Profile:wrap(sock, host)
  local connection, err = ssl.wrap(sock, self.ctx)
  if connection and not self.parameters.hostname then
    local ok
    ok, err = tls.expect(connection, host)
    if not ok then
      connection:close()
      return nil, err
    end
  end
  return connection, err
end

--- Agrees with the server on keys.
---@param connection cosock.ssl.Connection
---@param host string
---@return true? done
---@return string? error  the connection's. If the server did not prove who it is, it says what was wrong:
---  "certificate verify failed: hostname mismatch, expected 'example.org' (the field 'verify' asks for this check)"
function Profile:shake_hands(connection, host)
  local ok, err = connection:dohandshake()
  if ok then
    return true
  elseif err ~= "certificate verify failed" then
    return nil, err
  end
  local check = tls.failed_check(connection) or "unknown reason"
  if check:find "mismatch$" then
    check = ("%s, expected '%s'"):format(check, self.parameters.hostname or host)
  end
  return nil, ("%s: %s (the field 'verify' asks for this check)"):format(err, check)
end

--- The profile for what a request asks.
---@param request table
---@return cosock.https.Profile
function M.of(request)
  local parameters = parameters_of(request)
  local found
  for index, profile in ipairs(recent) do
    if deep.equal(profile.parameters, parameters) then
      found = index
      break
    end
  end
  local profile = found and table.remove(recent, found)
    or setmetatable({ parameters = deep.copy(parameters), made = 0 }, Profile)
  table.insert(recent, 1, profile)
  recent[MOST + 1] = nil
  return profile
end

return M
