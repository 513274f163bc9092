//! Builds Lua and the C part of the command.

fn main() {
    for source in ["src/command.c", "src/states.c", "src/states.h"] {
        println!("cargo:rerun-if-changed={source}");
    }
    let lua = lua_src::Build::new().build(lua_src::Lua55);
    cc::Build::new()
        .files(["src/command.c", "src/states.c"])
        .include(lua.include_dir())
        .warnings_into_errors(true)
        .extra_warnings(true)
        .compile("command");
    // Modules find the whole of Lua in the program that loads them, whatever that uses of it itself.
    println!("cargo:rustc-link-search=native={}", lua.lib_dir().display());
    for library in lua.libs() {
        println!("cargo:rustc-link-lib=static:+whole-archive={library}");
    }
    println!("cargo:rustc-link-arg-bins=-rdynamic");
    for library in ["m", "dl"] {
        println!("cargo:rustc-link-lib={library}");
    }
}
