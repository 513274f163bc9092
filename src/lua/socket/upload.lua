--- Sending what a source gives to a server that may stop listening and say why.

local require = ...

local ltn12 = require "cosock.ltn12"

local M = {}

--- The code and the text of a reply, whatever they are.
---@param code integer
---@param reply string
---@return integer code
---@return string reply
function M.any_reply(code, reply)
  return code, reply
end

--- Moves all chunks from a source to a connection.
---@param control cosock.Control  on which the server replies
---@param connection cosock.Sink  sends to the server
---@param source cosock.Source
---@param step? cosock.Step
---@return integer? count  the bytes sent
---@return any error  if the server closed the connection and gave a reason in a reply, that
function M.send(control, connection, source, step)
  local count, send_error = 0, nil
  local done, err = ltn12.pump.all(source, function(chunk, source_error)
    local ok
    ok, send_error = connection(chunk, source_error)
    if ok and chunk then
      count = count + #chunk
    end
    return ok, send_error
  end, step)
  if done then
    return count
  elseif send_error == "closed" then
    local code, reply = control:check(M.any_reply)
    if code and code >= 400 then
      err = reply
    end
  end
  return nil, err
end

return M
