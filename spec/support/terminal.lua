--- Pairs of pseudo-terminals: what is written to one can be read from the other, byte for byte, as with two serial
--- ports and a cable between them.

local M = {}

local LIFETIME = 60 -- seconds after which a pair ends by itself

-- `exec` keeps the process id that the shell has printed; socat writes its log to where it is read from here.
local COMMAND =
  "timeout --foreground -s KILL %d sh -c 'echo $$; exec socat -d -d pty,raw,echo=0 pty,raw,echo=0' 2>&1 </dev/null"

local Pair = {}
Pair.__index = Pair

local running = {}

--- Makes a pair.
---@return table pair  `pair[1]` and `pair[2]` are the paths of the two ends
function M.pair()
  local pipe = assert(io.popen(COMMAND:format(LIFETIME)))
  local pair = setmetatable({ pipe = pipe, pid = assert(tonumber(pipe:read "*l"), "socat did not start") }, Pair)
  running[pair] = true
  for line in pipe:lines() do
    pair[#pair + 1] = line:match "PTY is (%S+)"
    if line:match "starting data transfer loop" then
      return pair
    end
  end
  error "socat made no pseudo-terminals"
end

--- Pulls the cable out: both ends hang up. Returns when they have.
function Pair:unplug()
  if running[self] then
    running[self] = nil
    os.execute(("kill -KILL %d 2>/dev/null"):format(self.pid))
    self.pipe:close() -- waits for its end
  end
end

--- Ends all pairs; for `after_each`.
function M.unplug_all()
  for pair in pairs(running) do
    pair:unplug()
  end
end

return M
