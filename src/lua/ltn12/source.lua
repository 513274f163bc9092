--- Sources: where chunks come from.

local require = ...

local argument = require "cosock.argument"
local filter = require "cosock.ltn12.filter"
local settings = require "cosock.ltn12.settings"

local callable, check = argument.callable, argument.check

local M = {}

local function no_data()
  return nil
end

--- A source without data.
---@return cosock.Source
function M.empty()
  return no_data
end

--- A source that gives an error only.
---@param err any
---@return cosock.Source
function M.error(err)
  return function()
    return nil, err
  end
end

--- Reads a file and closes it at its end: `source.file(io.open(...))`.
---@param handle file*?
---@param err? string  why there is no file ("unable to open file")
---@return cosock.Source
function M.file(handle, err)
  if not handle then
    return M.error(err or "unable to open file")
  end
  return function()
    local chunk, read_error = handle:read(settings.BLOCKSIZE)
    if not chunk then
      handle:close()
      if read_error then
        return nil, read_error
      end
    end
    return chunk
  end
end

--- Follows a source that, together with a chunk, may return the source that is to be asked next.
---
--- Raises if `src` cannot be called.
---@param src fun(): string?, any
---@return cosock.Source
function M.simplify(src)
  callable(src, 1, "simplify")
  return function()
    local chunk, err_or_next = src()
    if not chunk then
      return nil, err_or_next
    end
    src = err_or_next or src
    return chunk
  end
end

--- Gives a string in pieces.
---
--- Raises if `text` is no string.
---@param text string?
---@return cosock.Source
function M.string(text)
  if not text then
    return no_data
  end
  text = argument.string(text, 1, "string")
  local position = 1
  return function()
    if position > #text then
      return nil
    end
    local from = position
    position = from + settings.BLOCKSIZE
    return text:sub(from, position - 1)
  end
end

--- Gives the elements of an array, which need not be strings.
---
--- Raises if `array` is no table.
---@param array any[]
---@return cosock.Source
function M.table(array)
  check(array, "table", 1, "table")
  local index = 0
  return function()
    index = index + 1
    return array[index]
  end
end

--- Allows to give chunks back to a source: call it with a chunk, and that is the next one it gives.
---
--- Raises if `src` cannot be called.
---@param src cosock.Source
---@return fun(chunk: string?): string?, any
function M.rewind(src)
  callable(src, 1, "rewind")
  local returned = {}
  return function(chunk)
    if chunk then
      returned[#returned + 1] = chunk
      return
    end
    local last = table.remove(returned)
    if last then
      return last
    end
    return src()
  end
end

--- Makes a source of a source and the filters that its data is to go through.
---
--- The source raises "source is empty!" when it is called once more after its end, and what filters must not do:
--- "filter returned inappropriate nil", 'filter returned ""'. Raises if an argument cannot be called.
---@param src cosock.Source
---@param first cosock.Filter
---@param ... cosock.Filter
---@return cosock.Source
function M.chain(src, first, ...)
  callable(src, 1, "chain")
  callable(first, 2, "chain")
  if ... then
    first = filter.chain(first, ...)
  end
  local input
  local is_hungry, is_finished = true, false
  return function()
    if is_finished then
      error("source is empty!", 2)
    end
    while true do
      local is_new = is_hungry
      if is_new then
        local err
        input, err = src()
        if err then
          return nil, err
        end
      end
      local chunk = first(input)
      if chunk == "" then
        if not input and not is_new then
          error('filter returned ""', 2)
        end
        -- One that gives nothing at the end is asked once more.
        is_hungry = input and true or false
      elseif chunk then
        is_hungry, input = false, input and ""
        return chunk
      elseif input then
        error("filter returned inappropriate nil", 2)
      else
        is_finished = true
        return nil
      end
    end
  end
end

--- Gives what several sources give, one after the other. Stays at one that gives an error.
---
--- Raises if an argument cannot be called.
---@param ... cosock.Source
---@return cosock.Source
function M.cat(...)
  local sources = { ... }
  for position, src in ipairs(sources) do
    callable(src, position, "cat")
  end
  local index = 1
  return function()
    local src = sources[index]
    while src do
      local chunk, err = src()
      if chunk then
        return chunk
      elseif err then
        return nil, err
      end
      index = index + 1
      src = sources[index]
    end
  end
end

return M
