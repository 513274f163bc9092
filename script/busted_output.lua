-- An output handler for busted: shows failures only, and writes each event to the file named with -Xoutput as it
-- happens. So nothing a spec prints is taken for a result, and when the interpreter crashes, hangs or exits in the
-- middle, the file tells in which test.
return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base" ()
  local events = assert(io.open(options.arguments[1], "w"))

  local function write(event, name)
    events:write(event, " ", (name:gsub("\n", " ")), "\n")
    events:flush()
  end

  busted.subscribe({ "test", "start" }, function(element)
    write("started", handler.getFullName(element))
    return nil, true
  end)

  busted.subscribe({ "test", "end" }, function(element, _, status)
    if status == "success" or status == "pending" then
      write(status, handler.getFullName(element))
    end
    return nil, true
  end)

  -- Errors are also those of a file that does not load, of before_each, of teardown.
  for _, kind in ipairs { "failure", "error" } do
    busted.subscribe({ kind }, function(element, _, message, trace)
      local name = handler.getFullName(element)
      write("failed", name)
      print(kind .. ": " .. name)
      print(tostring(message))
      if kind == "error" and trace and trace.traceback then
        print(trace.traceback)
      end
      print()
      io.flush()
      return nil, true
    end)
  end

  busted.subscribe({ "exit" }, function()
    write("finished", "")
    events:close()
    return nil, true
  end)

  return handler
end
