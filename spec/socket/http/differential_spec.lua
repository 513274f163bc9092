-- The same requests made with LuaSocket's socket.http and with ours, where that is installed: the same must be sent,
-- and the same must come of it.
--
-- What we do otherwise on purpose is left out: how much comes before an error, and what docs/differences.md says.

local http = require "cosock.socket.http"
local nginxes = require "spec.support.nginx"
local oracle = require "spec.support.oracle"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local servers = require "spec.support.http"
local socket = require "cosock.socket"

local pcall = require("cosock.coroutine").pcall -- functions may wait in it, on Lua 5.1 too

local found, theirs = pcall(require, "socket.http")
if not found then
  return
end

local unpack = table.unpack or unpack -- luacheck: ignore 143
local pack, show = peers.pack, oracle.show

--- A socket that answers with `bytes` and writes down what it is sent.
local function scripted(bytes, sent)
  local position = 1
  local function take(count)
    local piece = bytes:sub(position, position + count - 1)
    position = position + #piece
    return piece
  end
  return {
    settimeout = function() return 1 end,
    connect = function(_, host, port)
      sent[#sent + 1] = ("to %s %s\n"):format(host, tostring(port))
      return 1
    end,
    send = function(_, data)
      sent[#sent + 1] = data
      return #data
    end,
    close = function() return 1 end,
    receive = function(_, pattern, prefix)
      prefix = prefix or ""
      if type(pattern) == "number" then
        local piece = prefix .. take(pattern - #prefix)
        if #piece < pattern then
          return nil, "closed", piece
        end
        return piece
      end
      local ending = bytes:find("\n", position, true)
      local line = prefix .. take((ending or #bytes) - position + 1):gsub("[\r\n]", "")
      if not ending then
        return nil, "closed", line
      end
      return line
    end,
  }
end

--- The headers of a request in an order of our own, and without what tells the two apart.
local function comparable(text)
  local connection, line, headers, body = text:match "^(to %S+ %S+\n)([^\n]*)\n(.-\r\n)\r\n(.*)$"
  if not connection then
    return text
  end
  local lines = {}
  for header in headers:gmatch "[^\r\n]+" do
    lines[#lines + 1] = header:gsub("LuaSocket [%d.]+", "LuaSocket")
  end
  table.sort(lines)
  return connection .. line .. "\n" .. table.concat(lines, "\n") .. "\n\n" .. body
end

--- What came of a request, in words. `calls` are those of the sink.
local function outcome(results, calls)
  if not results[1] then
    return "raises"
  elseif not results[2] then
    -- The text that LuaSocket 3.1.0 has misspelt.
    return "fails: " .. tostring(results[3]):gsub("reponse", "response")
  end
  local parts = {}
  for index = 2, results.n do
    parts[index - 1] = show(results[index])
  end
  return table.concat(parts, ", ") .. " -> " .. table.concat(calls)
end

local function copy(given)
  local request = {}
  for name, value in pairs(given) do
    request[name] = value
  end
  return request
end

--- Makes a request of `module` on a scripted socket: what was sent, and what came of it.
local function scripted_request(module, given, bytes)
  local sent, calls = {}, {}
  local request = copy(given)
  if request.body then
    local rest = { request.body, nil }
    request.body = nil
    request.source = function()
      return table.remove(rest, 1)
    end
  end
  request.sink = function(data, err)
    calls[#calls + 1] = data or ("<end %s>"):format(tostring(err))
    return 1
  end
  request.create = function()
    return scripted(bytes, sent)
  end
  local results = pack(pcall(module.request, request))
  return comparable(table.concat(sent)), outcome(results, calls)
end

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

describe("as LuaSocket's socket.http", function()
  local function same(given, bytes)
    local their_words, their_outcome = scripted_request(theirs, given, bytes)
    local our_words, our_outcome = scripted_request(http, given, bytes)
    local title = show(given) .. " answered by " .. show(bytes)
    assert.equal(their_words, our_words, title)
    assert.equal(their_outcome, our_outcome, title)
  end

  it("requests are sent", function()
    for _, given in ipairs {
      { url = "http://host" },
      { url = "http://host/" },
      { url = "http://host/a/b;c=d?e=f#g" },
      { url = "http://host:80/a" },
      { url = "http://host:81/a" },
      { url = "http://host:/a" },
      { url = "http://host/a", port = 82 },
      { url = "http://host/a", host = "other", path = "/b", query = "c", params = "d", fragment = "e" },
      { scheme = "http", host = "host", path = "/a" },
      { scheme = "http", host = "host", path = "a b" },
      { url = "http://host/a", method = "get" },
      { url = "http://host/a", method = "OPTIONS", uri = "*" },
      { url = "http://ann:x@host/a" },
      { url = "http://ann:a%20b@host/a" },
      { url = "http://a%20nn:b:c@host/a" },
      { url = "http://ann@host/a" },
      { url = "http://ann:@host/a" },
      { url = "http://host/a", user = "ann", password = "a%20b" },
      { url = "http://ann:x@host/a", headers = { Authorization = "own" } },
      { url = "http://host/a", headers = { HOST = "own", te = "", ["X-Own"] = 5, etag = "e", ["content-md5"] = "m" } },
      { url = "http://host/a", headers = { connection = "keep-alive", ["user-agent"] = "own" } },
      { url = "http://host/a?b#c", proxy = "http://proxy" },
      { url = "http://ann:x@host:81/a?b", proxy = "http://bob:y@proxy:99/" },
      { url = "http://host", path = "/a", proxy = "http://bob@proxy" },
      { url = "http://host/a", body = "abc" },
      { url = "http://host/a", method = "PUT", body = "abc" },
      { url = "http://host/a", method = "PUT", body = "abc", headers = { ["Content-Length"] = 3 } },
      { url = "http://host/a", method = "PUT", body = "abc", headers = { ["transfer-encoding"] = "identity" } },
      { url = "http:///a" },
      { url = "/a" },
      { url = "host" },
      { url = "HTTP://host/" },
      { url = "ftp://host/" },
      { url = "" },
      {},
      { host = "host", path = "/a" },
      { scheme = "http", host = "host" },
      { scheme = "http", host = "", path = "/a" },
    } do
      same(given, OK)
    end
  end)

  it("replies are understood", function()
    local line = "HTTP/1.1 200 OK\r\n"
    for _, bytes in ipairs {
      OK,
      line .. "\r\nall of it",
      line .. "\r\n",
      line .. "Content-Length: 0\r\n\r\nx",
      line .. "Content-Length: -1\r\n\r\nx",
      line .. "Content-Length: x\r\n\r\nabc",
      line .. "Content-Length:2\r\n\r\nabc",
      line .. "Content-Length: 2 \r\n\r\nabc",
      line .. "A: 1\r\n\tb\r\n c\r\nA: 2\r\nB:\r\n\r\n",
      line .. " a: 1\r\n: 2\r\nb c : 3\r\nd\t:4\r\n\r\n",
      line .. "a: b: c\r\nA:\td \r\n\r\n",
      line .. "nonsense\r\n\r\n",
      line .. "a: b\r\nnonsense\r\n\r\n",
      line .. "a: b\n\nx",
      line .. "a: b\r\n",
      line .. "a: b",
      line,
      "HTTP/1.1 200",
      "HTTP/1.1 200\r\n\r\nx",
      "HTTP/1.1 2000 X\r\n\r\nx",
      "HTTP/1.1 20 X\r\n\r\nx",
      "HTTP/1.1  200 X\r\n\r\nx",
      "HTTP/11.22 200 X\r\n\r\nx",
      "HTTP/. 200 X\r\n\r\nx",
      "HTTP/2 200 X\r\n\r\nx",
      "HTTP/\r\n\r\nx",
      "http/1.1 200 OK\r\n\r\nx",
      "HTTPS",
      "HTTP",
      "hello world",
      "hello",
      "",
      line .. "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nB\r\n0123456789a\r\n0\r\n\r\n",
      line .. "Transfer-Encoding: chunked\r\n\r\n003 ;x\r\nabc\r\n0\r\nA: b\r\nC: d\r\n\r\n",
      line .. "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      line .. "Transfer-Encoding: gzip\r\n\r\n1\r\na\r\n0\r\n\r\n",
      line .. "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nabc",
      line .. "Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX\r\n0\r\n\r\n",
      line .. "Transfer-Encoding: chunked\r\n\r\nxx\r\nabc\r\n0\r\n\r\n",
      line .. "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
      line .. "Transfer-Encoding: chunked\r\n\r\n3\r\nab",
      line .. "Transfer-Encoding: chunked\r\n\r\n3",
      line .. "Transfer-Encoding: chunked\r\n\r\n0\r\nnonsense\r\n\r\n",
      "HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" .. OK,
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 100 Again\r\n\r\n" .. OK,
      "HTTP/1.1 101 Switching\r\nA: b\r\n\r\nx",
      "HTTP/1.1 102 Processing\r\n\r\n" .. OK,
      "HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\nab",
      "HTTP/1.1 304 Same\r\nContent-Length: 2\r\n\r\nab",
      "HTTP/1.1 404 None\r\nContent-Length: 2\r\n\r\nab",
      "HTTP/1.1 300 Many\r\nLocation: /b\r\nContent-Length: 2\r\n\r\nab",
      "HTTP/1.1 302 Nowhere\r\nLocation:  \r\nContent-Length: 2\r\n\r\nab",
      "HTTP/1.1 302 Nowhere\r\nLocation: ftp://x/\r\nContent-Length: 2\r\n\r\nab",
    } do
      for _, method in ipairs { "GET", "HEAD", "POST" } do
        same({ url = "http://host/", method = method }, bytes)
      end
    end
  end)

  it("replies are understood that are made up", function()
    local seed = os.time()
    math.randomseed(seed)
    local function any(list)
      return list[math.random(#list)]
    end
    for _ = 1, 3000 do
      local lines = {
        any { "HTTP/1.1 200 OK", "HTTP/1.0 404 No", "HTTP/1.1 204 X", "HTTP/1.1 500", "HTTP/1.1 20", "x" },
      }
      for _ = 1, math.random(0, 4) do
        lines[#lines + 1] = any { "a: b", "A: c", "b:d", "c : e", ": f", "d: \t g ", "e:", "nonsense" }
      end
      local body = ("x"):rep(math.random(0, 20))
      local framing = math.random(4)
      if framing == 1 then
        lines[#lines + 1] = "Content-Length: " .. math.max(#body + math.random(-3, 1), 0)
      elseif framing == 2 then
        lines[#lines + 1] = any { "Transfer-Encoding: chunked", "transfer-encoding: x" }
        local chunks = {}
        while #body > 0 do
          local size = math.random(#body)
          chunks[#chunks + 1] = ("%x%s\r\n%s\r\n"):format(size, any { "", ";a=b", " " }, body:sub(1, size))
          body = body:sub(size + 1)
        end
        body = table.concat(chunks) .. any { "0\r\n\r\n", "00\r\nA: b\r\n\r\n", "0\r\n", "g\r\n\r\n", "" }
      end
      local ending = any { "\r\n", "\n" }
      local bytes = table.concat(lines, ending) .. ending .. ending .. body
      if math.random(3) == 1 then
        bytes = bytes:sub(1, math.random(0, #bytes))
      end
      local ok, message = pcall(same, { url = "http://host/", method = any { "GET", "HEAD" } }, bytes)
      assert.is_true(ok, ("with seed %d: %s"):format(seed, tostring(message)))
    end
  end)

  describe("with real servers", function()
    local server, nginx

    setup(function()
      server, nginx = servers.server(), nginxes.start()
    end)

    teardown(function()
      server:stop()
      nginx:stop()
      http.POOL:close()
    end)

    --- What came of a request, without what differs from one time to the next.
    local function real_request(module, given)
      local calls = {}
      local results
      if type(given) == "string" then
        results = pack(pcall(module.request, given))
        calls[1], results[2] = results[2], results[2] and 1
        results.n = results[2] and results.n or 3 -- what came before an error
      else
        local request = copy(given)
        request.sink = function(data, err)
          calls[#calls + 1] = data or ("<end %s>"):format(tostring(err))
          return 1
        end
        results = pack(pcall(module.request, request))
      end
      local headers = results[4]
      if type(headers) == "table" then
        for _, name in ipairs { "date", "connection", "x-connection", "x-request", "content-length" } do
          headers[name] = nil
        end
      end
      local text = outcome(results, calls)
      return (text:gsub("LuaSocket [%d.]+", "LuaSocket"):gsub("Connection: [%w, -]+", "Connection"))
    end

    local function same_from_server(given)
      local expected = real_request(theirs, given)
      local title = show(given)
      assert.equal(expected, real_request(http, given), title)
      assert.equal(expected, real_request(http, given), title .. ", on a connection that waited")
      assert.equal(expected, run.task(real_request, http, given), title .. ", inside a task")
    end

    --- The lines of an echoed request come in any order.
    local function echoed(module, given)
      local words = {}
      for line in real_request(module, given):gmatch "[^\n]+" do
        words[#words + 1] = line
      end
      table.sort(words)
      return table.concat(words, "\n")
    end

    it("comes the same of what nginx answers", function()
      for _, path in ipairs {
        "small.txt", "none.txt", "chunked/small.txt", "moved/", "away/", "loop/", "private/secret.txt",
        "brief/small.txt", "single/small.txt", "store/", "",
      } do
        for _, method in ipairs { "GET", "HEAD", "POST", "NONE" } do
          same_from_server { url = nginx:url(path), method = method }
        end
        same_from_server(nginx:url(path))
      end
      same_from_server { url = nginx:url "private/secret.txt", user = "ann", password = "open%20sesame" }
      same_from_server { url = nginx:url "small.txt", headers = { range = "bytes=2-4" } }
      local date = "Fri, 01 Jan 2100 00:00:00 GMT"
      same_from_server { url = nginx:url "small.txt", headers = { ["if-modified-since"] = date } }
    end)

    it("comes the same of what a server does wrong", function()
      for _, words in ipairs {
        { "raw", "" }, { "raw", "HTTP/1.1 2" }, { "raw", "HTTP/1.1 200 OK\r\na: b" }, { "raw", "nonsense" },
        { "raw", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc" },
        { "raw", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n" },
        { "raw", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc" },
        { "raw", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n" },
        { "slow", 0.001, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc" },
        { "redirect", 302, "/redirect/302/%2fraw%2fhello%20world" },
        { "redirect", 307, "/redirect/303/%2fraw%2fHTTP%2f1.1%20200%20OK%0d%0a%0d%0aend" },
      } do
        same_from_server { url = server:url(unpack(words)) }
        same_from_server(server:url(unpack(words)))
      end
      same_from_server(("http://127.0.0.1:%d/"):format(peers.refused_port(socket)))
    end)

    it("comes the same of a server that takes too long", function()
      http.TIMEOUT, theirs.TIMEOUT = 0.2, 0.2
      local head = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
      for _, url in ipairs {
        server:url "silent",
        server:url("pause", 2, "HTTP/1.1 200", " OK\r\n\r\n"),
        server:url("pause", 2, "HTTP/1.1 200 OK\r\na: b\r\n", "\r\n"),
        server:url("pause", 2, head .. "a", "bc"),
        server:url("slow", 0.05, head .. "abc"), -- each step is slow enough
      } do
        local expected, actual = real_request(theirs, { url = url }), real_request(http, { url = url })
        assert.equal("fails: timeout", expected, url)
        assert.equal("fails: timeout", actual, url)
      end
      http.TIMEOUT, theirs.TIMEOUT = 60, 60
    end)

    it("is sent the same", function()
      for _, given in ipairs {
        server:url "echo",
        { url = server:url "echo" },
        { url = server:url "echo" .. "?a=b", headers = { ["X-Name"] = "value" } },
        { url = server:url("redirect", 302, "/echo"), headers = { ["X-Name"] = "value", cookie = "c" } },
        { url = server:url("redirect", 302, "/echo"), method = "HEAD", user = "ann", password = "x" },
        { url = (server:url("redirect", 302, "../../echo"):gsub("//", "//ann:x@", 1)) },
      } do
        assert.equal(echoed(theirs, given), echoed(http, given))
      end
    end)
  end)
end)
