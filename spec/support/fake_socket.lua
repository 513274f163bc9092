--- A socket that is none: it gives what it was told to give, and writes down what it is asked to do. With it, two
--- implementations of a protocol's client can be compared call by call, without a server.
---
---     local fake = FakeSocket.new { input = "220 hello\r\n" }
---     local control = tp.connect("host", 25, nil, fake.create)
---     fake.log   -- { 'connect "host" 25', ... }

local FakeSocket = {}

--- What a fake socket is told.
---@class FakeSocketOptions
---@field input? string  what it receives, before it is closed
---@field log? string[]  where it writes down its calls (a new one)
---@field name? string  written in front of each call
---@field receive_error? string  in place of "closed"
---@field connect_error? string
---@field send_error? string
---@field send_limit? integer  how many calls of `send` succeed if there is a `send_error` (0)
---@field address? string  of its peer ("192.0.2.1")
---@field descriptor? integer  what `getfd` returns: something that `select` takes

local escapes = { ["\r"] = "\\r", ["\n"] = "\\n" }

local function written(value)
  if type(value) ~= "string" then
    return tostring(value)
  end
  return '"' .. value:gsub("%c", function(byte)
    return escapes[byte] or ("\\%03d"):format(byte:byte())
  end) .. '"'
end

--- Makes a fake socket. Timeouts and what is received are not written down.
---@param options FakeSocketOptions
---@return table fake
function FakeSocket.new(options)
  local fake = { log = options.log or {}, input = options.input or "", is_open = true, sent = 0 }
  local sends = 0

  local function note(...)
    local words = { (...) }
    for index = 2, select("#", ...) do
      words[index] = written((select(index, ...)))
    end
    if options.name then
      table.insert(words, 1, options.name)
    end
    fake.log[#fake.log + 1] = table.concat(words, " ")
  end

  function fake.create()
    note "create"
    return fake
  end

  function fake:settimeout(seconds)
    self.timeout = seconds
    return 1
  end

  function fake:connect(host, port) -- luacheck: ignore 212
    -- A port may be given as text, or as 21.0.
    note("connect", host, math.floor(tonumber(port)))
    if options.connect_error then
      return nil, options.connect_error
    end
    return 1
  end

  function fake:send(data)
    note("send", data)
    sends = sends + 1
    if options.send_error and sends > (options.send_limit or 0) then
      return nil, options.send_error, 0
    end
    self.sent = self.sent + #data
    return #data
  end

  -- Takes what is left.
  local function rest(self)
    local left = self.input
    self.input = ""
    return nil, options.receive_error or "closed", left
  end

  function fake:receive(pattern)
    if type(pattern) == "number" then
      if #self.input < pattern then
        return rest(self)
      end
      local data = self.input:sub(1, pattern)
      self.input = self.input:sub(pattern + 1)
      return data
    end
    local line, after = self.input:match "^([^\n]*)\n(.*)$"
    if not line then
      return rest(self)
    end
    self.input = after
    return (line:gsub("\r", ""))
  end

  function fake:close()
    -- Some close what is closed.
    if self.is_open then
      note "close"
      self.is_open = false
    end
    return 1
  end

  function fake:getfd() -- luacheck: ignore 212
    return options.descriptor or -1
  end

  function fake:dirty() -- luacheck: ignore 212
    return false
  end

  function fake:getstats()
    return 0, self.sent, 0
  end

  function fake:getpeername() -- luacheck: ignore 212
    return options.address or "192.0.2.1", 21, "inet"
  end

  function fake:getsockname() -- luacheck: ignore 212
    return "192.0.2.2", 40000, "inet"
  end

  return fake
end

return FakeSocket
