//! Link settings of the Lua module.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    match target.as_str() {
        // Lua unloads a C module when its state closes, but a resolver thread may still be inside
        // the module then: it must stay mapped.
        "linux" | "android" | "freebsd" | "netbsd" | "openbsd" | "dragonfly" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        // The Lua API is resolved when the interpreter loads the module.
        "macos" | "ios" => println!("cargo:rustc-cdylib-link-arg=-Wl,-undefined,dynamic_lookup"),
        _ => {}
    }
}
