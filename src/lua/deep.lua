--- Tables by what they hold.

local M = {}

--- Whether two values say the same. Tables are compared by what they hold.
---@param one any
---@param other any
---@return boolean
function M.equal(one, other)
  if one == other then
    return true
  elseif type(one) ~= "table" or type(other) ~= "table" then
    return false
  end
  for key, value in pairs(one) do
    if not M.equal(value, other[key]) then
      return false
    end
  end
  for key in pairs(other) do
    if one[key] == nil then
      return false
    end
  end
  return true
end

--- A copy that stays as it is, whatever becomes of the original.
---@param value any
---@return any
function M.copy(value)
  if type(value) ~= "table" then
    return value
  end
  local result = {}
  for key, item in pairs(value) do
    result[key] = M.copy(item)
  end
  return result
end

return M
