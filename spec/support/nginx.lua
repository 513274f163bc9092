--- A web server of the real world, with a folder of its own under the system's temporary files: whatever nginx the
--- system runs is not touched. Uses the installed program, or the one that `script/setup` has unpacked.

local socket = require "cosock.socket"

local M = {}

local PROGRAMS = { "nginx", "/usr/sbin/nginx", "build/servers/usr/sbin/nginx" }
local ATTEMPTS = 20

local CONFIGURATION = [[
daemon off;
master_process off;
pid FOLDER/pid;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path FOLDER/body;
  proxy_temp_path FOLDER/temporary;
  fastcgi_temp_path FOLDER/temporary;
  uwsgi_temp_path FOLDER/temporary;
  scgi_temp_path FOLDER/temporary;
  server {
    listen 127.0.0.1:PORT backlog=256;
    TLS
    root FOLDER/files;
    keepalive_requests 1000000;
    location /store/ { dav_methods PUT DELETE; client_max_body_size 1m; }
    location /private/ { auth_basic "private"; auth_basic_user_file FOLDER/users; }
    location /moved/ { return 301 /small.txt; }
    location /away/ { return 302 http://localhost:PORT/small.txt; }
    location /loop/ { return 302 /loop/; }
    location /brief/ { alias FOLDER/files/; keepalive_requests 3; }
    location /single/ { alias FOLDER/files/; keepalive_timeout 0; }
    location /chunked/ { alias FOLDER/files/; sub_filter_types *; sub_filter NOWHERE nothing; }
  }
}
]]

-- What makes the same server speak TLS, on a port of its own.
local TLS = [[
listen 127.0.0.1:SECURE ssl backlog=256;
    ssl_certificate CERTIFICATES/server.pem;
    ssl_certificate_key CERTIFICATES/server.key;
    ssl_session_tickets on;
]]

local Nginx = {}
Nginx.__index = Nginx

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function run(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read "*a"
  pipe:close()
  return (output:gsub("%s+$", ""))
end

local function program()
  for _, name in ipairs(PROGRAMS) do
    local found = run("command -v " .. name)
    if found ~= "" then
      return found
    end
  end
  error("nginx is not here; script/setup gets it", 0)
end

--- A port that nobody uses at this moment.
local function free_port()
  local server = assert(socket.bind("127.0.0.1", 0))
  local _, port = server:getsockname()
  server:close()
  return port
end

--- Whether the server listens, waiting until it does. It may have ended, as its port was taken meanwhile: that somebody
--- answers there would prove nothing, so the server's own word counts, the file that it writes then.
local function listens(nginx)
  while run(("kill -0 %d 2>/dev/null && echo alive"):format(nginx.pid)) == "alive" do
    if tonumber(nginx:read "../pid") then
      return true
    end
    os.execute "sleep 0.01"
  end
end

--- Starts the server. Its files are `small.txt`, of one line, and those that are written to `folder .. "/files"`.
---@param certificates string?  a folder of certificates, for a server that speaks TLS, too
---@return table nginx  with `port`, `folder`; with `secure_port`, if it speaks TLS
function M.start(certificates)
  local nginx = setmetatable({ folder = run "mktemp -d" }, Nginx)
  run(("mkdir %s/files %s/files/store %s/files/private"):gsub("%%s", nginx.folder))
  write(nginx.folder .. "/files/small.txt", "a small file\n")
  write(nginx.folder .. "/files/private/secret.txt", "a secret\n")
  write(nginx.folder .. "/users", "ann:{PLAIN}open sesame\n")
  for _ = 1, ATTEMPTS do
    nginx.port = free_port()
    local tls = ""
    if certificates then
      nginx.secure_port = free_port()
      tls = TLS:gsub("SECURE", nginx.secure_port):gsub("CERTIFICATES", run("realpath " .. certificates))
    end
    write(nginx.folder .. "/nginx.conf",
      (CONFIGURATION:gsub("TLS\n", tls .. "\n"):gsub("FOLDER", nginx.folder):gsub("PORT", nginx.port)))
    -- `timeout` ends it if the specs never do.
    nginx.pid = tonumber(run(
      ("timeout --foreground 120 %s -p %s -c %s/nginx.conf -e %s/errors >/dev/null 2>&1 & echo $!"):format(
        program(), nginx.folder, nginx.folder, nginx.folder)))
    if listens(nginx) then
      return nginx
    end
  end
  error("nginx did not start: " .. run("cat " .. nginx.folder .. "/errors"), 0)
end

--- The URL of a path.
---@param path string
---@return string
function Nginx:url(path)
  return ("http://127.0.0.1:%d/%s"):format(self.port, path)
end

--- The URL of a path, over TLS.
---@param path string
---@return string
function Nginx:secure_url(path)
  return ("https://localhost:%d/%s"):format(self.secure_port, path)
end

--- Makes a file.
---@param name string
---@param text string
function Nginx:write(name, text)
  write(self.folder .. "/files/" .. name, text)
end

--- What is in a file.
---@param name string
---@return string?
function Nginx:read(name)
  local file = io.open(self.folder .. "/files/" .. name, "rb")
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  return text
end

--- Ends the server and removes its files.
function Nginx:stop()
  os.execute(("kill %d 2>/dev/null; rm -rf %s"):format(self.pid, self.folder))
end

return M
