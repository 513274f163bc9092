-- Connections that are kept for later requests, and sessions that are resumed by new ones.

local cosock = require "cosock"
local http = require "cosock.socket.http"
local https = require "cosock.ssl.https"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local servers = require "spec.support.http"
local tls = require "spec.support.tls"

local unpack = table.unpack or unpack -- luacheck: ignore 143
local reply = servers.reply

describe("the pool of https", function()
  local server, pool

  setup(function()
    server = servers.secure_server(tls.folder(), "server", "elsewhere", "wild")
    https.cfg.cafile = tls.file "root.pem"
    pool = http.POOL
  end)

  teardown(function()
    https.cfg.cafile = nil
    pool:close()
    server:stop()
  end)

  before_each(function()
    pool:close()
  end)

  after_each(function()
    http.POOL = pool
  end)

  local function url(...)
    return server:secure_url("server", ...)
  end

  --- Makes a request: returns which connection it came on, and whether that had resumed a session.
  local function connection(given, module)
    given = given or {}
    given.url = given.url or url "echo"
    local ok, code, headers = (module or https).request(given)
    assert.equal(1, ok, code)
    return tonumber(headers["x-connection"]), headers["x-tls"]:match "resumed=(%a+)" == "true"
  end

  --- How many connections `fn` opens.
  local function opened(fn)
    local before = server:connections()
    fn()
    return server:connections() - before
  end

  for place, it in peers.inside_and_outside(it) do
    describe(place, function()
      it("gives a connection to one request after the other, of http's, too", function()
        local first = connection()
        for _ = 1, 3 do
          assert.equal(first, (connection()))
          assert.equal(first, (connection(nil, http)))
        end
        assert.equal(1, pool.count)
      end)

      it("gives a new one when the server has closed the one that waited, with a word or without", function()
        for _, way in ipairs { "raw", "cut" } do
          local place_of = url(way, reply "x")
          assert.equal(3, opened(function()
            for _ = 1, 3 do
              assert.equal("x", (https.request(place_of)))
            end
          end))
        end
      end)

      it("gives a new one, once, when the server closes instead of answering", function()
        local place_of = url("drop", reply "x")
        assert.equal(2, opened(function()
          assert.equal("x", (https.request(place_of)))
          assert.equal("x", (https.request(place_of)))
        end))
        assert.equal(1, opened(function()
          pool:close()
          assert.same({ nil, "closed" }, { https.request(url("raw", "")) })
        end))
      end)

      it("gives a new one when the server has said more than it was asked", function()
        local place_of = url("keep", reply "x" .. "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        assert.equal("x", (https.request(place_of)))
        assert.equal("x", (https.request(place_of)))
      end)
    end)
  end

  it("sends a form over a new connection: it may not be repeated", function()
    local first = connection()
    local body, _, headers = https.request(url "echo", "a=b")
    assert.matches("^POST", body)
    assert.not_equal(first, tonumber(headers["x-connection"]))
  end)

  it("gives no connection that was verified less, or otherwise, than a request asks", function()
    local function trust()
      return { cafile = tls.file "root.pem" }
    end
    local unverified = connection { verify = "none" }
    local verified = connection()
    assert.not_equal(unverified, verified)
    assert.equal(verified, (connection(trust())))
    assert.equal(unverified, (connection { verify = "none" }))
    local seen = { [verified] = true, [unverified] = true }
    for _, given in ipairs {
      { hostname = "localhost" }, { depth = 5 }, { protocol = "tlsv1_3" }, { options = { "all" } },
      { verifyext = "lsec_ignore_purpose" }, { cafile = tls.file "trusted.pem" }, { capath = tls.folder() .. "/ca" },
      { alpn = "http/1.1" }, { verify = { "peer" } }, { curveslist = "P-256" }, { ciphers = "ECDHE+AESGCM" },
      { key = tls.file "client.key", certificate = tls.file "client.pem" },
      { key = tls.file "encrypted.key", certificate = tls.file "server.pem", password = "secret" },
    } do
      local own = connection(given)
      assert.is_nil(seen[own])
      seen[own] = true
      assert.equal(own, (connection(given)))
    end
    assert.equal(verified, (connection()))
  end)

  it("gives no connection that was verified less than by the defaults at the time", function()
    https.cfg.verify = "none"
    local unverified = connection()
    assert.equal(unverified, (connection()))
    https.cfg.verify = "peer"
    assert.not_equal(unverified, (connection()))
  end)

  it("does not let one that nobody vouches for pass as another's", function()
    local place_of = server:secure_url("elsewhere", "echo")
    connection { url = place_of, verify = "none" }
    connection { url = place_of, hostname = "elsewhere.test" }
    local _, err = https.request(place_of)
    assert.matches("hostname mismatch", err, 1, true)
  end)

  describe("with a session", function()
    before_each(function()
      http.POOL = false
    end)

    it("of the same protection makes a new connection cheaper", function()
      for _, protocol in ipairs { "tlsv1_2", "tlsv1_3" } do
        local function resumes(given)
          given.protocol = protocol
          return (select(2, connection(given)))
        end
        local own = { cafile = tls.file "root.pem", verify = { "peer" }, depth = 7 }
        assert.is_false(resumes(own))
        for _ = 1, 3 do
          assert.is_true(resumes { cafile = own.cafile, verify = { "peer" }, depth = 7 })
        end
        assert.is_false(resumes { cafile = own.cafile, verify = { "peer" }, depth = 8 })
      end
    end)

    it("does not serve for another name", function()
      local place_of = server:secure_url("wild", "echo")
      local function resumed(hostname)
        local _, err, headers = https.request { url = place_of, hostname = hostname }
        return headers and headers["x-tls"]:match "resumed=(%a+)" or err
      end
      assert.equal("false", resumed "wild.test")
      assert.equal("true", resumed "wild.test")
      assert.equal("false", resumed "192.0.2.1")
      assert.equal("true", resumed "192.0.2.1")
      assert.matches("IP address mismatch", resumed "192.0.2.2", 1, true)
      assert.matches("hostname mismatch", resumed "elsewhere.test", 1, true)
      assert.equal("false", resumed "2001:db8::1")
    end)

    it("is not made of what was not verified", function()
      local place_of = server:secure_url("elsewhere", "echo")
      for _ = 1, 3 do
        assert.equal(1, (https.request { url = place_of, verify = "none" }))
        assert.is_nil((https.request { url = place_of }))
      end
    end)
  end)

  it("serves twenty tasks at once, each with what it asked for", function()
    local tasks = {}
    for index = 1, 20 do
      tasks[index] = function()
        for round = 1, 5 do
          local body, code = https.request(url("echo", index, round))
          assert.equal(200, code)
          assert.matches(("^GET /echo/%d/%d HTTP"):format(index, round), body)
        end
      end
    end
    assert.is_true(opened(function()
      run.tasks(unpack(tasks))
    end) <= 20)
    assert.is_true(pool.count <= 20)
  end)

  it("loses a connection whose task is cancelled in the midst of a request", function()
    server:log()
    local handle = cosock.spawn(function()
      https.request(url "silent")
    end)
    cosock.spawn(function()
      server:await_request()
      handle:cancel()
    end)
    cosock.run()
    assert.equal(0, pool.count)
    assert.is_number((connection()))
  end)

  it("loses a connection whose reply is not all taken", function()
    local before = connection()
    local ok, err = https.request {
      url = url("zeros", 100000),
      sink = function()
        return nil, "enough"
      end,
    }
    assert.same({ nil, "enough" }, { ok, err })
    assert.not_equal(before, (connection()))
    assert.equal(1, (https.request { url = url "echo", source = ltn12.source.string "x", method = "PUT" }))
  end)
end)
