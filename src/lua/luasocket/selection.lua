--- What one call of LuaSocket's `select` is about: which of the program's objects can be ready, what is
--- waited for in their place, and how the program is told.

local _, native = ...

local is_socket = native.task.is_socket
local duplicate = native.select.duplicate

local RECEIVE, SEND = 1, 2

--- Of the two lists in each field, the first is for receiving, the second for sending.
---@class cosock.Selection
---@field waited table[]  what to wait for: two lists for `cosock.wait`
---@field dirty table<any, true>?  objects that have something to receive in a buffer of their own
---@field package objects table[]  the objects of the program that can be ready
---@field package substitutes table<any, table>[]  what is waited for in place of an object that is no socket of ours
---@field package numbers table<any, number>  the descriptor's number of each such object
---@field package owners table<number, any>?  if there are such, for each number the object found last
---@field package duplicates table[]  sockets to be closed in the end
local Selection = {}
Selection.__index = Selection

--- Adds an object that is ready when `waited` is.
function Selection:add(list, object, waited)
  local objects, waits = self.objects[list], self.waited[list]
  objects[#objects + 1] = object
  waits[#waits + 1] = waited
  if waited ~= object then
    self.substitutes[list][object] = waited
  end
end

--- What cannot be indexed.
local BARE = { boolean = true, number = true, ["function"] = true, thread = true }

--- Adds an object that is no socket of ours, if it can ever be ready.
function Selection:add_foreign(list, object)
  if BARE[type(object)] and getmetatable(object) == nil then
    error(("attempt to index a %s value"):format(type(object)), 0)
  end
  local getfd, setwaker = object.getfd, object.setwaker
  if setwaker then
    return self:add(list, object, object)
  end
  local number = getfd ~= nil and tonumber((getfd(object)))
  if not number or number < 0 then
    return -- as with LuaSocket, what is closed or has no descriptor is never ready
  end
  self.numbers[object] = number
  self.owners = self.owners or {}
  if list == RECEIVE and object.dirty ~= nil and object.dirty(object) then
    self.dirty = self.dirty or {}
    self.dirty[object] = true
    return self:add(list, object, nil)
  end
  local borrowed = object.inner_sock
  if is_socket(borrowed) and borrowed:getfd() == number then
    return self:add(list, object, borrowed)
  end
  local socket = duplicate(number)
  if not socket then
    error("select failed", 0)
  end
  self.duplicates[#self.duplicates + 1] = socket
  self:add(list, object, socket)
end

--- Reads one of the program's lists, up to its first nil.
function Selection:collect(list, objects)
  local index = 1
  local object = objects[index]
  while object ~= nil do
    if is_socket(object) then
      self:add(list, object, object)
    else
      self:add_foreign(list, object)
    end
    index = index + 1
    object = objects[index]
  end
end

--- The number of an object's descriptor, if it has one.
function Selection:number(object)
  return self.numbers[object] or is_socket(object) and object:getfd() or nil
end

--- Of several objects with one descriptor, LuaSocket reports the one found last in place of all.
function Selection:find_owners()
  for list = RECEIVE, SEND do
    for _, object in ipairs(self.objects[list]) do
      local number = self:number(object)
      if number then
        self.owners[number] = object
      end
    end
  end
end

--- Whether an object that is ready has something to receive in a buffer.
function Selection:is_dirty(object)
  return self.dirty and self.dirty[object] or is_socket(object) and object:dirty()
end

--- Makes the table that the program gets for a list: `[k] = object` and `[object] = k`. First come
--- those that have data in a buffer, in the program's order, then the others by their descriptors'
--- numbers, then those without. The system is not asked about the descriptors of the first.
---@param list integer
---@param ready table[]?  of what was waited for
---@return table
function Selection:report(list, ready)
  local is_ready = {}
  for _, waited in ipairs(ready or {}) do
    is_ready[waited] = true
  end
  local result, has_data, others, numbers, rest = {}, {}, {}, {}, {}
  local function add(object)
    if not result[object] then
      result[#result + 1] = object
      result[object] = #result
    end
  end
  local function is_candidate(object)
    return is_ready[self.substitutes[list][object] or object]
      or list == RECEIVE and self.dirty and self.dirty[object]
  end
  if list == RECEIVE then
    for _, object in ipairs(self.objects[list]) do
      if is_candidate(object) and self:is_dirty(object) then
        add(object)
        has_data[self:number(object)] = true
      end
    end
  end
  for _, object in ipairs(self.objects[list]) do
    if is_candidate(object) then
      local number = self:number(object)
      if not number then
        rest[#rest + 1] = object
      elseif not has_data[number] then
        object = self.owners and self.owners[number] or object
        if not numbers[object] then
          others[#others + 1] = object
          numbers[object] = number
        end
      end
    end
  end
  table.sort(others, function(one, other)
    return numbers[one] < numbers[other]
  end)
  for _, object in ipairs(others) do
    add(object)
  end
  for _, object in ipairs(rest) do
    add(object)
  end
  return result
end

--- Closes what was opened for the wait.
function Selection:close()
  for _, socket in ipairs(self.duplicates) do
    socket:close()
  end
end

local M = {}

--- Reads the program's lists. Raises what is no object, and what an object's methods raise.
---@param recvt table
---@param sendt table
---@return cosock.Selection  to be closed; if an error gets in the way, that happens when it is collected
function M.new(recvt, sendt)
  local self = setmetatable({
    objects = { {}, {} },
    waited = { {}, {} },
    substitutes = { {}, {} },
    numbers = {},
    duplicates = {},
  }, Selection)
  self:collect(RECEIVE, recvt)
  self:collect(SEND, sendt)
  if self.owners then
    self:find_owners()
  end
  return self
end

return M
