-- Requests to servers of the real world: nginx, and the openssl command.

local http = require "cosock.socket.http"
local https = require "cosock.ssl.https"
local ltn12 = require "cosock.ltn12"
local nginxes = require "spec.support.nginx"
local openssl = require "spec.support.openssl"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local tls = require "spec.support.tls"

local unpack = table.unpack or unpack -- luacheck: ignore 143

describe("over TLS", function()
  local nginx

  setup(function()
    nginx = nginxes.start(tls.folder())
    https.cfg.cafile = tls.file "root.pem"
  end)

  teardown(function()
    https.cfg.cafile = nil
    http.POOL:close()
    nginx:stop()
  end)

  after_each(openssl.stop_all)

  local function request(given)
    local parts = {}
    given.sink = ltn12.sink.table(parts)
    local ok, code, headers = https.request(given)
    assert.equal(1, ok, code)
    return code, table.concat(parts), headers
  end

  for place, it in peers.inside_and_outside(it) do
    describe(place, function()
      it("nginx gives files, on one connection", function()
        http.POOL:close()
        for _ = 1, 3 do
          local body, code, headers = https.request(nginx:secure_url "small.txt")
          assert.same({ "a small file\n", 200, "13" }, { body, code, headers["content-length"] })
        end
        assert.equal(404, (select(2, https.request(nginx:secure_url "none.txt"))))
        assert.equal(1, http.POOL.count)
      end)

      it("nginx gives large files, with their length and in chunks", function()
        local text = ("0123456789abcdef"):rep(2 ^ 17)
        nginx:write("large.txt", text)
        for _, path in ipairs { "large.txt", "chunked/large.txt" } do
          local body, code = https.request(nginx:secure_url(path))
          assert.same({ 200, #text }, { code, #body })
          assert.is_true(text == body)
        end
      end)

      it("nginx takes files", function()
        local text = ("0123456789abcdef"):rep(2 ^ 15)
        local code = request {
          url = nginx:secure_url "store/new.txt", method = "PUT", source = ltn12.source.string(text),
        }
        assert.equal(201, code)
        assert.is_true(nginx:read "store/new.txt" == text)
        assert.equal(204, (request { url = nginx:secure_url "store/new.txt", method = "DELETE" }))
      end)

      it("nginx is asked with a password, and redirects", function()
        assert.equal(401, (select(2, https.request(nginx:secure_url "private/secret.txt"))))
        local code, body = request {
          url = nginx:secure_url "private/secret.txt", user = "ann", password = "open%20sesame",
        }
        assert.same({ 200, "a secret\n" }, { code, body })
        local headers
        code, body, headers = request { url = nginx:secure_url "moved/" }
        assert.same({ 200, "a small file\n" }, { code, body })
        assert.matches("/small.txt$", headers.location)
        -- This one leads to http.
        assert.equal(302, (request { url = nginx:secure_url "away/" }))
      end)

      it("nginx closes connections as it likes", function()
        for _, path in ipairs { "brief/small.txt", "single/small.txt" } do
          for _ = 1, 5 do
            assert.equal("a small file\n", (https.request(nginx:secure_url(path))))
          end
        end
      end)

      it("openssl tells of the connection, and ends it", function()
        local _, port = openssl.server "-www"
        local body, code = https.request(("https://localhost:%d/"):format(port))
        assert.equal(200, code)
        assert.matches("Protocol  : TLSv1.3", body, 1, true)
      end)

      it("openssl gives files", function()
        local _, port = openssl.server "-WWW"
        local body, code = https.request(("https://127.0.0.1:%d/%s"):format(port, tls.file "root.pem"))
        assert.equal(200, code)
        assert.equal(tls.contents "root.pem", (body:gsub("\r\n", "\n")))
      end)

      it("openssl agrees to what a request asks for", function()
        local _, port = openssl.server "-www -tls1_2"
        local body = https.request(("https://localhost:%d/"):format(port))
        assert.matches("Protocol  : TLSv1.2", body, 1, true)
        _, port = openssl.server "-www -tls1_2"
        local _, err = https.request { url = ("https://localhost:%d/"):format(port), protocol = "tlsv1_3" }
        assert.equal("tlsv1 alert protocol version", err)
      end)
    end)
  end

  it("twenty tasks fetch at once, each what it asked for", function()
    for index = 1, 20 do
      nginx:write(index .. ".txt", ("%d "):format(index):rep(1000 * index))
    end
    local tasks = {}
    for index = 1, 20 do
      tasks[index] = function()
        for _ = 1, 5 do
          local body, code = https.request(nginx:secure_url((index % 2 == 0 and "chunked/" or "") .. index .. ".txt"))
          assert.equal(200, code)
          assert.is_true(("%d "):format(index):rep(1000 * index) == body)
        end
      end
    end
    run.tasks(unpack(tasks))
  end)
end)
