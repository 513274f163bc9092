--- LuaSocket's table, to the letter: what programs get that know nothing of tasks. Only what
--- `cosock.socket` does in cosock's way is different here.

local require = ...

local select_module = require "cosock.luasocket.select"
local socket = require "cosock.socket"

---@class cosock.luasocket: cosock.socket
local M = {}

for name, value in pairs(socket) do
  M[name] = value
end

M._VERSION = "LuaSocket 3.1.0"
M.select = select_module.select
M.sleep = select_module.sleep

return M
