--- Setting options: what a table means is read here, as native functions do not read tables.

local M = {}

--- Makes the method `setoption` out of a native function.
---@param set function
---@return fun(self: any, name: string, value: any): 1?, string?
function M.setter(set)
  return function(self, name, ...)
    local value = ...
    local ok, err
    if type(value) == "table" then
      ok, err = set(self, name, value, value.on, value.timeout, value.multiaddr, value.interface)
    else
      ok, err = set(self, name, ...)
    end
    if ok == nil then
      return nil, err
    end
    return ok
  end
end

return M
