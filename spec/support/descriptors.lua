--- The open descriptors of this process.

local M = {}

--- Counts them, or as many of them as have small numbers: the system always gives out the smallest. 0 where it
--- does not tell. Those of garbage, which other specs may have left, are closed before.
---@return integer
function M.count()
  collectgarbage()
  collectgarbage()
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

return M
