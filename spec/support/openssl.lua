--- The `openssl` command as the peer of a connection. What is written to it, it sends, but for single letters that
--- are commands: "R" (for clients) and "r" (for servers) renegotiate, "K" and "k" change keys, "Q" quits. A letter
--- counts only if openssl reads it alone, so what was written before must have been acted upon; with the option
--- `-msg`, it says so.

local tls = require "spec.support.tls"

local M = {}

local Program = {}
Program.__index = Program

local running = {}

-- Starts a command whose standard input can be written to. It ends with the file that it reads, and after a
-- minute at the latest.
local function start(command)
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkfifo " .. path))
  local output = assert(io.popen(("timeout -s KILL 60 %s 2>&1 <%s"):format(command, path)))
  local input = assert(io.open(path, "w"))
  os.remove(path)
  input:setvbuf "no"
  local program = setmetatable({ input = input, output = output }, Program)
  running[program] = true
  return program
end

--- Reads lines up to the first that matches, and returns its captures.
---@param pattern string
function Program:expect(pattern)
  local said = {}
  for line in self.output:lines() do
    said[#said + 1] = line
    if line:match(pattern) then
      return line:match(pattern)
    end
  end
  error(("no line matched %q; it said:\n%s"):format(pattern, table.concat(said, "\n")), 2)
end

--- Has the peer send a line, or obey a command.
---@param line string
function Program:write(line)
  self.input:write(line .. "\n") -- at once, as openssl takes what it reads at once for a line
end

--- Ends the peer, and waits until it has ended.
---@return string output  what it has said since it was last read from
function Program:stop()
  self.input:close()
  local output = self.output:read "*a"
  self.output:close()
  running[self] = nil
  return output
end

--- Ends what still runs; for `after_each`.
function M.stop_all()
  for program in pairs(running) do
    program:stop()
  end
end

--- Starts a server on a port that the system chooses, and with the certificate of `tls.server()`.
---@param options string  of `openssl s_server`
---@return table program
---@return integer port
function M.server(options)
  local program = start(("openssl s_server -accept 127.0.0.1:0 -key %s -cert %s -cert_chain %s %s"):format(
    tls.file "server.key", tls.file "server.pem", tls.file "intermediate.pem", options))
  return program, tonumber(program:expect "^ACCEPT .*:(%d+)$")
end

--- Starts a client.
---@param port integer
---@param options string  of `openssl s_client`, and what is to become of its output
---@return table program
function M.client(port, options)
  return start(("openssl s_client -connect 127.0.0.1:%d -CAfile %s %s"):format(port, tls.file "root.pem", options))
end

return M
