--- Connections that wait for the next request to the same host.

local _, native = ...

local clock = native.task.clock

--- A pool. A program may change its three numbers at any time.
---@class cosock.HttpPool
---@field per_host integer  how many connections may wait for one host
---@field total integer  how many may wait in all; 0 keeps none
---@field idle number  seconds for which one may wait
---@field package hosts table<string, cosock.HttpConnection[]>  those that wait, by where they lead; last come,
---  first served
---@field package oldest cosock.HttpConnection?  the first of them all in order of time, linked by `newer`
---@field package newest cosock.HttpConnection?  the last, linked by `older`
---@field package count integer  how many they are
local Pool = {}
Pool.__index = Pool

--- Takes a connection out of the order of time.
local function unlink(pool, connection)
  local older, newer = connection.older, connection.newer
  if older then
    older.newer = newer
  else
    pool.oldest = newer
  end
  if newer then
    newer.older = older
  else
    pool.newest = older
  end
  connection.older, connection.newer = nil, nil
end

--- Takes out the connection at a position of its host's list.
local function remove(pool, key, position)
  local waiting = pool.hosts[key]
  local connection = table.remove(waiting, position)
  if #waiting == 0 then
    pool.hosts[key] = nil
  end
  unlink(pool, connection)
  pool.count = pool.count - 1
  return connection
end

--- Closes the connection that has waited longest: it is the first of its host's, too.
local function discard_oldest(pool)
  remove(pool, pool.oldest.origin.key, 1):close()
end

--- Closes those that have waited too long. They are found whenever one is added: a timer would keep
--- `cosock.run` from returning.
local function expire(self, now)
  local limit = now - self.idle
  while self.oldest and self.oldest.since <= limit do
    discard_oldest(self)
  end
end

--- Takes out a connection of the same origin that is still good.
---@param origin cosock.HttpOrigin
---@return cosock.HttpConnection?
function Pool:take(origin)
  local waiting = self.hosts[origin.key]
  local position = waiting and #waiting or 0
  local limit = position > 0 and clock() - self.idle
  while position > 0 do
    if waiting[position].origin:equals(origin) then
      local connection = remove(self, origin.key, position)
      if connection.since > limit and connection:is_quiet() then
        return connection
      end
      connection:close()
      -- Others may have used the pool meanwhile.
      waiting = self.hosts[origin.key] or {}
      position = math.min(position, #waiting + 1)
    end
    position = position - 1
  end
end

--- Keeps a connection for later, or closes it if there is no room for any.
---@param connection cosock.HttpConnection
function Pool:put(connection)
  local now = clock()
  expire(self, now)
  if self.per_host < 1 or self.total < 1 then
    connection:close()
    return
  end
  local key = connection.origin.key
  local waiting = self.hosts[key]
  while waiting and #waiting >= self.per_host do
    remove(self, key, 1):close()
    waiting = self.hosts[key]
  end
  while self.count >= self.total do
    discard_oldest(self)
  end
  waiting = self.hosts[key] or {}
  self.hosts[key] = waiting
  waiting[#waiting + 1] = connection
  connection.since = now
  connection.older = self.newest
  if self.newest then
    self.newest.newer = connection
  else
    self.oldest = connection
  end
  self.newest = connection
  self.count = self.count + 1
end

--- Closes all connections that wait. The pool can be used on.
function Pool:close()
  while self.oldest do
    discard_oldest(self)
  end
end

local M = {}

--- Makes an empty pool.
---@return cosock.HttpPool
function M.new()
  return setmetatable({ per_host = 32, total = 256, idle = 15, hosts = {}, count = 0 }, Pool)
end

return M
