--- The open descriptors of this process.

local M = {}

--- Counts them, or as many of them as have small numbers: the system always gives out the smallest. 0 where it
--- does not tell.
---@return integer
function M.count()
  local count = 0
  for number = 0, 4095 do
    local file = io.open("/proc/self/fdinfo/" .. number)
    if file then
      file:close()
      count = count + 1
    end
  end
  return count
end

--- Counts them after closing those of garbage, which other specs may have left: what a later count is compared with.
---@return integer
function M.settled()
  collectgarbage()
  collectgarbage()
  return M.count()
end

return M
