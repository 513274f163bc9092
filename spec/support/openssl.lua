--- The `openssl` command as the peer of a connection. What is written to it, it sends, but for single letters that
--- are commands: "R" (for clients) and "r" (for servers) renegotiate, "K" and "k" change keys, "Q" quits. A letter
--- counts only if openssl reads it alone, so what was written before must have been acted upon; with the option
--- `-msg`, it says so.

local socket = require "cosock.socket"
local tls = require "spec.support.tls"

local M = {}

local LIFETIME = 60 -- seconds

local Program = {}
Program.__index = Program

local running = {}

-- Starts a command whose standard input can be written to. `filter` is what its output goes through; with one, the
-- command cannot be stopped, but ends with its connection.
local function start(command, filter)
  local fifo, said = os.tmpname(), os.tmpname()
  os.remove(fifo)
  assert(os.execute("mkfifo " .. fifo))
  -- The files are opened in this order, so that the output is there once the input is.
  local words = ("echo $$; exec >%s 2>&1; %s timeout --foreground --kill-after=5 %d %s <%s %s"):format(
    said, filter and "" or "exec", LIFETIME, command, fifo, filter and "| " .. filter or "")
  local process = assert(io.popen("sh -c " .. tls.quote(words)))
  local pid = assert(process:read "*l", "the command did not start")
  local input = assert(io.open(fifo, "w"))
  os.remove(fifo)
  input:setvbuf "no"
  local output = assert(io.open(said, "r"))
  os.remove(said)
  local program = setmetatable({ input = input, output = output, process = process, pid = pid, rest = "" }, Program)
  running[program] = true
  return program
end

-- Lets the other tasks run for a moment, if there are any.
local function pause()
  if not pcall(socket.sleep, 0.005) then
    os.execute "sleep 0.005"
  end
end

-- The next whole line, or nil if there is none yet.
function Program:line()
  self.output:seek("cur", 0) -- forgets that it was at the end
  self.rest = self.rest .. (self.output:read "*a" or "")
  local line, rest = self.rest:match "^(.-)\n(.*)$"
  if line then
    self.rest = rest
  end
  return line
end

--- Reads lines up to the first that matches, and returns its captures. Other tasks run meanwhile.
---@param pattern string
---@return string ...
function Program:expect(pattern)
  local said, deadline = {}, socket.gettime() + LIFETIME
  repeat
    local line = self:line()
    if not line then
      pause()
    elseif line:match(pattern) then
      return line:match(pattern)
    else
      said[#said + 1] = line
    end
  until socket.gettime() > deadline
  error(("no line matched %q; it said:\n%s"):format(pattern, table.concat(said, "\n")), 2)
end

--- Has the peer send a line, or obey a command.
---@param line string
function Program:write(line)
  self.input:write(line .. "\n") -- at once, as openssl takes what it reads at once for a line
end

--- Waits for the peer's end, as after its only connection.
function Program:finish()
  running[self] = nil
  self.process:read "*a"
  self.process:close()
  self.input:close()
  self.output:close()
end

--- Ends the peer.
function Program:stop()
  os.execute("kill " .. self.pid .. " 2>/dev/null")
  self:finish()
end

--- Ends what still runs; for `after_each`.
function M.stop_all()
  for program in pairs(running) do
    program:stop()
  end
end

--- Starts a server for one connection, on a port that the system chooses and with the certificate of
--- `tls.server()`.
---@param options string  of `openssl s_server`
---@param filter string?  a command that its output goes through
---@return table program
---@return integer port
function M.server(options, filter)
  local program = start(("openssl s_server -accept 127.0.0.1:0 -naccept 1 -key %s -cert %s -cert_chain %s %s"):format(
    tls.file "server.key", tls.file "server.pem", tls.file "intermediate.pem", options), filter)
  return program, tonumber(program:expect "^ACCEPT .*:(%d+)$")
end

--- Starts a client.
---@param port integer
---@param options string  of `openssl s_client`
---@param filter string?  a command that its output goes through
---@return table program
function M.client(port, options, filter)
  return start(("openssl s_client -connect 127.0.0.1:%d -CAfile %s %s"):format(
    port, tls.file "root.pem", options), filter)
end

return M
