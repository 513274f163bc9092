--- Text that becomes part of a line: what would end the line early is refused, so that nothing which comes
--- from elsewhere can add commands or header fields of its own.

local M = {}

--- The text, unless it holds a CR, an LF or a NUL.
---@param text string
---@param what string  how to call it in the error
---@return string? text
---@return string? error  "invalid <what>: CR, LF and NUL are not allowed"
function M.check(text, what)
  if text:find "[\r\n%z]" then
    return nil, ("invalid %s: CR, LF and NUL are not allowed"):format(what)
  end
  return text
end

return M
