--- Coroutine networking: plain blocking socket code in tasks that never block each other.

local require, native = ...

local install = require "cosock.install"
local loop = require "cosock.loop"
local tasks = require "cosock.task"

---@class cosock
local M = {
  _VERSION = "cosock-rs 0.1.0",
  asyncify = require "cosock.asyncify",
  spawn = tasks.spawn,
  reset = tasks.reset,
  get_thread_metadata = tasks.get_thread_metadata,
  run = loop.run,
  set_error_handler = loop.set_error_handler,
  install = install.install,
  uninstall = install.uninstall,
  channel = require "cosock.channel",
  coroutine = require "cosock.coroutine",
  socket = require "cosock.socket",
  -- nil where TLS is left out.
  ssl = native.modules["cosock.ssl"] and require "cosock.ssl" or nil,
  timers = require "cosock.timers",
}

return M
