--- A `pcall` across which a function may wait: the interpreter's own where that allows it, else the
--- one of `cosock.coroutine`.

local require = ...

local function is_yieldable(call)
  local probe = coroutine.wrap(function()
    return call(coroutine.yield)
  end)
  -- If it is, the first call stops at the yield and returns nothing.
  return probe() == nil
end

return is_yieldable(pcall) and pcall or require("cosock.coroutine").pcall
