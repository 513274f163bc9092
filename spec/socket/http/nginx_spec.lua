-- Requests to a web server of the real world.

local http = require "cosock.socket.http"
local ltn12 = require "cosock.ltn12"
local nginxes = require "spec.support.nginx"
local peers = require "spec.support.peers"

describe("nginx", function()
  local nginx

  setup(function()
    nginx = nginxes.start()
  end)

  teardown(function()
    nginx:stop()
    http.POOL:close()
  end)

  local function request(given)
    local parts = {}
    given.sink = ltn12.sink.table(parts)
    local ok, code, headers = http.request(given)
    assert.equal(1, ok, code)
    return code, table.concat(parts), headers
  end

  for place, it in peers.inside_and_outside(it) do
    describe(place, function()
      it("gives files", function()
        local body, code, headers = http.request(nginx:url "small.txt")
        assert.same({ "a small file\n", 200 }, { body, code })
        assert.equal("13", headers["content-length"])
        assert.equal("text/plain", headers["content-type"])
        body, code = http.request(nginx:url "none.txt")
        assert.equal(404, code)
        assert.matches("404 Not Found", body, 1, true)
      end)

      it("gives large files, with their length and in chunks", function()
        local text = ("0123456789abcdef"):rep(2 ^ 17)
        nginx:write("large.txt", text)
        for _, path in ipairs { "large.txt", "chunked/large.txt" } do
          local body, code, headers = http.request(nginx:url(path))
          assert.equal(200, code)
          assert.equal(path:find "chunked" and "chunked" or nil, headers["transfer-encoding"])
          assert.equal(#text, #body)
          assert.is_true(text == body)
        end
      end)

      it("gives parts of files", function()
        local code, body, headers = request { url = nginx:url "small.txt", headers = { Range = "bytes=2-6" } }
        assert.same({ 206, "small", "bytes 2-6/13" }, { code, body, headers["content-range"] })
      end)

      it("gives a head without a body, and goes on on the same connection", function()
        http.POOL:close()
        local code, body, headers = request { url = nginx:url "small.txt", method = "HEAD" }
        assert.same({ 200, "", "13" }, { code, body, headers["content-length"] })
        code, body = request { url = nginx:url "small.txt", headers = { ["if-none-match"] = headers.etag } }
        assert.same({ 304, "" }, { code, body })
        assert.equal("a small file\n", (http.request(nginx:url "small.txt")))
        assert.equal(1, http.POOL.count)
      end)

      it("takes a body in chunks, or with its length", function()
        for index, headers in ipairs { {}, { ["content-length"] = 5 } } do
          local name = "store/" .. index .. ".txt"
          local code = request {
            url = nginx:url(name), method = "PUT", headers = headers, source = ltn12.source.table { "he", "llo" },
          }
          assert.equal(201, code)
          assert.equal("hello", nginx:read(name))
          assert.equal(204, (request { url = nginx:url(name), method = "DELETE" }))
          assert.is_nil(nginx:read(name))
        end
      end)

      it("takes a body that it was asked about", function()
        local code = request {
          url = nginx:url "store/asked.txt", method = "PUT", headers = { expect = "100-continue" },
          source = ltn12.source.string "asked",
        }
        assert.equal(201, code)
        assert.equal("asked", nginx:read "store/asked.txt")
        request { url = nginx:url "store/asked.txt", method = "DELETE" }
      end)

      it("refuses a body, in chunks or with its length", function()
        local body = ("x"):rep(2 ^ 20 + 1)
        for _, headers in ipairs { {}, { ["content-length"] = #body } } do
          local code = request {
            url = nginx:url "store/large", method = "PUT", headers = headers, source = ltn12.source.string(body),
          }
          assert.equal(413, code)
        end
        assert.equal(405, (request {
          url = nginx:url "small.txt", method = "PUT", source = ltn12.source.string "x",
        }))
      end)

      it("refuses a body before it is sent", function()
        local asked = 0
        local code = request {
          url = nginx:url "store/large", method = "PUT",
          headers = { expect = "100-continue", ["content-length"] = 2 ^ 21 },
          source = function()
            asked = asked + 1
          end,
        }
        assert.same({ 413, 0 }, { code, asked })
      end)

      it("redirects", function()
        local body, code, headers = http.request(nginx:url "moved/")
        assert.same({ "a small file\n", 200 }, { body, code })
        assert.matches("/small.txt$", headers.location)
        body, code = http.request(nginx:url "away/")
        assert.same({ "a small file\n", 200 }, { body, code })
        code = select(2, http.request(nginx:url "loop/"))
        assert.equal(302, code)
      end)

      it("asks for a password", function()
        local url = nginx:url "private/secret.txt"
        local _, code, headers = http.request(url)
        assert.same({ 401, 'Basic realm="private"' }, { code, headers["www-authenticate"] })
        assert.equal("a secret\n", (http.request((url:gsub("//", "//ann:open%%20sesame@")))))
        local body
        code, body = request { url = url, user = "ann", password = "open%20sesame" }
        assert.same({ 200, "a secret\n" }, { code, body })
        assert.equal(401, (request { url = url, user = "ann", password = "x" }))
      end)

      it("ends connections when it likes, and nobody notices", function()
        for _ = 1, 10 do
          assert.equal("a small file\n", (http.request(nginx:url "brief/small.txt")))
          assert.equal("a small file\n", (http.request(nginx:url "single/small.txt")))
        end
      end)
    end)
  end

  it("serves one connection a thousand times", function()
    http.POOL:close()
    for _ = 1, 1000 do
      assert.equal("a small file\n", (http.request(nginx:url "small.txt")))
    end
    assert.equal(1, http.POOL.count)
  end)
end)
