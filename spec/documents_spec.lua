-- The programs in the documents: each is one for every interpreter.

local load = loadstring or load

describe("the Lua code in", function()
  for _, path in ipairs { "README.md", "docs/migration.md" } do
    it(path .. " compiles", function()
      local file = assert(io.open(path))
      local text = file:read "*a"
      file:close()
      local count = 0
      for code in text:gmatch "\n```lua\n(.-)\n```" do
        count = count + 1
        local chunk, err = load(code, "=" .. path)
        assert.is_function(chunk, ("%s\n%s"):format(tostring(err), code))
      end
      assert.is_true(count > 0)
    end)
  end
end)
