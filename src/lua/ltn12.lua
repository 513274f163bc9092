--- Streams of data in chunks: where they come from, where they go, and what happens on the way.
---
--- All of this is Lua and calls nothing through a C function, so every source, filter, sink and step may wait
--- in its task.
---
--- A chunk is a string. nil is the end of the data, and an empty chunk says that there is nothing yet.

local require = ...

local argument = require "cosock.argument"

local callable, check = argument.callable, argument.check
local unpack = table.unpack or unpack -- luacheck: ignore 113 143

--- Gives the next chunk, or nil at the end, or nil and an error.
---@alias cosock.Source fun(): string?, any

--- Takes a chunk, or nil at the end, which may come with an error. Returns something true, or nil and an error.
---@alias cosock.Sink fun(chunk: string?, err: any): any, any

--- Makes a chunk of a chunk. nil asks it for what it still holds, and it gives nil when there is nothing left; an
--- empty chunk asks for more of what the last chunk became.
---@alias cosock.Filter fun(chunk: string?): string?

--- Moves one chunk from a source to a sink. Returns something true; or nil at the end, or nil and an error.
---@alias cosock.Step fun(source: cosock.Source, sink: cosock.Sink): any, any

---@class cosock.ltn12
local M = {
  _VERSION = "LTN12 1.0.3",
  --- How long the chunks of sources are, in bytes.
  BLOCKSIZE = 2048,
}

local filter, source, sink, pump = {}, {}, {}, {}
M.filter, M.source, M.sink, M.pump = filter, source, sink, pump

-- Filters

--- Makes a filter out of a function that is given what it has to remember and returns it.
---
--- Raises if `low` cannot be called.
---@param low fun(context: any, chunk: string?, extra: any): string?, any
---@param context any  what it is given first
---@param extra any  what it is always given
---@return cosock.Filter
function filter.cycle(low, context, extra)
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
function filter.chain(...)
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

-- Sources

local function no_data()
  return nil
end

--- A source without data.
---@return cosock.Source
function source.empty()
  return no_data
end

--- A source that gives an error only.
---@param err any
---@return cosock.Source
function source.error(err)
  return function()
    return nil, err
  end
end

--- Reads a file and closes it at its end: `source.file(io.open(...))`.
---@param handle file*?
---@param err? string  why there is no file ("unable to open file")
---@return cosock.Source
function source.file(handle, err)
  if not handle then
    return source.error(err or "unable to open file")
  end
  return function()
    local chunk, read_error = handle:read(M.BLOCKSIZE)
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
function source.simplify(src)
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
function source.string(text)
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
    position = from + M.BLOCKSIZE
    return text:sub(from, position - 1)
  end
end

--- Gives the elements of an array, which need not be strings.
---
--- Raises if `array` is no table.
---@param array any[]
---@return cosock.Source
function source.table(array)
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
function source.rewind(src)
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
function source.chain(src, first, ...)
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
function source.cat(...)
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

-- Sinks

--- Appends the chunks to an array.
---
--- Raises if `array` is neither a table nor nil.
---@param array? any[]  a new one if nil
---@return cosock.Sink
---@return any[] array
function sink.table(array)
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
function sink.simplify(snk)
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
function sink.file(handle, err)
  if not handle then
    return sink.error(err or "unable to open file")
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
function sink.null()
  return discard
end

--- A sink that takes nothing, and says why.
---@param err any
---@return cosock.Sink
function sink.error(err)
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
function sink.chain(first, ...)
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

-- Pumps

--- Moves one chunk. The sink learns of the source's end, and of its error.
---@param src cosock.Source
---@param snk cosock.Sink
---@return 1? moved
---@return any error
function pump.step(src, snk)
  local chunk, source_error = src()
  local ok, sink_error = snk(chunk, source_error)
  if chunk and ok then
    return 1
  end
  return nil, source_error or sink_error
end

--- Moves all chunks, to the end or to the first error. A sink that fails without an error only ends it.
---
--- Raises if an argument cannot be called.
---@param src cosock.Source
---@param snk cosock.Sink
---@param step? cosock.Step  (`pump.step`)
---@return 1? done
---@return any error
function pump.all(src, snk, step)
  step = step or pump.step
  callable(src, 1, "all")
  callable(snk, 2, "all")
  callable(step, 3, "all")
  local ok, err
  repeat
    ok, err = step(src, snk)
  until not ok
  if err then
    return nil, err
  end
  return 1
end

return M
