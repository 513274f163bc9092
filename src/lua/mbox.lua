--- Takes mail messages, and mailboxes in the mbox format, apart.

local require = ...

local argument = require "cosock.argument"

---@class cosock.mbox
local M = {}

--- A message.
---@class cosock.Message
---@field headers table<string, string>  the values, by the name in lower case
---@field body string

--- A text argument with its line endings as LF.
local function text_of(value, name)
  return (argument.string(value, 1, name):gsub("\r\n", "\n"))
end

--- Splits a message at its first empty line.
---
--- Raises if `message` is no string. So do all functions here.
---@param message string
---@return string headers
---@return string body  with line endings as LF; "" if there is none
function M.split_message(message)
  message = text_of(message, "split_message")
  local empty = message:find("\n\n", 1, true)
  if empty then
    return message:sub(1, empty), message:sub(empty + 2)
  elseif message:sub(1, 1) == "\n" then
    return "", message:sub(2)
  end
  return message, ""
end

--- Splits the headers of a message into lines. A line that begins with spaces goes on with the one before.
---@param headers string
---@return string[]
function M.split_headers(headers)
  headers = text_of(headers, "split_headers"):gsub("\n +", " ")
  local lines = {}
  for line in headers:gmatch "[^\n]+" do
    lines[#lines + 1] = line
  end
  return lines
end

--- Takes a header apart.
---@param header string
---@return string? name  nil if it is none
---@return string? value
function M.parse_header(header)
  header = argument.string(header, 1, "parse_header"):gsub("\n +", " "):gsub("\n", "")
  local before, value = header:match "^([^:]*):%s*(.*)$"
  if not before then
    return nil, nil
  end
  return before:match "^.*%s(.*)$" or before, value
end

--- Takes all headers apart. What stands in several of the same name is joined with ", ".
---@param headers string
---@return table<string, string> headers  the values, by the name in lower case
function M.parse_headers(headers)
  headers = argument.string(headers, 1, "parse_headers")
  local lists = {}
  for _, line in ipairs(M.split_headers(headers)) do
    local name, value = M.parse_header(line)
    if name then
      name = name:lower()
      lists[name] = lists[name] or {}
      table.insert(lists[name], value)
    end
  end
  local values = {}
  for name, list in pairs(lists) do
    values[name] = table.concat(list, ", ")
  end
  return values
end

--- Takes the value of a `From` header apart: `"Name" <address>`, or an address only.
---@param from string
---@return string name  without quotes; the address if there is none
---@return string address
function M.parse_from(from)
  from = argument.string(from, 1, "parse_from")
  local name, address = from:match "^([^<]*)<([^>]*)>"
  if address then
    -- In two steps, as one would try every way to share blanks between the two ends.
    name = name:match "^.*%S"
    name = name and name:match "^%s*(.*)$" or address
  else
    address = from:match "^%s*(.+)$" or ""
    name = address
  end
  return (name:gsub('"', "")), address
end

--- Splits a mailbox into messages: at every line that begins with "From " after an empty one. The first message
--- keeps its own.
---@param mailbox string
---@return string[]
function M.split_mbox(mailbox)
  mailbox = text_of(mailbox, "split_mbox")
  local messages = {}
  local from = 1
  repeat
    local boundary, line = mailbox:find("\n\nFrom ", from, true)
    messages[#messages + 1] = mailbox:sub(from, (boundary or 0) - 1)
    from = boundary and mailbox:find("\n", line + 1, true)
    from = from and from + 1
  until not from
  return messages
end

--- Takes a message apart.
---@param message string
---@return cosock.Message
function M.parse_message(message)
  message = argument.string(message, 1, "parse_message")
  local headers, body = M.split_message(message)
  return { headers = M.parse_headers(headers), body = body }
end

--- Takes a mailbox apart.
---@param mailbox string
---@return cosock.Message[]
function M.parse(mailbox)
  mailbox = argument.string(mailbox, 1, "parse")
  local messages = M.split_mbox(mailbox)
  for index, message in ipairs(messages) do
    messages[index] = M.parse_message(message)
  end
  return messages
end

return M
