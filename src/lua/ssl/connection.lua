--- Connections. Those of the methods that wait do so in the task.

local require, native = ...

local class = require "cosock.socket.class"
local decisions = require "cosock.ssl.decisions"
local make = require "cosock.socket.method"
local waiting = require "cosock.waiting"

local tls = native.tls
local try_handshake, try_close = tls.dohandshake, tls.close
local attempt = waiting.attempt

--- The methods of connections. (LuaSec has no others of TCP's: ask for names and set options before
--- wrapping the socket.)
---@class cosock.ssl.Connection
---@field dirty fun(self): boolean  whether something has been received and not handed out
---@field exportkeyingmaterial fun(self, label: string, length: integer, context?: string): string?, string?  secret
---  bytes that both sides know (RFC 5705), or `nil, error`; nothing without a handshake
---@field getalpn fun(self): string?, string?  the application protocol that was agreed on, nil if none was
---@field getfd fun(self): integer  the descriptor, -1 if it is closed
---@field getfinished fun(self): string?, string?  this side's last message of the handshake
---@field getlocalcertificate fun(self, position?: integer): cosock.ssl.Certificate?, string?  this side's own (1, the
---  default), or one of those behind it
---@field getlocalchain fun(self): cosock.ssl.Certificate[]?, string?  this side's certificates
---@field getpeercertificate fun(self, position?: integer): cosock.ssl.Certificate?, string?  the peer's own (1, the
---  default), or one of those behind it; nil if there is none
---@field getpeerchain fun(self): cosock.ssl.Certificate[]?, string?  the peer's certificates
---@field getpeerfinished fun(self): string?  the peer's last message of the handshake
---@field getpeerverification fun(self): boolean, string|string[][]|nil  whether the peer's certificates are right; else
---  what is wrong, for each certificate if `verifyext` lets the handshake go on
---@field getsniname fun(self): string?, string?  the name that the client has asked for
---@field getstats fun(self): integer, integer, number  bytes received, bytes sent, and seconds of age
---@field getversion fun(self): string?, string?  the version of the protocol: "TLSv1.3"
---@field isresumed fun(self): boolean?, string?  whether it goes on from an earlier connection's session
---@field setdane fun(self, hostname: string): boolean?, string?  has the server be verified by DANE (RFC 6698), for
---  this name; whether that can be done
---@field setstats fun(self, received?: integer, sent?: integer, age?: number): 1  what `getstats` is to count from
---@field settimeout fun(self, seconds?: number, mode?: "b"|"t"): 1  how long an operation may wait, nil or negative for
---  no limit: in mode "t" in all, else at a time
---@field settlsa fun(self, usage: integer, selector: integer, kind: integer, data: string): boolean?, string?  adds
---  a record of DANE; whether it is of use
---@field want fun(self): "nothing"|"read"|"write"  what the last operation had to wait for
local M = {}

for _, name in ipairs {
  "dirty", "exportkeyingmaterial", "getalpn", "getfd", "getfinished", "getlocalcertificate", "getlocalchain",
  "getpeercertificate", "getpeerchain", "getpeerfinished", "getpeerverification", "getsniname", "getstats",
  "getversion", "isresumed", "setdane", "setstats", "settimeout", "settlsa", "want",
} do
  M[name] = tls[name]
end

--- What was negotiated.
---@class cosock.ssl.Info
---@field protocol string  "TLSv1.3"
---@field cipher string
---@field key string  how keys were agreed on: "ECDH"
---@field authentication string  how the peers proved who they are: "RSA"
---@field encryption string  "AESGCM(256)"
---@field mac string  "AEAD"
---@field bits integer  secret bits used
---@field algbits integer  secret bits that the algorithm could use
---@field export boolean

--- Tells what was negotiated.
---@param field? string  to get only this one
---@return cosock.ssl.Info|string|integer|boolean|nil info
---@return string? error  "closed" without a handshake
function M:info(field)
  local info, err = tls.negotiated(self)
  if not info then
    return nil, err
  elseif field then
    return info[field]
  end
  return info
end

--- On a client, says which server to ask for. On a server, says which contexts there are for the names that
--- clients ask for; the connection's own is for all others. To be called before the handshake.
---
--- As in LuaSec, whether the client is verified is for the connection's own context to say, whichever is chosen:
--- where some name demands certificates of its clients, let the own context ask for them.
---
--- Raises if an argument is of the wrong type.
---@param names string|table<string, cosock.ssl.Context>
---@param strict? boolean  whether to refuse clients that ask for another name
---@return nil
---@return string? error  "closed"
function M:sni(names, strict)
  local role, err = tls.role(self)
  if role == "client" then
    tls.sni(self, names)
    return
  elseif not role then
    return nil, err
  elseif type(names) ~= "table" then
    error(("bad argument #1 to 'sni' (table expected, got %s)"):format(type(names)), 2)
  end
  for name, ctx in pairs(names) do
    if type(name) ~= "string" then
      error(("bad argument #1 to 'sni' (names expected as keys, got %s)"):format(type(name)), 2)
    elseif not tls.is_context(ctx) then
      error(("bad argument #1 to 'sni' (SSL:Context expected for '%s', got %s)"):format(name, type(ctx)), 2)
    end
  end
  decisions.choose_context(self, names, strict and true or false)
end

--- Agrees with the peer on keys. To be called before anything is sent or received.
---@return boolean? done  nil if the connection was closed before
---@return string? error  "wantread" or "wantwrite" if the time is up, "closed", or the reason in words
function M:dohandshake()
  local done, err = attempt(try_handshake, self)
  if done then
    return true
  end
  return done, err
end

--- Receives by a pattern, waiting until there is enough.
---@param pattern? "*l"|"*a"|integer  a line (the default), everything up to the end, or so many bytes
---@param prefix? string  put in front of the result; a number of bytes counts it
---@param most? integer  the most bytes that may come, as for TCP objects; LuaSec has no such argument
---@return string? data
---@return string? error  "wantread" or "wantwrite" if the time is up, "closed", or the reason in words
---@return string? partial  what has arrived, which will not come again
M.receive = make.receive(tls.receive)

--- Sends bytes `i` to `j` of a string, counted as `string.sub` does. Returns when all are out.
---@param data string|number
---@param i? integer
---@param j? integer
---@return integer? last  the index of the last byte sent
---@return string? error  "wantread" or "wantwrite" if the time is up, "closed", or the reason in words
---@return integer? sent  if it failed, the index of the last byte sent
M.send = make.send(tls.send)

--- Closes the connection. Says so to the peer first, which may have to wait until the peer has made
--- room for it: as long as the timeout allows, and for ten seconds at most. A client of TLS 1.3 that has received no
--- data also waits until what it has sent can no longer be lost, half a second if need be whatever the timeout.
function M:close()
  attempt(try_close, self)
end

local isyieldable = coroutine.isyieldable -- luacheck: ignore 143 (Lua 5.3 and later)
local is_outside = native.task.is_outside

--- Closes the connection at the end of the scope of a to-be-closed variable (Lua 5.4). A task that is
--- cancelled cannot wait any more.
function tls.metatable.__close(connection)
  if is_outside() or isyieldable() then
    M.close(connection)
  else
    tls.abandon(connection)
  end
end

return class.define(M, { "SSL:Connection" })
