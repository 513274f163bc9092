--- Sinks: where chunks go.

local require = ...

local argument = require "cosock.argument"
local filter = require "cosock.ltn12.filter"

local callable, check = argument.callable, argument.check
local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local M = {}

--- Appends the chunks to an array.
---
--- Raises if `array` is neither a table nor nil.
---@param array? any[]  a new one if nil
---@return cosock.Sink
---@return any[] array
function M.table(array)
  array = array or {}
  check(array, "table", 1, "table")
  return function(chunk)
    if chunk then
      array[#array + 1] = chunk
    end
    return 1
  end, array
end

--- Follows a sink that may return, as its second value, the sink that takes the next chunk.
---
--- Raises if `snk` cannot be called.
---@param snk fun(chunk: string?, err: any): any, any
---@return cosock.Sink
function M.simplify(snk)
  callable(snk, 1, "simplify")
  return function(chunk, err)
    local ok, err_or_next = snk(chunk, err)
    if not ok then
      return nil, err_or_next
    end
    snk = err_or_next or snk
    return 1
  end
end

--- Closes a file. Only now it may turn out that the disk is full.
local function close(handle)
  local closed, err = handle:close()
  -- The status of a process that was written to says nothing about the data.
  if not closed and err and err ~= "exit" and err ~= "signal" then
    return nil, err
  end
  return 1
end

--- Writes to a file and closes it at the end of the data: `sink.file(io.open(..., "w"))`.
---@param handle file*?
---@param err? string  why there is no file ("unable to open file")
---@return cosock.Sink
function M.file(handle, err)
  if not handle then
    return M.error(err or "unable to open file")
  end
  return function(chunk)
    if not chunk then
      return close(handle)
    end
    return handle:write(chunk)
  end
end

local function discard()
  return 1
end

--- A sink that takes everything.
---@return cosock.Sink
function M.null()
  return discard
end

--- A sink that takes nothing, and says why.
---@param err any
---@return cosock.Sink
function M.error(err)
  return function()
    return nil, err
  end
end

--- Makes a sink of a sink, which is the last argument, and the filters through which its data is to come.
---
--- The sink raises "filter returned inappropriate nil". Raises if an argument cannot be called, or there is only one.
---@param first cosock.Filter
---@param ... cosock.Filter|cosock.Sink
---@return cosock.Sink
function M.chain(first, ...)
  local rest = { ... }
  local last = math.max(#rest, 1)
  callable(first, 1, "chain")
  for position = 1, last do
    callable(rest[position], position + 1, "chain")
  end
  local snk = table.remove(rest)
  if #rest > 0 then
    first = filter.chain(first, unpack(rest))
  end
  return function(chunk, err)
    if chunk == "" then
      return 1
    end
    local more = chunk and ""
    local result
    repeat
      result = first(chunk)
      if chunk and not result then
        error("filter returned inappropriate nil", 2)
      end
      local ok, sink_error = snk(result, err)
      if not ok then
        return nil, sink_error
      end
      chunk = more
    until result == more
    return 1
  end
end

return M
