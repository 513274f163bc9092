--- Folders for files that a spec writes.

local lfs = require "lfs" -- busted needs it, too

local M = {}

local Folder = {}
Folder.__index = Folder

--- Makes a folder.
---@return table folder  with its `path`
function M.folder()
  local path = os.tmpname()
  os.remove(path)
  assert(lfs.mkdir(path))
  return setmetatable({ path = path }, Folder)
end

--- Writes a file into it.
---@param name string  with folders, which are made
---@param text string
---@return string path
function Folder:write(name, text)
  local folder = self.path
  for part in name:gmatch "([^/]+)/" do
    folder = folder .. "/" .. part
    lfs.mkdir(folder)
  end
  local path = self.path .. "/" .. name
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

--- Removes it with everything in it.
function Folder:remove()
  local function remove(path)
    if lfs.symlinkattributes(path, "mode") == "directory" then
      for name in lfs.dir(path) do
        if name ~= "." and name ~= ".." then
          remove(path .. "/" .. name)
        end
      end
      lfs.rmdir(path)
    else
      os.remove(path)
    end
  end
  remove(self.path)
end

return M
