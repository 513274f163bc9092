--- Folders for files that a spec writes.

local M = {}

local Folder = {}
Folder.__index = Folder

--- Makes a folder.
---@return table folder  with its `path`
function M.folder()
  local path = os.tmpname()
  os.remove(path)
  os.execute("mkdir " .. path)
  return setmetatable({ path = path }, Folder)
end

--- Writes a file into it.
---@param name string  with folders, which are made
---@param text string
---@return string path
function Folder:write(name, text)
  local inner = name:match "^(.*)/"
  if inner then
    os.execute("mkdir -p " .. self.path .. "/" .. inner)
  end
  local path = self.path .. "/" .. name
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

--- Removes it with everything in it.
function Folder:remove()
  os.execute("rm -r " .. self.path)
end

return M
