--- Streams of data in chunks: where they come from, where they go, and what happens on the way.
---
--- All of this is Lua and calls nothing through a C function, so every source, filter, sink and step may wait
--- in its task.
---
--- A chunk is a string. nil is the end of the data, and an empty chunk says that there is nothing yet.

local require = ...

local callable = require("cosock.argument").callable

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
local M = require "cosock.ltn12.settings"
M.filter = require "cosock.ltn12.filter"
M.source = require "cosock.ltn12.source"
M.sink = require "cosock.ltn12.sink"

local pump = {}
M.pump = pump

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
