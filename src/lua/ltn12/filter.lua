--- Filters: make chunks of chunks.

local require = ...

local callable = require("cosock.argument").callable

local M = {}

--- Makes a filter out of a function that is given what it has to remember and returns it.
---
--- Raises if `low` cannot be called.
---@param low fun(context: any, chunk: string?, extra: any): string?, any
---@param context any  what it is given first
---@param extra any  what it is always given
---@return cosock.Filter
function M.cycle(low, context, extra)
  callable(low, 1, "cycle")
  return function(chunk)
    local result
    result, context = low(context, chunk, extra)
    return result
  end
end

--- Makes one filter of several, each working on what the one before it gives.
---
--- The filter raises "filter returned inappropriate nil". Raises if an argument cannot be called.
---@param ... cosock.Filter
---@return cosock.Filter
function M.chain(...)
  local filters, count = { ... }, select("#", ...)
  for position = 1, math.max(count, 1) do
    callable(filters[position], position, "chain")
  end
  -- Those before `first` have given all they had. The next to be asked is `current`.
  local first, current = 1, 1
  return function(chunk)
    local more = chunk and ""
    while true do
      local is_first = current == first
      -- Only the first may learn that the data is at its end: what comes after it still gets something.
      if not chunk and not is_first then
        chunk = ""
      end
      chunk = filters[current](chunk)
      if chunk == "" then
        if is_first then
          return chunk
        end
        current, chunk = current - 1, more
      elseif chunk then
        if current == count then
          return chunk
        end
        current = current + 1
      elseif not is_first then
        error("filter returned inappropriate nil", 2)
      elseif first == count then
        return nil
      else
        first = first + 1
        current = first
      end
    end
  end
end

return M
