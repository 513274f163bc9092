--- What the program decides in the midst of a handshake: application protocols, shared keys, parameters of
--- a key agreement, and which context a server uses. None of these functions can wait.
---
--- A context keeps what the program has given it, and a connection keeps its context, so that all of it is
--- garbage when the connection is.

local require, native = ...

local array = require "cosock.array"

local tls = native.tls
local keep, kept = tls.keep, tls.kept
local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local M = {}

--- What is called in the midst of a handshake, with the connection first.
local decisions = tls.decisions

--- The function of that name which decides for a connection. A context chosen by name may have another
--- than the one that the connection was made with.
local function find(connection, name)
  local data = kept(connection)
  return kept(data.context)[name] or kept(data.made_with)[name]
end

--- The names as they are sent; nil if they are no names.
local function encode(names)
  if type(names) == "string" then
    names = { names }
  elseif type(names) ~= "table" then
    return nil
  end
  local pieces = {}
  for index, name in ipairs(names) do
    if type(name) ~= "string" or #name == 0 or #name > 255 then
      return nil
    end
    pieces[index] = string.char(#name) .. name
  end
  return table.concat(pieces)
end

--- What a server speaks, best first.
function decisions.alpn(connection, offered)
  return encode(find(connection, "alpn")(offered))
end

--- The parameters of a key agreement.
function decisions.dhparam(connection, export, bits)
  return find(connection, "dhparam")(export, bits)
end

--- A client's identity and its key.
function decisions.client_psk(connection, hint, most_identity, most_key)
  return find(connection, "psk")(hint, most_identity, most_key)
end

--- The key of a client that says who it is.
function decisions.server_psk(connection, identity, most_key)
  return find(connection, "psk")(identity, most_key)
end

--- The context for the name that a client asks for.
function decisions.sni(connection, name)
  local data = kept(connection)
  if not data.names or name == nil then
    return nil
  end
  local context = data.names[name]
  if context then
    data.context = context
    return context
  elseif data.is_strict then
    return false
  end
end

local function set_alpn(ctx, is_server, alpn)
  if type(alpn) == "function" and is_server then
    return tls.setalpnfunction(ctx)
  elseif type(alpn) == "string" and not is_server then
    return tls.setalpn(ctx, alpn)
  elseif type(alpn) ~= "table" then
    return nil, "invalid ALPN parameter"
  end
  for index = 1, array.length(alpn) do
    local name = alpn[index]
    if type(name) ~= "string" then
      return nil, ("invalid ALPN name (string expected, got %s)"):format(type(name))
    end
  end
  return (is_server and tls.setalpnlist or tls.setalpn)(ctx, unpack(alpn))
end

local function set_psk(ctx, is_server, psk)
  local callback, hint = psk, nil
  if is_server and type(psk) == "table" then
    callback, hint = psk.callback, psk.hint
    if type(hint) ~= "string" and hint ~= nil then
      return nil, "invalid PSK configuration"
    end
  end
  if type(callback) ~= "function" then
    return nil, "invalid PSK configuration"
  elseif not is_server then
    return tls.setclientpsk(ctx), nil, callback
  elseif hint then
    local ok, err = tls.setpskhint(ctx, hint)
    if not ok then
      return nil, err
    end
  end
  return tls.setserverpsk(ctx), nil, callback
end

--- Reads the fields of a configuration that decide.
---@param ctx cosock.ssl.Context
---@param configuration cosock.ssl.Configuration
---@return boolean? done
---@return string? error
function M.configure(ctx, configuration)
  local functions = {}
  keep(ctx, functions)
  local is_server = configuration.mode == "server"
  local ok, err
  if configuration.dhparam then
    if type(configuration.dhparam) ~= "function" then
      return nil, "invalid DH parameter type"
    end
    functions.dhparam = configuration.dhparam
    ok, err = tls.setdhfunction(ctx)
    if not ok then
      return nil, err
    end
  end
  if configuration.alpn then
    functions.alpn = configuration.alpn
    ok, err = set_alpn(ctx, is_server, configuration.alpn)
    if not ok then
      return nil, err
    end
  end
  if configuration.psk then
    ok, err, functions.psk = set_psk(ctx, is_server, configuration.psk)
    if not ok then
      return nil, err
    end
  end
  return true
end

--- Has a new connection keep its context.
---@param connection cosock.ssl.Connection
---@param ctx cosock.ssl.Context
function M.attach(connection, ctx)
  keep(connection, { context = ctx, made_with = ctx })
end

--- Has a server choose its context by the name that a client asks for.
---@param connection cosock.ssl.Connection
---@param names table<string, cosock.ssl.Context>
---@param is_strict boolean
function M.choose_context(connection, names, is_strict)
  local data = kept(connection)
  data.names, data.is_strict = names, is_strict
  tls.setsnifunction(connection)
end

return M
