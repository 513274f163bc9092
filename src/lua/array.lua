--- Arrays as programs give them.

local M = {}

--- How long a list is, up to its last element. Where it has holes, the operator `#` may stop at any of them, and
--- what is behind would be passed over.
---@param list any[]
---@return integer
function M.length(list)
  local length = #list
  for key in pairs(list) do
    if type(key) == "number" and key > length and key % 1 == 0 then
      length = key
    end
  end
  return length
end

return M
