-- The same scripts on `cosock.ssl` and on LuaSec, where that is installed: the results must be the same. Where they
-- differ on purpose is in docs/differences.md, and in the other specs.

local ssl = require "cosock.ssl"
local tls = require "spec.support.tls"

local luasec = tls.luasec()
local client, server = tls.client, tls.server

local function show(value)
  if type(value) == "number" then
    return ("%.14g"):format(value)
  elseif type(value) == "string" then
    return ("%q"):format((value:gsub("0x%x+", "<address>")))
  elseif type(value) ~= "table" then
    return (tostring(value):gsub("0x%x+", "<address>"))
  end
  local parts = {}
  for key, item in pairs(value) do
    parts[#parts + 1] = ("[%s]=%s"):format(show(key), show(item))
  end
  table.sort(parts)
  return "{" .. table.concat(parts, ", ") .. "}"
end

-- LuaSec's functions do not know their names, and say "no value" of an argument that is missing.
local function plain(message)
  message = tostring(message):gsub("^[^:\n]+:%d+: ", ""):gsub("to '[^']*'", "to '?'"):gsub("got no value", "got nil")
  return (message:gsub("0x%x+", "<address>"))
end

-- Collects what calls return or raise: `record("label", connection.receive, connection, 5)`.
local function transcript(subject, scenario)
  local lines = {}
  scenario(subject, function(label, fn, ...)
    local results, count = {}, 0
    local function keep(...)
      results, count = { ... }, select("#", ...)
    end
    keep(pcall(fn, ...))
    if not results[1] then
      lines[#lines + 1] = label .. " raises " .. plain(results[2])
      return
    end
    local shown = {}
    for index = 2, count do
      shown[index - 1] = show(results[index])
    end
    lines[#lines + 1] = label .. " -> " .. table.concat(shown, ", ")
  end)
  return lines
end

local function the_same(title, scenario)
  it(title, function()
    if not luasec then
      pending "LuaSec is not installed"
    end
    local expected = transcript(luasec, scenario)
    assert(#expected > 0, "nothing was recorded")
    assert.same(expected, transcript(ssl, scenario))
  end)
end

-- Two ends of a connection of one implementation, which wait for nothing.
local function pair(subject, client_changes, server_changes)
  local one, other = tls.pair(client(client_changes), server(server_changes), subject, subject)
  one:settimeout(0)
  other:settimeout(0)
  return one, other
end

describe("as LuaSec", function()
  for name, value in pairs {
    ["an unknown protocol"] = { protocol = "tlsv9", mode = "client" },
    ["a number as protocol"] = { protocol = 1, mode = "client" },
    ["an unknown mode"] = { protocol = "any", mode = "x" },
    ["a wrong key password"] = { key = "encrypted.key", password = "wrong" },
    ["a wrong password type"] = { key = "encrypted.key", password = true },
    ["a certificate without one"] = { certificate = "server.key" },
    ["key and certificate of different people"] = { key = "client.key", certificate = "server.pem" },
    ["a folder that is not there"] = { capath = "/no/such/folder" },
    ["an unknown verify option"] = { verify = "x" },
    ["a number as verify option"] = { verify = { "peer", 5 } },
    ["an unknown option"] = { options = { "all", "x" } },
    ["no options"] = { options = {} },
    ["an unknown verify extension"] = { verifyext = "x" },
    ["a wrong dhparam"] = { dhparam = "x" },
    ["an unknown curve"] = { curve = "x" },
    ["a curve for lists only"] = { curve = "X25519" },
    ["an unknown curve in a list"] = { curveslist = "P-256:x" },
    ["a list of curves"] = { curveslist = "P-256:P-384" },
    ["ALPN that is neither string nor table"] = { alpn = true },
    ["an empty ALPN name"] = { alpn = "" },
    ["an empty ALPN list"] = { alpn = {} },
    ["a long ALPN name"] = { alpn = { ("x"):rep(256) } },
    ["a string as a server's ALPN"] = { mode = "server", alpn = "x" },
    ["a depth"] = { depth = "3" },
    ["DANE"] = { dane = true },
    ["no certificates"] = { certificates = {} },
    ["everything false"] = { key = false, certificate = false, cafile = false, verify = false, options = false },
  } do
    the_same("newcontext answers " .. name, function(subject, record)
      local configuration = { protocol = "any", mode = "client" }
      for field, content in pairs(value) do
        local is_file = field == "key" or field == "certificate"
        configuration[field] = is_file and content and tls.file(content) or content
      end
      record(name, function()
        local context, err = subject.newcontext(configuration)
        return context and "a context" or nil, err
      end)
    end)
  end

  the_same("objects are shown", function(subject, record)
    local context = assert(subject.newcontext(client()))
    local connection = assert(subject.wrap(tls.sockets(), context))
    record("context", tostring, context)
    record("connection", tostring, connection)
    record("certificate", tostring, subject.loadcertificate(tls.contents "root.pem"))
    connection:close()
    record("closed", tostring, connection)
  end)

  the_same("a connection before its handshake answers", function(subject, record)
    local connection = assert(subject.wrap(tls.sockets(), client()))
    record("send", connection.send, connection, "abc")
    record("send from", connection.send, connection, "abc", 3)
    record("receive", connection.receive, connection)
    record("receive with a prefix", connection.receive, connection, "*l", "prefix")
    for _, name in ipairs {
      "dirty", "info", "getpeercertificate", "getpeerchain", "getpeerverification", "getfinished",
      "getpeerfinished", "getalpn", "getsniname",
    } do
      record(name, connection[name], connection)
    end
    record("exportkeyingmaterial", connection.exportkeyingmaterial, connection, "label", 3)
    record("settimeout", connection.settimeout, connection, "x")
    record("settimeout's mode", connection.settimeout, connection, 1, "x")
    record("settimeout 1", connection.settimeout, connection, 1, "t")
  end)

  the_same("a closed connection answers", function(subject, record)
    local connection = assert(subject.wrap(tls.sockets(), client()))
    record("close", connection.close, connection)
    record("close again", connection.close, connection)
    record("send", connection.send, connection, "abc", 2)
    record("receive", connection.receive, connection, "*l", "prefix")
    for _, name in ipairs {
      "dirty", "getfd", "want", "info", "getpeercertificate", "getpeerchain", "getpeerverification",
      "getfinished", "getpeerfinished",
    } do
      record(name, connection[name], connection)
    end
  end)

  the_same("a wrong self is refused", function(subject, record)
    local connection = assert(subject.wrap(tls.sockets(), client()))
    for _, name in ipairs { "dohandshake", "send", "receive", "close", "info", "getfd", "want", "dirty" } do
      record(name, connection[name], 5)
    end
    for _, name in ipairs { "dohandshake", "send", "receive", "getfd", "want", "dirty", "setdane", "settlsa" } do
      if connection[name] then
        record(name, connection[name], false)
      end
    end
    local inner = subject == ssl and require "cosock.socket" or require "socket"
    record("a socket", connection.getfd, inner.tcp())
    record("a context", connection.getfd, assert(subject.newcontext(client())))
    record("a certificate", connection.getfd, subject.loadcertificate(tls.contents "root.pem"))
    local context = assert(subject.newcontext(client()))
    record("setverifyext", context.setverifyext, 5)
  end)

  the_same("what was negotiated is told", function(subject, record)
    for _, version in ipairs { "tlsv1_2", "tlsv1_3" } do
      local one, other = pair(subject, { protocol = version })
      for title, connection in pairs { client = one, server = other } do
        record(title, connection.info, connection)
        for _, field in ipairs { "cipher", "bits", "export", "compression", "nothing" } do
          record(title .. " " .. field, connection.info, connection, field)
        end
        record(title .. " finished", function()
          return #connection:getfinished(), #connection:getpeerfinished()
        end)
        record(title .. " exported", function()
          return #connection:exportkeyingmaterial("EXPORTER-x", 20),
            connection:exportkeyingmaterial("EXPORTER-x", 20)
              == connection:exportkeyingmaterial("EXPORTER-x", 20, "")
        end)
        record(title .. " reserved label", function()
          local bytes, err = connection:exportkeyingmaterial("client finished", 20)
          return bytes and #bytes, err
        end)
        record(title .. " want", connection.want, connection)
        record(title .. " once more", connection.dohandshake, connection)
      end
    end
  end)

  the_same("names and labels may be any bytes", function(subject, record)
    local one, other = pair(subject)
    local keys = {}
    for _, label in ipairs { "\255", "\254", "\239\191\189", "a\0b", "a", "" } do
      keys[#keys + 1] = one:exportkeyingmaterial(label, 16)
      assert(keys[#keys] == other:exportkeyingmaterial(label, 16))
    end
    for index, key in ipairs(keys) do
      for earlier = 1, index - 1 do
        record(("%d and %d"):format(earlier, index), rawequal, keys[earlier], key)
      end
    end
    for _, name in ipairs { "\228.test", "a.test\0b" } do
      local asking, asked = tls.ends(client { verify = "none" }, server(), subject, subject)
      asking:sni(name)
      tls.shake_hands(asking, asked)
      record("name", asked.getsniname, asked)
    end
  end)

  for _, version in ipairs { "tlsv1_2", "tlsv1_3" } do
    -- Bytes of one are the other's: the same keys come of the same labels.
    it("labels with zero bytes make the same keys as LuaSec's, with " .. version, function()
      if not luasec then
        pending "LuaSec is not installed"
      end
      local one, other = tls.pair(client { protocol = version }, server(), ssl, luasec)
      assert.equal(other:exportkeyingmaterial("a\0b\255", 32), one:exportkeyingmaterial("a\0b\255", 32))
    end)
  end

  the_same("patterns, prefixes and ranges are read", function(subject, record)
    local one, other = pair(subject)
    for _, pattern in ipairs { -1, "x", {}, 1.5 } do
      record("receive " .. tostring(type(pattern)), other.receive, other, pattern)
    end
    record("a wrong prefix", other.receive, other, "*l", {})
    record("a prefix that is enough", other.receive, other, 2, "prefix")
    record("a number", other.send, other, 5)
    for _, range in ipairs { {}, { 2 }, { 2, 1 }, { -1 }, { 10 }, { 1, 10 }, { "x" } } do
      record("range " .. table.concat(range, ","), other.send, other, "abc", range[1], range[2])
    end
    record("nothing", other.send, other, "")
    record("nil", other.send, other, nil)
    record("everything", one.receive, one, "*a")
    record("statistics", function()
      local received, sent = other:getstats()
      return received, sent
    end)
    record("setstats", other.setstats, other, 5, 6)
    record("statistics", function()
      local received, sent = other:getstats()
      return received, sent
    end)
  end)

  the_same("partial results are handed over", function(subject, record)
    local one, other = pair(subject)
    record("nothing yet", other.receive, other)
    record("want", other.want, other)
    one:send("abc")
    record("a part", other.receive, other)
    record("a prefix alone", other.receive, other, "*l", "prefix")
    record("no byte", other.receive, other, 0)
    one:send("xyz\n")
    record("no byte wanted", other.receive, other, 0)
    record("two bytes", other.receive, other, 2)
    record("dirty", other.dirty, other)
    record("the rest", other.receive, other, "*l", "prefix")
    record("dirty", other.dirty, other)
    other:settimeout(0.01)
    record("a limit", other.receive, other)
    other:settimeout(-1)
    other:settimeout(0.01, "t")
    record("a total limit", other.receive, other)
  end)

  the_same("a clean end is told", function(subject, record)
    for _, pattern in ipairs { "*l", "*a", 20 } do
      local one, other = pair(subject)
      one:send("some\nmore")
      one:close()
      record("receive", other.receive, other, pattern)
      record("again", other.receive, other, pattern)
      record("once more", other.receive, other, pattern, "prefix")
      record("want", other.want, other)
      record("dirty", other.dirty, other)
    end
  end)

  the_same("an unexpected end is told", function(subject, record)
    local one, other = pair(subject)
    one:send("partial")
    tls.vanish(one)
    record("receive", other.receive, other, "*a")
    one, other = pair(subject, nil, { options = "ignore_unexpected_eof" })
    one:send("partial")
    tls.vanish(one)
    record("ignored", other.receive, other, "*a")
    record("ignored again", other.receive, other)
  end)

  the_same("names are sent, looked up and told", function(subject, record)
    local other_context = assert(subject.newcontext(server {
      certificate = tls.file "elsewhere.pem", key = tls.file "elsewhere.key",
    }))
    for _, case in ipairs {
      { title = "nothing asked", strict = true },
      { title = "a known name", name = "elsewhere.test", strict = true },
      { title = "another name", name = "nowhere.test" },
      { title = "another name, strictly", name = "nowhere.test", strict = true },
      { title = "an address", name = "127.0.0.1" },
    } do
      local one, other = tls.ends(client(), server(), subject, subject)
      record(case.title .. ": map", other.sni, other, { ["elsewhere.test"] = other_context }, case.strict)
      if case.name then
        record(case.title .. ": name", one.sni, one, case.name)
      end
      record(case.title .. ": handshake", tls.shake_hands, one, other)
      record(case.title .. ": asked", one.getsniname, one)
      record(case.title .. ": was asked", other.getsniname, other)
      record(case.title .. ": certificate", function()
        local certificate = one:getpeercertificate()
        return certificate and certificate:subject()
      end)
    end
  end)

  the_same("a protocol is agreed on", function(subject, record)
    for _, case in ipairs {
      { "h2", { "h2" } },
      { { "a", "b" }, { "b", "a" } },
      { { "a" }, { "b" } },
      { { "a", "b" }, function(names) return names[2] end },
      { { "a", "b" }, function() return { "c", "b", "a" } end },
      { { "a" }, function() return nil end },
      { { "a" }, function() return "b" end },
      { { "a" }, function() return { 5 } end },
      { { "a" }, function() return "" end },
      { nil, { "a" } },
      { "a", nil },
    } do
      local one, other = tls.ends(client { alpn = case[1] }, server { alpn = case[2] }, subject, subject)
      record("handshake", tls.shake_hands, one, other)
      record("client", one.getalpn, one)
      record("server", other.getalpn, other)
    end
  end)

  -- What each certificate is worth, however it is looked at. (A server's on a client.)
  for _, verify in ipairs { "none", "peer" } do
    for _, extensions in ipairs {
      {}, { "lsec_continue" }, { "lsec_ignore_purpose" }, { "crl_check", "lsec_continue" },
      { "crl_check", "crl_check_chain", "lsec_continue" },
    } do
      the_same(("certificates are verified: %s, %s"):format(verify, table.concat(extensions, " ")),
        function(subject, record)
          for _, name in ipairs {
            "server", "server-rsa", "expired", "early", "stranger", "self-signed", "client", "revoked", "elsewhere",
          } do
            local one, other = tls.ends(
              client { verify = verify, verifyext = extensions, cafile = tls.file "trusted.pem" },
              server { key = tls.file(name .. ".key"), certificate = tls.file(name .. ".pem") }, subject, subject)
            record(name .. ": handshake", tls.shake_hands, one, other)
            record(name .. ": verification", one.getpeerverification, one)
          end
        end)
    end
  end

  the_same("clients' certificates are verified", function(subject, record)
    for _, verify in ipairs { "none", "peer", { "peer", "fail_if_no_peer_cert" }, { "peer", "client_once" } } do
      for _, name in ipairs { "client", "stranger", "server", false } do
        for _, version in ipairs { "tlsv1_2", "tlsv1_3" } do
          local one, other = tls.ends(
            client {
              protocol = version,
              key = name and tls.file(name .. ".key"),
              certificate = name and tls.file(name .. ".pem"),
            },
            server { verify = verify, cafile = tls.file "root.pem" }, subject, subject)
          record("handshake", tls.shake_hands, one, other)
          record("verification", other.getpeerverification, other)
          one:settimeout(0)
          record("refusal", one.receive, one, 1)
          record("certificate", function()
            local certificate = other:getpeercertificate()
            return certificate and certificate:subject()
          end)
        end
      end
    end
  end)

  the_same("chains are told", function(subject, record)
    local one = pair(subject)
    for position = -1, 3 do
      record("certificate " .. position, function()
        local certificate, err = one:getpeercertificate(position)
        return certificate and certificate:subject(), err
      end)
    end
    record("chain", function()
      local subjects = {}
      for position, certificate in ipairs(one:getpeerchain()) do
        subjects[position] = certificate:subject()
      end
      return subjects
    end)
  end)

  the_same("certificates are read", function(subject, record)
    for _, name in ipairs { "wild", "client", "server-rsa", "root", "self-signed", "server" } do
      local certificate = subject.loadcertificate(tls.contents(name .. ".pem"))
      for _, encoding in ipairs { "ai5", "utf8", "nothing", "utf8 and more" } do
        record("setencode", certificate.setencode, certificate, encoding)
        record("subject", certificate.subject, certificate)
        record("issuer", certificate.issuer, certificate)
        record("extensions", certificate.extensions, certificate)
      end
      for _, method in ipairs { "notbefore", "notafter", "serial", "pubkey", "pem", "getsignaturename" } do
        record(method, certificate[method], certificate)
      end
      for _, algorithm in ipairs { "sha1", "sha256", "sha512", "md5", "SHA1" } do
        record("digest", certificate.digest, certificate, algorithm)
      end
      record("digest", certificate.digest, certificate)
      for _, time in ipairs { 0, os.time(), os.time() + 60 * 24 * 3600, 1.5, "x" } do
        record("validat", certificate.validat, certificate, time)
      end
      record("issued", certificate.issued, certificate, certificate)
      record("issued to a number", certificate.issued, certificate, 5)
    end
    record("no certificate", subject.loadcertificate, "x")
    record("nothing", subject.loadcertificate, nil)
  end)

  the_same("who vouches for whom is found out", function(subject, record)
    local function load(name)
      return subject.loadcertificate(tls.contents(name .. ".pem"))
    end
    for _, case in ipairs {
      { "root", "client" }, { "root", "server", "intermediate" }, { "root", "server" }, { "root", "expired" },
      { "other-root", "client" }, { "other-root", "stranger" }, { "client", "root" },
    } do
      record(table.concat(case, " "), function()
        local root = load(case[1])
        return root:issued(load(case[2]), case[3] and load(case[3]))
      end)
    end
  end)

  the_same("the configuration of this build is told", function(subject, record)
    for _, field in ipairs { "protocols", "algorithms", "curves", "options" } do
      record(field, function()
        return subject.config[field]
      end)
    end
  end)
end)
