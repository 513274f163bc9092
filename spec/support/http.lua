--- Servers for the specs of HTTP.

local process = require "spec.support.process"
local socket = require "cosock.socket"
local url = require "cosock.socket.url"

local M = {}

local Server = {}
Server.__index = Server

--- The URL of a path whose words are escaped: `server:url("raw", "HTTP/1.1 200 OK\r\n\r\n")`.
---@param ... string|number
---@return string
function Server:url(...)
  local words = { ... }
  for index, word in ipairs(words) do
    words[index] = url.escape(tostring(word))
  end
  return ("http://127.0.0.1:%d/%s"):format(self.port, table.concat(words, "/"))
end

--- Asks the server by a plain socket, so that the specs do not rest on what they test.
local function ask(server, path)
  local client = assert(socket.connect("127.0.0.1", server.port))
  assert(client:send("GET /" .. path .. " HTTP/1.1\r\n\r\n"))
  local length
  local line = client:receive()
  while line and line ~= "" do
    length = line:match "^Content%-Length: (%d+)" or length
    line = client:receive()
  end
  local body = length == "0" and "" or assert(client:receive(tonumber(length)))
  client:close()
  return body
end

--- How many connections the server has had, but for those of this function.
---@return integer
function Server:connections()
  local count = tonumber(ask(self, "connections"))
  self.asked = self.asked + 1
  return count - self.asked
end

--- The requests since this was last asked: each as text, its lines and its body.
---@return string[]
function Server:log()
  local text = ask(self, "log")
  self.asked = self.asked + 1
  local requests = {}
  for request in (text .. "\n---\n"):gmatch "(.-)\n%-%-%-\n" do
    requests[#requests + 1] = request ~= "" and request or nil
  end
  return requests
end

--- Waits until the server has got a request since `log` was last called. To be called in a task.
function Server:await_request()
  repeat
    socket.sleep(0.001)
  until #self:log() > 0
end

--- Ends the program.
function Server:stop()
  self.child:stop()
end

local function start(file)
  local child = process.file(file)
  return setmetatable({ child = child, port = tonumber(child:expect "^port (%d+)$"), asked = 0 }, Server)
end

--- Starts the server of `http_server.lua`, which says what paths it knows.
---@return table server
function M.server()
  return start "spec/support/http_server.lua"
end

--- The URL of a path over TLS, with words as for `url`.
---@param name string  the certificate that the server is to have, one of those that it was started with
---@param ... string|number
---@return string
function Server:secure_url(name, ...)
  return (self:url(...):gsub("^http://127%.0%.0%.1:%d+", "https://localhost:" .. self.ports[name]))
end

--- Starts the same server for HTTPS, too.
---@param folder string  with certificates
---@param ... string  the certificates: for each there is a port, in the field `ports`. With a question mark behind its
---  name, the server asks for the client's.
---@return table server
function M.secure_server(folder, ...)
  local child = process.file("spec/support/http_server.lua", folder, ...)
  local ports = {}
  for _, name in ipairs { ... } do
    local found, port = child:expect "^(%S+) (%d+)$"
    assert(found == name:gsub("%?", ""))
    ports[found] = tonumber(port)
  end
  return setmetatable({ child = child, ports = ports, port = tonumber(child:expect "^port (%d+)$"), asked = 0 }, Server)
end

--- Starts the proxies of `connect_proxy.lua`, which says what they do.
---@return table proxies  by name: their URLs
function M.tunnels()
  local child = process.file "spec/support/connect_proxy.lua"
  local proxies = setmetatable({ child = child }, Server)
  while not proxies.log_port do
    local name, port = child:expect "^(%S+) (%d+)$"
    if name == "log" then
      proxies.log_port = tonumber(port)
    else
      proxies[name] = "http://127.0.0.1:" .. port
    end
  end
  --- What they were asked since this was last called, in one text.
  function proxies.asked()
    local client = assert(socket.connect("127.0.0.1", proxies.log_port))
    local text = client:receive "*a"
    client:close()
    return text or ""
  end
  return proxies
end

--- Starts a proxy.
---@return table server
function M.proxy()
  return start "spec/support/http_proxy.lua"
end

--- A reply with a content-length.
---@param body string
---@param ... string  further header lines
---@return string
function M.reply(body, ...)
  return table.concat({ "HTTP/1.1 200 OK", "Content-Length: " .. #body, ... }, "\r\n") .. "\r\n\r\n" .. body
end

--- The value of a header in a request or reply given as text.
---@param text string
---@param name string  as it is sent
---@return string?
function M.header(text, name)
  return ("\n" .. text):match("\n" .. name:gsub("%-", "%%-") .. ": ?([^\r\n]*)")
end

return M
