rockspec_format = "3.0"
package = "cosock-rs"
version = "scm-1"

source = {
   url = "git+https://github.com/cosock/cosock-rs.git",
   branch = "main",
}

description = {
   summary = "Tasks, sockets and channels for stock Lua",
   detailed = [[
      A coroutine runtime with LuaSocket's interfaces: while one task waits for a socket, a timer or a channel, the
      others run. Building it takes a Rust toolchain.
   ]],
   homepage = "https://github.com/cosock/cosock-rs",
   license = "MIT OR Apache-2.0",
}

supported_platforms = { "unix" }

dependencies = {
   "lua >= 5.1, < 5.6",
}

build = {
   type = "make",
   build_target = "build",
   install_target = "install",
   build_variables = {
      LUA = "$(LUA)",
   },
   install_variables = {
      LUA = "$(LUA)",
      INSTALL_CMOD = "$(LIBDIR)",
   },
   install = {
      bin = { "bin/cosock" },
   },
}

test = {
   type = "command",
   command = "make test",
}
