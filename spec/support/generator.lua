--- Pseudo-random test data: the same on every interpreter and in every run.

local Generator = {}
Generator.__index = Generator

--- Makes a generator.
---@param seed integer  1 or more
---@return table generator
function Generator.new(seed)
  return setmetatable({ state = seed }, Generator)
end

--- The next number from 1 to `limit`.
---@param limit integer
---@return integer
function Generator:number(limit)
  -- Lehmer's generator; all of it fits into a double.
  self.state = self.state * 16807 % 2147483647
  return self.state % limit + 1
end

--- Whether, in one of two cases.
---@return boolean
function Generator:coin()
  return self:number(2) == 1
end

--- One of an array's elements.
---@param array any[]
---@return any
function Generator:pick(array)
  return array[self:number(#array)]
end

--- Up to `most` pieces, joined.
---@param pieces string[]
---@param most integer
---@return string
function Generator:text(pieces, most)
  local parts = {}
  for index = 1, self:number(most + 1) - 1 do
    parts[index] = self:pick(pieces)
  end
  return table.concat(parts)
end

--- Cuts a text into pieces at random places; some are empty.
---@param text string
---@return string[]
function Generator:split(text)
  local pieces = {}
  local from = 1
  while from <= #text do
    local to = math.min(from + self:number(4) ^ 2 - 2, #text)
    pieces[#pieces + 1] = text:sub(from, to)
    from = to + 1
  end
  return pieces
end

return Generator
