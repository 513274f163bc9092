--- Takes URLs apart, puts them together, and resolves relative ones.
---
--- In the functions for whole URLs nothing is escaped or unescaped: do that with the single parts.

local require = ...

local argument = require "cosock.argument"
local socket = require "cosock.socket"

---@class cosock.socket.url
local M = {
  _VERSION = "URL 1.0.3",
}
socket.url = M

--- The parts of a URL. Those that it lacks are nil; those that are there but empty are "".
---@class cosock.Url
---@field scheme? string
---@field authority? string  userinfo, host and port
---@field userinfo? string  user and password
---@field user? string
---@field password? string
---@field host? string  without brackets
---@field port? string
---@field path? string
---@field params? string
---@field query? string
---@field fragment? string

local function percent_lower(byte)
  return ("%%%02x"):format(byte:byte())
end

local function percent_upper(byte)
  return ("%%%02X"):format(byte:byte())
end

local function from_percent(digits)
  return string.char(tonumber(digits, 16))
end

--- Replaces every byte that is no letter, digit or "_" by "%" and two digits.
---@param text string
---@return string
function M.escape(text)
  return (argument.string(text, 1, "escape"):gsub("[^%w_]", percent_lower))
end

--- Puts the bytes back that `escape` has replaced.
---@param text string
---@return string
function M.unescape(text)
  return (argument.string(text, 1, "unescape"):gsub("%%(%x%x)", from_percent))
end

--- Splits at the first `separator`: what is before it, and what comes after, or nil.
local function cut(text, separator)
  local at = text:find(separator, 1, true)
  if at then
    return text:sub(1, at - 1), text:sub(at + 1)
  end
  return text
end

--- Adds the parts of an authority. What it lacks stays as it is.
local function parse_authority(parts, authority)
  local userinfo, address = authority:match "^([^@]*)@(.*)$"
  parts.userinfo = userinfo or parts.userinfo
  if parts.userinfo then
    local user, password = parts.userinfo:match "^(.*):([^:]*)$"
    parts.user = user or parts.userinfo
    parts.password = password or parts.password
  end
  address = address or authority
  -- What follows the last colon of a bare IPv6 address is taken for a port, but not inside brackets.
  local host, port = address:match "^(.*):([^:%]]*)$"
  parts.port = port or parts.port
  host = host or address
  if host ~= "" then
    parts.host = host:match "^%[(.+)%]$" or host
  end
end

--- Takes a URL apart.
---
--- Raises if `url` is no string, or `default` no table.
---@param url string?
---@param default? cosock.Url  where parts that the URL lacks come from; it is not changed
---@return cosock.Url? parts
---@return string? error  "invalid url": it is nil or empty
function M.parse(url, default)
  local parts = {}
  if default then
    argument.check(default, "table", 2, "parse")
    for name, part in pairs(default) do
      parts[name] = part
    end
  end
  if not url or url == "" then
    return nil, "invalid url"
  end
  local rest = argument.string(url, 1, "parse")
  local scheme, after_scheme = rest:match "^(%w[%w+.-]*):(.*)$"
  if scheme then
    parts.scheme, rest = scheme, after_scheme
  end
  local authority, after_authority = rest:match "^//([^/?#]*)(.*)$"
  if authority then
    parts.authority, rest = authority, after_authority
  end
  local fragment, query, params
  rest, fragment = cut(rest, "#")
  rest, query = cut(rest, "?")
  rest, params = cut(rest, ";")
  parts.fragment = fragment or parts.fragment
  parts.query = query or parts.query
  parts.params = params or parts.params
  if rest ~= "" then
    parts.path = rest
  end
  if parts.authority then
    parse_authority(parts, parts.authority)
  end
  return parts
end

--- The authority that the parts describe.
local function build_authority(parts)
  local host = parts.host
  if not host then
    return parts.authority
  end
  if host:find(":", 1, true) then
    host = "[" .. host .. "]"
  end
  if parts.port then
    host = host .. ":" .. parts.port
  end
  local userinfo = parts.userinfo
  if parts.user then
    userinfo = parts.password and parts.user .. ":" .. parts.password or parts.user
  end
  return userinfo and userinfo .. "@" .. host or host
end

