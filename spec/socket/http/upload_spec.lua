-- Bodies of requests: sent in chunks or with their length, asked for, and refused.

local http = require "cosock.socket.http"
local ltn12 = require "cosock.ltn12"
local peers = require "spec.support.peers"
local servers = require "spec.support.http"

local header, pack = servers.header, peers.pack

describe("a body is sent", function()
  local server

  setup(function()
    server = servers.server()
  end)

  teardown(function()
    server:stop()
    http.POOL:close()
  end)

  local function request(given)
    local parts = {}
    given.sink = given.sink or ltn12.sink.table(parts)
    local ok, code, headers = http.request(given)
    assert.equal(1, ok, code)
    return code, table.concat(parts), headers
  end

  for place, it in peers.inside_and_outside(it) do
    describe(place, function()
      it("in chunks", function()
        local code, text = request { url = server:url "echo", source = ltn12.source.table { "ab", "", "cd" } }
        assert.equal(200, code)
        assert.matches("^GET ", text) -- as LuaSocket: the method is not guessed
        assert.equal("chunked", header(text, "Transfer-Encoding"))
        assert.matches("\n\nabcd$", text)
      end)

      it("as it is if the headers tell its length", function()
        local _, text = request {
          url = server:url "echo", method = "PUT", headers = { ["Content-Length"] = 4 },
          source = ltn12.source.table { "ab", "cd" },
        }
        assert.is_nil(header(text, "Transfer-Encoding"))
        assert.matches("\n\nabcd$", text)
      end)

      it("whole when it is large", function()
        local body = ("0123456789abcdef"):rep(2 ^ 18)
        local _, text = request { url = server:url "echo", method = "PUT", source = ltn12.source.string(body) }
        assert.equal(#body, #text:match "\n\n(.*)$")
        assert.is_true(body == text:match "\n\n(.*)$")
        text = http.request(server:url "echo", body)
        assert.is_true(body == text:match "\n\n(.*)$")
      end)

      it("once the server has said that it wants it", function()
        local code, text = request {
          url = server:url("expect", "go"), method = "PUT", headers = { expect = "100-continue" },
          source = ltn12.source.string "abc",
        }
        assert.equal(200, code)
        assert.matches("\n\nabc$", text)
      end)

      it("after a while if the server says nothing", function()
        http.EXPECT_TIMEOUT = 0.05
        local code, text = request {
          url = server:url "echo", method = "PUT", headers = { expect = "100-continue" },
          source = ltn12.source.string "abc",
        }
        http.EXPECT_TIMEOUT = 1
        assert.equal(200, code)
        assert.matches("\n\nabc$", text)
      end)

      it("not at all if the server does not want it", function()
        local asked = 0
        local code, text = request {
          url = server:url("expect", "refuse"), method = "PUT", headers = { Expect = "100-Continue" },
          source = function()
            asked = asked + 1
          end,
        }
        assert.same({ 417, "no", 0 }, { code, text, asked })
      end)

      it("until the server refuses it: the reply is not lost", function()
        local sent = 0
        local code, text = request {
          url = server:url "refuse", method = "PUT",
          source = function()
            sent = sent + 1
            return sent < 10000 and ("x"):rep(65536) or nil
          end,
        }
        assert.same({ 413, "too large" }, { code, text })
        assert.is_true(sent < 10000)
      end)

      it("until its source fails, and the server does not take the part for the whole", function()
        local count = 0
        server:log()
        local results = pack(http.request {
          url = server:url "echo", method = "PUT",
          source = function()
            count = count + 1
            if count == 1 then
              return "abc"
            end
            return nil, "failed"
          end,
        })
        assert.same({ n = 2, nil, "failed" }, results)
      end)
    end)
  end

  it("by the step that is given", function()
    local steps = 0
    local _, text = request {
      url = server:url "echo", method = "PUT", source = ltn12.source.string "abc",
      step = function(...)
        steps = steps + 1
        return ltn12.pump.step(...)
      end,
    }
    assert.matches("\n\nabc$", text)
    assert.equal(4, steps) -- two for each body
  end)

  it("by a source that waits, in a task", function()
    local run, socket = require "spec.support.run", require "cosock.socket"
    run.task(function()
      local receiver, sender = peers.receiver(socket, "through a socket")
      sender:close()
      local _, text = request {
        url = server:url "echo", method = "PUT", source = socket.source("until-closed", receiver),
      }
      assert.matches("\n\nthrough a socket$", text)
    end)
  end)
end)
