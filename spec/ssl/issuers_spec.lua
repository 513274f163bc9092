-- What is sent behind our own certificates where their files hold nothing else: those among the trusted ones that
-- vouch for them.

local ssl = require "cosock.ssl"
local tls = require "spec.support.tls"

local client, server = tls.client, tls.server

-- A server whose certificate is the root's, and alone.
local function server_alone(changes)
  changes.key, changes.certificate = tls.file "server-rsa.key", tls.file "server-rsa.pem"
  return server(changes)
end

local function pem_of(chain)
  local texts = {}
  for position, certificate in ipairs(chain) do
    texts[position] = certificate:pem()
  end
  return table.concat(texts)
end

local alone, behind = tls.contents "server-rsa.pem", tls.contents "root.pem"

describe("who vouches for our certificate", function()
  it("is sent with it", function()
    for _, protocol in ipairs { "tlsv1_2", "tlsv1_3" } do
      local one = tls.pair(client { protocol = protocol }, server_alone { cafile = tls.file "root.pem" })
      assert.equal(alone .. behind, pem_of(one:getpeerchain()))
      local _, other = tls.pair(
        client { protocol = protocol, key = tls.file "client.key", certificate = tls.file "client.pem" },
        server { cafile = tls.file "root.pem", verify = "peer" })
      assert.equal(tls.contents "client.pem" .. behind, pem_of(other:getpeerchain()))
    end
  end)

  it("is sent by each of several certificates, and of several contexts", function()
    local pair = { key = tls.file "server-rsa.key", certificate = tls.file "server-rsa.pem" }
    local other_pair = { key = tls.file "server.key", certificate = tls.file "server.pem" }
    local root = tls.file "root.pem"
    for _, certificates in ipairs { { pair, other_pair }, { other_pair, pair } } do
      local both = assert(ssl.newcontext(server { certificates = certificates, cafile = root }))
      local one, other = tls.pair(client { protocol = "tlsv1_2", ciphers = "ECDHE-RSA-AES256-GCM-SHA384" }, both)
      assert.equal(alone .. behind, pem_of(one:getpeerchain()))
      assert.equal(alone, pem_of(other:getlocalchain()))
      one, other = tls.pair(client { protocol = "tlsv1_2", ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384" }, both)
      assert.equal(tls.contents "server.pem", pem_of(one:getpeerchain()))
      assert.equal(tls.contents "server.pem", pem_of(other:getlocalchain()))
    end

    local named = assert(ssl.newcontext(server_alone { cafile = root }))
    local one, other = tls.ends(client(), server())
    other:sni { localhost = named }
    one:sni "localhost"
    tls.shake_hands(one, other)
    assert.equal(alone .. behind, pem_of(one:getpeerchain()))
    assert.equal(alone, pem_of(other:getlocalchain()))
  end)

  it("is not told as ours", function()
    local _, other = tls.pair(client(), server_alone { cafile = tls.file "root.pem" })
    assert.equal(alone, pem_of(other:getlocalchain()))
    assert.is_nil(other:getlocalcertificate(2))
    local one = tls.pair(client { key = tls.file "client.key", certificate = tls.file "client.pem" })
    assert.same({}, one:getlocalchain())
  end)

  it("leaves the certificate that was loaded last where it was", function()
    local pair = { key = tls.file "server-rsa.key", certificate = tls.file "server-rsa.pem" }
    local other_pair = { key = tls.file "server.key", certificate = tls.file "server.pem" }
    for _, certificates in ipairs { { pair, other_pair }, { other_pair, pair } } do
      local one = tls.pair(client { certificates = certificates })
      assert.equal(certificates[2] == pair and alone or tls.contents "server.pem",
        one:getlocalcertificate():pem() .. pem_of(one:getlocalchain()))
    end
  end)

  it("is not looked for where the last certificate has no key, and is not sent", function()
    local certificates = {
      { key = tls.file "server-rsa.key", certificate = tls.file "server-rsa.pem" },
      { certificate = tls.file "client.pem" },
    }
    local _, other = tls.pair(client { protocol = "tlsv1_2", certificates = certificates },
      server { cafile = tls.file "root.pem", verify = "peer" })
    assert.is_nil(other:getpeercertificate())
  end)

  it("is looked for when the first connection is made, and not again", function()
    local folder = tls.new_file "authorities"
    os.execute(("rm -rf %s && cp -r %s %s"):format(folder, tls.file "ca", folder))
    local context = assert(ssl.newcontext(server_alone { capath = folder }))
    local one, other = tls.ends(client(), context)
    os.execute("rm -r " .. folder)
    tls.shake_hands(one, other)
    assert.equal(alone .. behind, pem_of(one:getpeerchain()))
  end)

  it("may not be there", function()
    for _, root in ipairs { false, tls.file "other-root.pem" } do
      local one, other = tls.pair(client(), server_alone { cafile = root })
      assert.equal(alone, pem_of(one:getpeerchain()))
      assert.equal(alone, pem_of(other:getlocalchain()))
    end
  end)

  it("is not looked for behind what a file holds", function()
    local one = tls.pair(client(), server { cafile = tls.file "root.pem" })
    assert.equal(tls.contents "server.pem", pem_of(one:getpeerchain()))
  end)

  it("may be the certificate itself", function()
    local name = tls.file "self-signed.pem"
    local one, other = tls.pair(client { cafile = name }, server {
      key = tls.file "self-signed.key", certificate = name, cafile = name,
    })
    assert.equal(tls.contents "self-signed.pem", pem_of(one:getpeerchain()))
    assert.equal(tls.contents "self-signed.pem", pem_of(other:getlocalchain()))
  end)

  it("is the same as with LuaSec", function()
    local luasec = tls.luasec()
    if not luasec then
      pending "LuaSec is not installed"
    end
    for _, name in ipairs { "server", "server-rsa", "expired", "self-signed", "stranger", "client" } do
      for _, trusted in ipairs { "root", "other-root", "self-signed" } do
        local told = {}
        for position, subject in ipairs { ssl, luasec } do
          local one = tls.pair(client { verify = "none" }, server {
            key = tls.file(name .. ".key"), certificate = tls.file(name .. ".pem"),
            cafile = tls.file(trusted .. ".pem"),
          }, nil, subject)
          told[position] = pem_of(one:getpeerchain())
        end
        assert.equal(told[2], told[1], name .. " " .. trusted)
      end
    end
  end)
end)
