--- What programs that know nothing of tasks get in place of the modules they know: LuaSocket's and
--- LuaSec's.

local require, native = ...

local M = {}

--- Our module for each name that can be required.
---@type table<string, string>
M.modules = {
  ["ltn12"] = "cosock.ltn12",
  ["mbox"] = "cosock.mbox",
  ["mime"] = "cosock.mime",
  ["mime.core"] = "cosock.mime",
  ["socket"] = "cosock.luasocket",
  ["socket.core"] = "cosock.luasocket",
  ["socket.ftp"] = "cosock.socket.ftp",
  ["socket.headers"] = "cosock.socket.headers",
  ["socket.http"] = "cosock.socket.http",
  ["socket.serial"] = "cosock.socket.serial",
  ["socket.smtp"] = "cosock.socket.smtp",
  ["socket.tp"] = "cosock.socket.tp",
  ["socket.unix"] = "cosock.socket.unix",
  ["socket.url"] = "cosock.socket.url",
  ["ssl"] = "cosock.ssl",
  ["ssl.config"] = "cosock.ssl.config",
  ["ssl.https"] = "cosock.ssl.https",
  ["ssl.x509"] = "cosock.ssl.certificate",
}

--- Those that appear in the `socket` table, too, once they are loaded.
local FIELDS = {
  ["socket.ftp"] = "ftp",
  ["socket.headers"] = "headers",
  ["socket.http"] = "http",
  ["socket.smtp"] = "smtp",
  ["socket.tp"] = "tp",
  ["socket.url"] = "url",
}

--- Those that set a global variable of their name where there is a global `module` (Lua 5.1).
local GLOBALS = { ltn12 = true, mbox = true }

--- Whether requiring a name gives a module of ours.
---@param name string
---@return boolean
function M.has(name)
  return native.modules[M.modules[name]] ~= nil
end

--- Loads the module that stands for `name`.
---@param name string  one that we have
---@return any module
---@return boolean sets_global  whether the program expects it in a global variable of that name
function M.load(name)
  local module = require(M.modules[name])
  local field = FIELDS[name]
  if field then
    require("cosock.luasocket")[field] = module
  end
  return module, GLOBALS[name] and rawget(_G, "module") ~= nil or false
end

return M
