-- lua-logging's appenders for sockets and mail, unmodified, in many tasks at once.

local cosock = require "cosock"
local libraries = require "spec.support.libraries"
local peers = require "spec.support.peers"
local run = require "spec.support.run"
local servers = require "spec.support.servers"

local TASKS = libraries.TASKS

describe("lua-logging", function()
  before_each(function()
    cosock.reset()
  end)

  it("logs to a socket, from many tasks at once", function()
    local socket_appender = libraries.asyncify "logging.socket"
    local server, port = peers.server(cosock.socket)
    local got = {}
    local function collect()
      for _ = 1, 2 * TASKS do
        local client = assert(server:accept())
        cosock.spawn(function()
          local line = assert(client:receive())
          got[#got + 1] = line -- the index counts when the line is there
          client:close()
        end, "collector")
      end
    end
    libraries.in_tasks(function(number, meet)
      local logger = socket_appender("127.0.0.1", port, "%level: %message\n")
      meet()
      logger:info("from task " .. number)
      logger:error("trouble in task " .. number)
    end, collect)
    table.sort(got)
    assert.equal(2 * TASKS, #got)
    local expected = {}
    for number = 1, TASKS do
      expected[#expected + 1] = "INFO: from task " .. number
      expected[#expected + 1] = "ERROR: trouble in task " .. number
    end
    table.sort(expected)
    assert.same(expected, got)
  end)

  it("tells when there is nobody to log to", function()
    local logger = libraries.asyncify "logging.socket"("127.0.0.1", peers.refused_port(cosock.socket))
    run.task(function()
      local ok, err = logger:append("INFO", "to nobody")
      assert.is_nil(ok)
      assert.equal("connection refused", err)
    end)
  end)

  it("logs by mail, from many tasks at once", function()
    local mail_appender = libraries.asyncify "logging.email"
    local server = servers.smtp()
    libraries.in_tasks(function(number, meet)
      local logger = mail_appender {
        from = ("<task%d@example.org>"):format(number),
        rcpt = "<log@example.org>",
        server = "127.0.0.1",
        port = server.port,
        headers = { subject = "%level from task " .. number },
        logPattern = "%message",
      }
      meet()
      logger:warn(("line one of task %d\r\n.line two"):format(number))
    end)
    local from = {}
    for _ = 1, TASKS do
      local mail = server:mail()
      local number = mail.from:match "^task(%d+)@example.org$"
      from[tonumber(number)] = true
      assert.equal("log@example.org", mail.to)
      assert.matches("\nsubject: warn from task " .. number .. "\r?\n", ("\n" .. mail.text):lower())
      assert.matches("line one of task " .. number .. "\r?\n%.line two", mail.text)
    end
    assert.equal(TASKS, #from)
    server:stop()
  end)

  it("tells when a mail is refused", function()
    local server = servers.smtp()
    run.task(function()
      local logger = libraries.asyncify "logging.email" {
        from = "<task@example.org>",
        rcpt = "<nobody@example.org>",
        server = "127.0.0.1",
        port = server.port,
      }
      local ok, err = logger:append("INFO", "hello")
      assert.is_nil(ok)
      assert.matches("nobody is here", err, 1, true)
    end)
    server:stop()
  end)
end)
