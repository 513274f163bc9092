-- Making contexts: every field of a configuration, and what is wrong with one. (Compared with LuaSec:
-- differential_spec.lua.)

local peers = require "spec.support.peers"
local ssl = require "cosock.ssl"
local tls = require "spec.support.tls"

local client, server = tls.client, tls.server

local function refused(configuration)
  local context, err = ssl.newcontext(configuration)
  assert.is_nil(context)
  return err
end

describe("newcontext", function()
  it("makes a context", function()
    local context = assert(ssl.newcontext(client()))
    assert.is_truthy(tostring(context):find("^SSL context: "))
  end)

  it("refuses what is no configuration", function()
    for _, value in ipairs { 5, "x", true } do
      assert.equal(("bad argument #1 to 'newcontext' (table expected, got %s)"):format(type(value)),
        peers.raised(function()
          ssl.newcontext(value)
        end))
    end
  end)

  it("names the field that is of the wrong type, and where it was called", function()
    local function raised(field, value)
      local ok, message = pcall(ssl.newcontext, client { [field] = value })
      assert.is_false(ok)
      return message
    end
    for _, field in ipairs {
      "protocol", "mode", "key", "certificate", "cafile", "capath", "ciphers", "ciphersuites", "curve", "curveslist",
      "hostname",
    } do
      assert.is_truthy(raised(field, {}):find(
        ("field '%s': string expected, got table"):format(field), 1, true), field)
    end
    for _, field in ipairs { "verify", "options", "verifyext", "dane" } do
      assert.is_truthy(raised(field, { {} }):find(
        ("field '%s': string expected, got table"):format(field), 1, true), field)
      -- What is behind a hole must not be passed over.
      assert.is_truthy(raised(field, { nil, "x" }):find(
        ("field '%s': string expected, got nil"):format(field), 1, true), field)
    end
    assert.is_truthy(raised("certificates", "x"):find("field 'certificates': table expected, got string", 1, true))
    assert.is_truthy(raised("certificates", { nil, {} }):find(
      "field 'certificates': array of tables expected, got nil", 1, true))
    assert.is_truthy(raised("certificates", { "x" }):find(
      "field 'certificates': array of tables expected, got string", 1, true))
    assert.is_truthy(raised("depth", "x"):find("field 'depth': number expected, got string", 1, true))
    for _, number in ipairs { 1.5, 1e300, 2 ^ 63, -1 / 0, 0 / 0 } do
      assert.is_truthy(raised("depth", number):find("field 'depth': number has no integer representation", 1, true))
    end
    assert.is_truthy(raised("dane", { "x" }):find("field 'dane': invalid option 'x'", 1, true))
    local _, message = pcall(function()
      ssl.newcontext(client { key = {} }) -- this line
    end)
    assert.is_truthy(message:find("context_spec.lua:%d+: bad argument to 'newcontext' %(field 'key'"), message)
    _, message = pcall(function()
      ssl.wrap(tls.sockets(), client { key = {} })
    end)
    assert.is_truthy(message:find("context_spec.lua:%d+: bad argument to 'wrap' %(field 'key'"), message)
  end)

  it("requires a protocol and a mode", function()
    for _, field in ipairs { "protocol", "mode" } do
      local configuration = client { [field] = false }
      assert.equal(("bad argument to 'newcontext' (field '%s': string expected, got boolean)"):format(field),
        peers.raised(function()
          ssl.newcontext(configuration)
        end))
    end
  end)

  it("says what is wrong with a private key", function()
    assert.equal("error loading private key (No such file or directory)", refused(client { key = "/no/such/file" }))
    assert.is_truthy(refused(client { key = tls.file "server.pem" }):find("^error loading private key %(%l"))
    assert.equal("invalid password type", refused(client { key = tls.file "encrypted.key", password = true }))
    assert.equal("error loading private key (bad decrypt)",
      refused(client { key = tls.file "encrypted.key", password = "wrong" }))
    assert.equal("error loading private key (bad decrypt)",
      refused(client { key = tls.file "encrypted.key", password = function() return 5 end }))
    assert.equal("private key does not match public key",
      refused(client { key = tls.file "client.key", certificate = tls.file "server.pem" }))
  end)

  it("says what is wrong with a certificate", function()
    assert.equal("error loading certificate (No such file or directory)",
      refused(client { certificate = "/no/such/file" }))
    assert.equal("error loading certificate (no start line)", refused(client { certificate = tls.file "server.key" }))
  end)

  it("says what is wrong with the authorities", function()
    assert.equal("error loading CA locations (No such file or directory)", refused(client { cafile = "/no/such/file" }))
    assert.is_truthy(refused(client { cafile = tls.file "server.key" }):find("^error loading CA locations %("))
  end)

  it("says what is wrong with ciphers", function()
    assert.equal("error setting cipher list (no cipher match)", refused(client { ciphers = "x" }))
    assert.equal("error setting cipher list (no cipher match)", refused(client { ciphersuites = "x" }))
  end)

  it("says what is wrong with a hostname", function()
    assert.equal("invalid hostname ()", refused(client { hostname = "" }))
    assert.equal("invalid hostname (a\0b)", refused(client { hostname = "a\0b" }))
  end)

  it("does not take another failure's reason for this one's", function()
    refused(client { certificate = tls.file "server.key" })
    assert.equal("error setting cipher list (no cipher match)", refused(client { ciphers = "x" }))
  end)

  it("loads an encrypted key with a password, or a function that gives one", function()
    local asked = 0
    for _, password in ipairs { "secret", function()
      asked = asked + 1
      return "secret"
    end } do
      assert(ssl.newcontext(server { key = tls.file "encrypted.key", password = password }))
      assert.same({ "ok", "ok" }, { tls.outcome(client(),
        server { key = tls.file "encrypted.key", password = password }) })
    end
    assert.equal(2, asked)
  end)

  it("does not ask for the password of a key that has none", function()
    assert(ssl.newcontext(server { password = function() error "asked" end }))
  end)

  it("passes on what a password function raises", function()
    local problem = {}
    local ok, raised = pcall(ssl.newcontext, server {
      key = tls.file "encrypted.key", password = function() error(problem) end,
    })
    assert.is_false(ok)
    assert.equal(problem, raised)
  end)

  it("takes no file's name with a NUL in it", function()
    for field, what in pairs {
      key = "private key", certificate = "certificate", cafile = "CA locations", capath = "CA locations",
    } do
      local file = tls.file(field == "capath" and "ca" or "server.pem")
      assert.equal(("error loading %s (file name contained an unexpected NUL byte)"):format(what),
        refused(client { [field] = file .. "\0" }))
    end
  end)

  it("finds authorities in a folder", function()
    assert.same({ "ok", "ok" }, { tls.outcome(client { cafile = false, capath = tls.file "ca" }, server()) })
  end)

  it("takes certificates in place of the three fields", function()
    assert.same({ "ok", "ok" }, { tls.outcome(client(), server {
      key = "/no/such/file", certificate = "/no/such/file",
      certificates = { { key = tls.file "server.key", certificate = tls.file "server.pem" } },
    }) })
  end)

  it("limits the length of a chain", function()
    local outcome = tls.outcome(client { depth = 0 }, server())
    assert.equal("certificate verify failed", outcome)
    assert.equal("ok", (tls.outcome(client { depth = 1 }, server())))
  end)

  it("does not touch the configuration", function()
    local configuration = client { verify = { "peer" }, options = { "all" } }
    assert(ssl.newcontext(configuration))
    assert.same(client { verify = { "peer" }, options = { "all" } }, configuration)
  end)
end)

