-- lua-redis, unmodified, in many tasks at once, on a redis server.

local cosock = require "cosock"
local libraries = require "spec.support.libraries"
local peers = require "spec.support.peers"
local redis_server = require "spec.support.redis"
local run = require "spec.support.run"

local TASKS = libraries.TASKS

-- Lua 5.1 calls the iterator of a generic `for` across a C boundary, where nothing can wait. There the iterator is
-- called by hand.
local for_can_wait = coroutine.wrap(function()
  for _ in coroutine.yield, 1 do -- luacheck: ignore 512
    break
  end
end)
for_can_wait = pcall(for_can_wait)

describe("lua-redis", function()
  local redis, server

  setup(function()
    redis = libraries.asyncify "redis"
    server = redis_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    cosock.reset()
  end)

  local function connect()
    return redis.connect("127.0.0.1", server.port)
  end

  it("connects, also by URL, and answers", function()
    run.task(function()
      assert.is_true(connect():ping())
      assert.is_true(redis.connect("redis://127.0.0.1:" .. server.port .. "?tcp_nodelay=true"):ping())
      assert.is_true(redis.connect({ host = "127.0.0.1", port = server.port, timeout = 30 }):ping())
      assert.matches("could not connect to 127.0.0.1", libraries.raised(function()
        redis.connect("127.0.0.1", peers.refused_port(cosock.socket))
      end), 1, true)
    end)
  end)

  it("runs commands in many tasks at once", function()
    libraries.in_tasks(function(number, meet)
      local client = connect()
      client:del("list " .. number)
      client:set("key " .. number, ("value\r\n%d"):format(number))
      meet()
      assert.equal(("value\r\n%d"):format(number), client:get("key " .. number))
      for index = 1, 20 do
        assert.equal(index, client:rpush("list " .. number, index))
      end
      meet()
      assert.equal(20, #client:lrange("list " .. number, 0, -1))
      client:hmset("hash " .. number, "a", 1, "b", 2)
      assert.same({ a = "1", b = "2" }, client:hgetall("hash " .. number))
      local large = ("x"):rep(300000)
      client:set("large " .. number, large)
      meet()
      assert.equal(large, client:get("large " .. number))
      assert.matches("WRONGTYPE", libraries.raised(function()
        client:incr("list " .. number)
      end))
      client:quit()
    end)
  end)

  it("counts right with all of them", function()
    run.task(function()
      connect():set("counter", 0)
    end)
    libraries.in_tasks(function(_, meet)
      local client = connect()
      meet()
      for _ = 1, 25 do
        client:incr "counter"
      end
      meet()
      assert.equal(tostring(25 * TASKS), client:get "counter")
    end)
  end)

  it("sends pipelines", function()
    libraries.in_tasks(function(number, meet)
      local client = connect()
      local key = "pipeline " .. number
      client:del(key)
      client:hmset(key, "field", number)
      meet()
      local replies, count = client:pipeline(function(pipeline)
        for _ = 1, 50 do
          pipeline:exists(key)
        end
        pipeline:hgetall(key)
      end)
      assert.equal(51, count)
      assert.is_true(replies[1] and replies[50])
      assert.same({ field = tostring(number) }, replies[51])
      -- Where table.insert is strict, the library cannot put other commands into a pipeline.
      if pcall(table.insert, {}, 2, 2) then
        replies = client:pipeline(function(pipeline)
          for index = 1, 50 do
            pipeline:hset(key, index, index)
          end
          pipeline:hlen(key)
        end)
        assert.equal(51, replies[51])
      end
      assert.matches("in the block", libraries.raised(function()
        client:pipeline(function()
          error("in the block", 0)
        end)
      end), 1, true)
    end)
  end)

  it("makes transactions, which yield in coroutines of their own", function()
    libraries.in_tasks(function(number, meet)
      local client = connect()
      local key = "transaction " .. number
      client:set(key, 1)
      meet()
      local replies = client:transaction(function(transaction)
        transaction:incr(key)
        transaction:incr(key)
        transaction:get(key)
      end)
      assert.same({ 2, 3, "3" }, replies)
    end)
  end)

  it("checks and sets, again when somebody came in between", function()
    run.task(function()
      connect():set("optimistic", 0)
    end)
    libraries.in_tasks(function(_, meet)
      local client = connect()
      meet()
      client:transaction({ watch = "optimistic", cas = true, retry = 1000 }, function(transaction)
        local value = tonumber(transaction:get "optimistic")
        transaction:multi()
        transaction:set("optimistic", value + 1)
      end)
      meet()
      assert.equal(tostring(TASKS), client:get "optimistic")
    end)
  end)

  it("iterates over what is published, from a coroutine of its own", function()
    local subscribed, got = 0, {}
    local function collect(list, message, abort)
      if message.kind == "subscribe" then
        subscribed = subscribed + 1
      elseif message.kind == "message" then
        list[#list + 1] = message.payload
        if message.payload == "last" then
          abort()
        end
      end
    end
    local bodies = {}
    for number = 1, TASKS do
      bodies[number] = function()
        local list = {}
        got[number] = list
        local messages = connect():pubsub({ subscribe = "news" })
        if for_can_wait then
          for message, abort in messages do
            collect(list, message, abort)
          end
        else
          local message, abort = messages()
          while message do
            collect(list, message, abort)
            message, abort = messages()
          end
        end
      end
    end
    bodies[TASKS + 1] = function()
      local client = connect()
      while subscribed < TASKS do
        cosock.socket.sleep(0.001)
      end
      for index = 1, 10 do
        assert.equal(TASKS, client:publish("news", "message " .. index))
      end
      client:publish("news", "last")
    end
    run.tasks((table.unpack or unpack)(bodies)) -- luacheck: ignore 143
    for number = 1, TASKS do
      assert.equal(11, #got[number])
      assert.equal("message 1", got[number][1])
      assert.equal("last", got[number][11])
    end
  end)

  it("waits in many tasks at once for what comes in one second, or does not come", function()
    local waited = 0
    local took = peers.seconds(function()
      libraries.in_tasks(function(number, meet)
        local client = connect()
        meet()
        assert.is_nil(client:blpop("never " .. number, 1))
        waited = waited + 1
      end)
    end)
    assert.equal(TASKS, waited)
    -- One after the other they would take as many seconds.
    assert.is_true(took >= 0.9 and took < TASKS / 2, "it took " .. took .. " seconds")
  end)

  it("hands a value to the task that waits for it", function()
    libraries.in_tasks(function(number, meet)
      local client = connect()
      if number % 2 == 0 then
        assert.same({ "mailbox " .. number, "for you" }, client:blpop("mailbox " .. number, 30))
      else
        cosock.socket.sleep(0.01)
        client:rpush("mailbox " .. number + 1, "for you")
      end
      meet()
    end)
  end)
end)
