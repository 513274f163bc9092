--- Encodings of mail and web bodies, as filters for `cosock.ltn12`.
---
--- The codecs themselves are functions of the lowest level: `result, context = codec(context, chunk, ...)`, where
--- the context is what the function has to be given with the next chunk. Without a chunk they give the rest.

local require, native = ...

local ltn12 = require "cosock.ltn12"
local stream = require "cosock.socket.stream"

local cycle = ltn12.filter.cycle
local codecs = native.mime

--- How long lines are, in bytes.
local LINE_LENGTH = 76

---@class cosock.mime
local M = {
  _VERSION = "MIME 1.0.3",
  --- The encoders, by name.
  ---@type table<string, fun(...): cosock.Filter>
  encodet = {},
  --- The decoders, by name.
  ---@type table<string, fun(...): cosock.Filter>
  decodet = {},
  --- What breaks lines, by name.
  ---@type table<string, fun(...): cosock.Filter>
  wrapt = {},
}

-- The codecs

--- Encodes in base64, without line breaks.
---@param held string?  what the last call held back; nil does nothing
---@param chunk string?
---@return string? encoded  nil if there is no chunk and nothing was held back
---@return string? held  up to two bytes; nil at the end
M.b64 = codecs.b64

--- Decodes base64, skipping bytes that do not belong there. An incomplete end is dropped.
---@param held string?  what the last call held back; nil does nothing
---@param chunk string?
---@return string? decoded  nil if there is no chunk and nothing was held back
---@return string? held  up to three characters; nil at the end
M.unb64 = codecs.unb64

--- Encodes in quoted-printable, without breaking lines. At the end, bytes that were held back are followed by a
--- soft line break.
---@param held string?  what the last call held back; nil does nothing
---@param chunk string?
---@param marker? string  what takes the place of CRLF (CRLF)
---@return string? encoded  nil if there is no chunk and nothing was held back
---@return string? held  up to two bytes; nil at the end
M.qp = codecs.qp

--- Decodes quoted-printable. Escapes that are none stay, bytes that may not stand there and an incomplete end are
--- dropped.
---@param held string?  what the last call held back; nil does nothing
---@param chunk string?
---@return string? decoded  nil if there is no chunk and nothing was held back
---@return string? held  up to two bytes; nil at the end
M.unqp = codecs.unqp

--- Breaks lines of text, and ends them with CRLF.
---@param left integer  how many bytes fit on the current line
---@param chunk string?
---@param length? integer  how many bytes fit on any other (76)
---@return string? text  without a chunk: CRLF if the line has anything on it, else nil
---@return integer left
M.wrp = codecs.wrp

--- Breaks lines of quoted-printable softly.
---@param left integer  how many bytes fit on the current line
---@param chunk string?
---@param length? integer  how many bytes fit on any other (76)
---@return string? text  without a chunk: a soft break if the line has anything on it, else nil
---@return integer left
M.qpwrp = codecs.qpwrp

--- Makes all line endings the same.
---@param last integer  0, or the character with which the last chunk ended if it may be half of a line ending
---@param chunk string?
---@param marker? string  the line ending (CRLF)
---@return string? text  nil without a chunk
---@return integer last
M.eol = codecs.eol

--- Doubles dots at the beginnings of lines.
---@param seen integer  how many characters of a CRLF came last: 2 to begin with
---@param chunk string?
---@return string? text  nil without a chunk
---@return integer seen
M.dot = codecs.dot

-- The filters

---@return cosock.Filter
function M.encodet.base64()
  return cycle(M.b64, "")
end

---@param mode? "binary"|"text"  whether CRLF is data, or ends a line (text)
---@return cosock.Filter
M.encodet["quoted-printable"] = function(mode)
  return cycle(M.qp, "", mode == "binary" and "=0D=0A" or "\r\n")
end

---@return cosock.Filter
function M.decodet.base64()
  return cycle(M.unb64, "")
end

---@return cosock.Filter
M.decodet["quoted-printable"] = function()
  return cycle(M.unqp, "")
end

---@param length? integer  in bytes (76)
---@return cosock.Filter
function M.wrapt.text(length)
  length = length or LINE_LENGTH
  return cycle(M.wrp, length, length)
end

M.wrapt.base64 = M.wrapt.text
M.wrapt.default = M.wrapt.text

---@return cosock.Filter
M.wrapt["quoted-printable"] = function()
  return cycle(M.qpwrp, LINE_LENGTH, LINE_LENGTH)
end

--- Makes a filter that encodes.
---
--- Raises "unknown key (name)" if `encodet` has nothing of that name.
---@param name "base64"|"quoted-printable"|string
---@param mode? "binary"|"text"  of quoted-printable: whether CRLF is data, or ends a line (text)
---@return cosock.Filter
M.encode = stream.choose(M.encodet)

--- Makes a filter that decodes.
---
--- Raises "unknown key (name)" if `decodet` has nothing of that name.
---@param name "base64"|"quoted-printable"|string
---@return cosock.Filter
M.decode = stream.choose(M.decodet)

--- Makes a filter that breaks lines.
---
--- Raises "unknown key (name)" if `wrapt` has nothing of that name.
---@param name? "text"|"base64"|"quoted-printable"|string  text if missing: `wrap(60)`
---@param length? integer  in bytes (76); quoted-printable always has 76
---@return cosock.Filter
M.wrap = stream.choose(M.wrapt)

--- Makes a filter that makes all line endings the same.
---@param marker? string  the line ending (CRLF)
---@return cosock.Filter
function M.normalize(marker)
  return cycle(M.eol, 0, marker)
end

--- Makes a filter that doubles dots at the beginnings of lines, as SMTP wants it.
---@return cosock.Filter
function M.stuff()
  return cycle(M.dot, 2)
end

return M