--- Puts a URL together.
---
--- Raises if `parts` is no table.
---@param parts cosock.Url  `user` and `password` win over `userinfo`, and `host` over `authority`
---@return string
function M.build(parts)
  argument.check(parts, "table", 1, "build")
  local authority = build_authority(parts)
  return (parts.scheme and parts.scheme .. ":" or "")
    .. (authority and "//" .. authority or "")
    .. (parts.path or "")
    .. (parts.params and ";" .. parts.params or "")
    .. (parts.query and "?" .. parts.query or "")
    .. (parts.fragment and "#" .. parts.fragment or "")
end

--- Removes "." and whatever ".." undoes. An empty segment is one like any other, but not what is before a
--- leading or after a trailing slash.
local function remove_dots(path)
  local segments = {}
  for segment in (path .. "/"):gmatch "([^/]*)/" do
    segments[#segments + 1] = segment
  end
  local last = #segments
  local is_absolute = segments[1] == ""
  local floor = is_absolute and 1 or 0
  local kept = {}
  for index, segment in ipairs(segments) do
    local is_kept = true
    if segment == "." then
      -- As the first it stays: without it, what follows might mean something else.
      is_kept = index == 1 or index == last and #kept == 0
    elseif segment == ".." and #kept > floor then
      kept[#kept] = nil
      is_kept = false
    elseif segment == ".." then
      -- It has nothing to undo, and the next ".." undoes it.
      is_kept = index < last or not is_absolute
    end
    if is_kept then
      kept[#kept + 1] = segment
    elseif index == last then
      kept[#kept + 1] = "" -- for the trailing slash
    end
  end
  if is_absolute and kept[2] == ".." and #kept > 2 then
    table.remove(kept, 2)
  end
  return table.concat(kept, "/")
end

--- The path that `relative` leads to from `base`.
local function resolve_path(base, relative)
  if relative:sub(1, 1) ~= "/" then
    local folder = base:match "^(.*)/[^/]*$" or ""
    relative = folder .. "/" .. relative
  end
  return remove_dots(relative)
end

--- The absolute form of a URL that is relative to another.
---
--- Of a table's parts, only `authority` tells where the host is.
---
--- Raises if an argument is of another type.
---@param base string|cosock.Url|nil
---@param relative string?  nil only if there is a base
---@return string
function M.absolute(base, relative)
  local base_parts = base
  if type(base) == "table" then
    base = M.build(base)
  elseif base ~= nil then
    base = argument.string(base, 1, "absolute")
    base_parts = M.parse(base)
  end
  if relative or base == nil then
    relative = argument.string(relative, 2, "absolute")
  end
  local parts = M.parse(relative)
  local result
  if not base_parts or parts and parts.scheme then
    result = relative or ""
  elseif not parts then
    result = base
  else
    parts.scheme = base_parts.scheme
    if not parts.authority then
      parts.authority = base_parts.authority
      if parts.path then
        parts.path = resolve_path(base_parts.path or "", parts.path)
      else
        parts.path = base_parts.path
        if not parts.params then
          parts.params = base_parts.params
          parts.query = parts.query or base_parts.query
        end
      end
    end
    result = M.build(parts)
  end
  return remove_dots(result)
end

--- The segments of a path, unescaped. Empty ones are left out.
---@class cosock.UrlPath
---@field is_absolute? 1  it begins with a slash
---@field is_directory? 1  it ends with a slash
---@field [integer] string

--- Takes a path apart.
---
--- Raises if `path` is no string.
---@param path string?  nil is an empty one
---@return cosock.UrlPath
function M.parse_path(path)
  path = argument.string(path or "", 1, "parse_path")
  local segments = {}
  for segment in path:gmatch "[^/]+" do
    segments[#segments + 1] = M.unescape(segment)
  end
  if path:sub(1, 1) == "/" then
    segments.is_absolute = 1
  end
  if path:sub(-1) == "/" then
    segments.is_directory = 1
  end
  return segments
end

--- Puts a path together. Whatever may not stand in a segment is escaped.
---
--- Raises if `segments` is no table, or holds something other than strings and numbers.
---@param segments cosock.UrlPath
---@param unsafe? boolean  take the segments as they are
---@return string
function M.build_path(segments, unsafe)
  argument.check(segments, "table", 1, "build_path")
  local parts = {}
  for index = 1, #segments do
    local segment = argument.string(segments[index], 1, "build_path")
    parts[index] = unsafe and segment or segment:gsub("[^%w_.!~*'():@&=+$,-]", percent_upper)
  end
  local path = table.concat(parts, "/")
  if segments.is_directory and #segments > 0 then
    path = path .. "/"
  end
  if segments.is_absolute then
    path = "/" .. path
  end
  return path
end

return M
