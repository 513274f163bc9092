--- Runs programs as child processes: Lua ones under the interpreter that runs the specs.
--
-- A child's output (both streams) is read line by line. Every wait has a bound: a child that lives
-- longer than `LIFETIME` is killed, and whoever reads from it then sees the end of its output.

local process = {}

local LIFETIME = 60 -- seconds
local LOOKS = 2000 -- how often `sleeps` looks before it gives up
local BETWEEN_LOOKS = "sleep 0.01"

-- `exec` keeps the process id that the shell has printed; `timeout` passes the exit status on.
local COMMAND = [[timeout --foreground -s KILL %d sh -c 'echo "$$"; exec "$@"' sh %s 2>&1 </dev/null; echo "
ended with $?"]]

local running = {}

local Child = {}
Child.__index = Child

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- The interpreter of the specs: the first word of the command line that started it.
local function interpreter()
  local index = 0
  while arg[index - 1] do
    index = index - 1
  end
  return index < 0 and arg[index] or "lua"
end

--- What a child runs before its program: it finds the modules that the specs found, and each line
--- that it prints arrives at once.
local function preamble()
  return ("package.path = %q package.cpath = %q io.stdout:setvbuf 'line'"):format(package.path, package.cpath)
end

--- Starts a program.
---@param ... string|number  its name, and its arguments
---@return table child
function process.command(...)
  local words = { ... }
  for index, word in ipairs(words) do
    words[index] = quote(tostring(word))
  end
  local pipe = assert(io.popen(COMMAND:format(LIFETIME, table.concat(words, " "))))
  local child = setmetatable({ pipe = pipe, output = {} }, Child)
  child.pid = assert(tonumber(pipe:read "*l"), "the child did not start")
  running[child] = true
  return child
end

local function temporary_file(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

--- Starts the Lua program in the file `path` with the arguments that follow.
---@param path string
---@param ... string|number
---@return table child
function process.file(path, ...)
  return process.command(interpreter(), "-e", preamble(), path, ...)
end

--- The same with a setting in its environment.
---@param setting string  "NAME=value"
---@param path string
---@param ... string|number
---@return table child
function process.file_with(setting, path, ...)
  return process.command("env", setting, interpreter(), "-e", preamble(), path, ...)
end

--- The same after running some Lua in the same interpreter.
---@param text string
---@param path string
---@param ... string|number
---@return table child
function process.file_after(text, path, ...)
  return process.command(interpreter(), "-e", preamble(), "-e", text, path, ...)
end

--- The same with a file for its standard input.
---@param input string
---@param path string
---@param ... string|number
---@return table child
function process.file_with_input(input, path, ...)
  return process.command("sh", "-c", 'exec "$@" <"$0"', input, interpreter(), "-e", preamble(), path, ...)
end

--- Starts a program given as text.
---@param text string
---@param ... string|number  its arguments
---@return table child
function process.script(text, ...)
  local path = temporary_file(text)
  local child = process.file(path, ...)
  child.temporary = path
  return child
end

--- Starts a program given as text that finds a setting in its environment.
---@param setting string  "NAME=value"
---@param text string
---@param ... string|number  its arguments
---@return table child
function process.script_with(setting, text, ...)
  local path = temporary_file(text)
  local child = process.file_with(setting, path, ...)
  child.temporary = path
  return child
end

local function script_within(option, limit, text, ...)
  local path = temporary_file(text)
  local child = process.command(
    "sh", "-c", 'ulimit "$0" "$1" && shift && exec "$@"', option, limit, interpreter(), "-e", preamble(), path, ...
  )
  child.temporary = path
  return child
end

--- Starts a program given as text that can have no more than so many descriptors.
---@param descriptors integer
---@param text string
---@param ... string|number  its arguments
---@return table child
function process.script_with_few_descriptors(descriptors, text, ...)
  return script_within("-n", descriptors, text, ...)
end

--- Starts a program given as text that can have no more than so much memory.
---@param kibibytes integer
---@param text string
---@param ... string|number  its arguments
---@return table child
function process.script_with_little_memory(kibibytes, text, ...)
  return script_within("-v", kibibytes, text, ...)
end

--- Kills what is still running; for `after_each`.
function process.stop_all()
  for child in pairs(running) do
    child:stop()
  end
end

--- Reads the next line; nil at the end of the output.
---@return string|nil
function Child:line()
  local line = self.pipe and self.pipe:read "*l"
  local status = line and line:match "^ended with (%d+)$"
  if line and not status then
    self.output[#self.output + 1] = line
    return line
  end
  self.status = tonumber(status) or self.status
  if self.pipe then
    self.pipe:close()
    self.pipe = nil
    running[self] = nil
    if self.temporary then
      os.remove(self.temporary)
    end
  end
  return nil
end

--- Reads lines up to the first that matches `pattern` and returns its captures; raises with all
--- that the child has said if none does.
---@param pattern string
---@return string ...
function Child:expect(pattern)
  for line in self.line, self do
    if line:match(pattern) then
      return line:match(pattern)
    end
  end
  error(("no line of the child matched %q; it said:\n%s"):format(pattern, table.concat(self.output, "\n")), 2)
end

--- Waits for the child's end.
---@return string output  all that it has printed since its start
---@return number status  as the shell sees it: 128 and more for a signal
function Child:finish()
  while self:line() do -- luacheck: ignore 542
  end
  return table.concat(self.output, "\n"), self.status
end

--- Sends a signal, by its name without `SIG`.
---@param name string
function Child:signal(name)
  os.execute(("kill -%s %d 2>/dev/null"):format(name, self.pid))
end

--- Kills the child and waits for its end.
function Child:stop()
  if self.pipe then
    self:signal "KILL"
    self:finish()
  end
end

local function contents(path)
  local file = io.open(path)
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  return text or ""
end

--- Says whether a process waits for events now. `last` is what this function returned as its second
--- value at the look before. Where the system does not tell what a process waits for, one that slept
--- at both looks, and did not wake in between, counts.
local function waits(pid, last)
  local switches = contents(("/proc/%d/status"):format(pid)):match "\nvoluntary_ctxt_switches:%s*(%d+)"
  local place = contents(("/proc/%d/wchan"):format(pid))
  if place ~= "" and place ~= "0" then
    return place:match "poll" or place:match "select", switches
  end
  local asleep = contents(("/proc/%d/stat"):format(pid)):match "%) S "
  return asleep and switches and switches == last, switches
end

--- Returns once the child's main thread sleeps in a wait for events.
function Child:sleeps()
  local asleep, switches
  for _ = 1, LOOKS do
    asleep, switches = waits(self.pid, switches)
    if asleep then
      return
    end
    os.execute(BETWEEN_LOOKS)
  end
  error("the child never waited for events", 2)
end

return process