describe("a context", function()
  it("can be shared, and outlives its last reference", function()
    local client_context, server_context = assert(ssl.newcontext(client())), assert(ssl.newcontext(server()))
    local one, other = tls.ends(client_context, server_context)
    local third, fourth = tls.ends(client_context, server_context)
    client_context, server_context = nil, nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.is_true(tls.shake_hands(one, other).ok)
    assert.is_true(tls.shake_hands(third, fourth).ok)
  end)

  it("changes how later connections verify", function()
    local context = assert(ssl.newcontext(client()))
    local stranger = server { key = tls.file "stranger.key", certificate = tls.file "stranger.pem" }
    assert.equal("certificate verify failed", (tls.outcome(context, stranger)))
    assert.is_true(context:setverifyext("lsec_continue"))
    assert.equal("ok", (tls.outcome(context, stranger)))
    assert.is_true(context:setverifyext())
    assert.equal("certificate verify failed", (tls.outcome(context, stranger)))
    assert.same({ false, "invalid verify option (x)" }, { context:setverifyext("x") })
    assert.same({ false, "invalid verify option (5)" }, { context:setverifyext(5) })
    assert.equal("bad argument #1 to 'setverifyext' (string expected, got table)", peers.raised(function()
      context:setverifyext({})
    end))
  end)
end)
