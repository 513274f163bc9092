# shellcheck shell=bash
# Sourced by the other scripts: goes to the root of the repository and says what an interpreter is.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What make hands down (its job server, the variables of its command line) must reach neither cargo nor a nested make.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

# rustup puts cargo where only a new login shell finds it.
PATH=$PATH:${HOME:-}/.cargo/bin

# The default compiler by another name, as luarocks gives it, would have cargo build anew whatever asks for the compiler.
if [[ $(command -v "${CC:-cc}") -ef $(command -v cc) ]]; then unset CC; fi

# Newest first after 5.4, which is the one most people have.
supported="lua5.4 lua5.5 lua5.3 lua5.2 lua5.1 luajit"

# TLS=no leaves out what needs OpenSSL.
cargo_options=()
if [[ ${TLS:-yes} == no ]]; then cargo_options=(--no-default-features); fi

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null
}

# What the code is compiled for as well, where Rust's library for it is installed, to see that it can be.
other_systems="aarch64-apple-darwin x86_64-unknown-freebsd x86_64-unknown-netbsd"

# has_rust_library TARGET
has_rust_library() {
    [[ -d $(rustc --print sysroot)/lib/rustlib/$1/lib ]]
}

# lua_name LUA: what the interpreter is, as one of $supported, whatever its command is called.
lua_name() {
    local name
    has "$1" || die "no such interpreter: $1"
    name=$("$1" -e 'print((type(jit) == "table" and "luajit" or _VERSION:lower():gsub(" ", "")))')
    [[ " $supported " == *" ${name:-?} "* ]] || die "$1 is none of the supported interpreters: $supported"
    echo "$name"
}

# interpreters: the commands of all supported interpreters on PATH. Plain `lua` counts where it is the only command of
# its version.
interpreters() {
    local lua
    for lua in $supported; do
        if has "$lua"; then echo "$lua"; fi
    done
    if has lua && lua=$(lua_name lua 2>/dev/null) && ! has "$lua"; then echo lua; fi
}

# one_interpreter: the one the user named in LUA, else the first found.
one_interpreter() {
    local found
    found=${LUA:-$(interpreters | head -n 1)}
    [[ -n $found ]] || die "no Lua interpreter found; script/setup installs one"
    echo "$found"
}

# module LUA: where the module built for this interpreter lies.
module() {
    echo "build/$(basename "$1")/cosock.so"
}

# copy FROM TO: never changes a file in place, since a running program may have it mapped.
copy() {
    cmp -s "$1" "$2" && return
    mkdir -p "$(dirname "$2")"
    cp "$1" "$2.$$"
    mv -f "$2.$$" "$2"
}
