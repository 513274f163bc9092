# The one entrance. The work is done by the scripts in script/, which read the variables below from the environment.
#
#   LUA       interpreter, as a command or a path; when empty: all that are found (build), the six we support (test),
#             the newest one (run, demo, bench, install)
#   FEATURES  further cargo features: vendored-openssl
#   TLS       no: leave out what needs OpenSSL
#   EXAMPLE   run: the program, without folder and extension
#   ARGS      run, bench: arguments of the program
#   SPEC      test: the specs to run, files or folders; FILTER: only tests whose name matches this Lua pattern
#   PREFIX    install: goes into PREFIX/lib/lua/<version> and PREFIX/bin; DESTDIR is put before it; INSTALL_CMOD is a folder
#             for the module alone
LUA ?=
FEATURES ?=
TLS ?= yes
EXAMPLE ?=
ARGS ?=
SPEC ?=
FILTER ?=
PREFIX ?= /usr/local
DESTDIR ?=
INSTALL_CMOD ?=
export LUA FEATURES TLS SPEC FILTER PREFIX DESTDIR INSTALL_CMOD

.PHONY: build setup run demo test lint bench install clean help

build: ## Build the module: build/<interpreter>/cosock.so
	@script/build

setup: ## Install what build and tests need and this system lacks
	@script/setup test

run: ## Run an example: make run EXAMPLE=client_server
	$(if $(EXAMPLE),,$(error say which: make run EXAMPLE=$(notdir $(basename $(firstword $(wildcard examples/*.lua))))))
	@script/run examples/$(EXAMPLE).lua $(ARGS)

demo: ## From a bare system to two tasks that talk over a socket
	@script/setup build
	@script/run examples/client_server.lua

test: ## Run everything that can fail; the last line counts
	@script/setup test
	@script/test

lint: ## Run the formatter's check and the linters only
	@script/setup test
	@script/test lint

bench: ## Run the benchmarks
	@script/setup build
	@script/run bench/run $(ARGS)

install: ## Install the module and the command: make install PREFIX=/usr/local LUA=lua5.4
	@script/install

clean: ## Remove everything that was built
	rm -rf build
	cargo clean

help: ## Show this list
	@awk -F ":.*## " 'NF == 2 && /^[a-z]/ { printf "make %-9s %s\n", $$1, $$2 }' Makefile
