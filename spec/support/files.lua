--- Folders for files that a spec writes.

local M = {}

local Folder = {}
Folder.__index = Folder

local function quoted(path)
  return "'" .. path:gsub("'", "'\\''") .. "'"
end

--- Makes a folder.
---@return table folder  with its `path`
function M.folder()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkdir " .. quoted(path)))
  return setmetatable({ path = path }, Folder)
end

--- Writes a file into it.
---@param name string  with folders, which are made
---@param text string
---@return string path
function Folder:write(name, text)
  local path = self.path .. "/" .. name
  if name:find "/" then
    assert(os.execute("mkdir -p " .. quoted(path:match "^(.*)/")))
  end
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

--- Removes it with everything in it.
function Folder:remove()
  os.execute("rm -rf " .. quoted(self.path))
end

return M
