--- Filters, sources and sinks for the specs of LTN12.

local peers = require "spec.support.peers"

local M = {}

--- A filter of upper case.
function M.upper(chunk)
  return chunk and chunk:upper()
end

--- A filter that gives every byte twice, one input byte a call, and holds back the rest.
function M.doubling()
  local held = ""
  return function(chunk)
    held = held .. (chunk or "")
    local byte = held:sub(1, 1)
    held = held:sub(2)
    if byte == "" then
      return chunk and ""
    end
    return byte .. byte
  end
end

--- A filter that gives what it got when it gets nil, in pieces of three bytes.
function M.collecting()
  local held = ""
  return function(chunk)
    if chunk then
      held = held .. chunk
      return ""
    end
    local piece = held:sub(1, 3)
    held = held:sub(4)
    return piece ~= "" and piece or nil
  end
end

--- What a source gives until it gives nil, and what came with that nil.
---@return any[] chunks
---@return any error
function M.drain(source)
  local chunks = {}
  while true do
    local chunk, err = source()
    if not chunk then
      return chunks, err
    end
    chunks[#chunks + 1] = chunk
  end
end

--- A sink that writes down its arguments, packed as `peers.pack` does.
---@return function sink
---@return table[] calls
function M.recording()
  local calls = {}
  return function(...)
    calls[#calls + 1] = peers.pack(...)
    return 1
  end, calls
end

--- A file that holds `text`; the spec removes it.
---@return string path
function M.temporary(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

return M
