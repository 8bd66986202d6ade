//! Writes include/dorrit.h from src/, and gives the shared library its name.

use std::env::var;
use std::path::Path;

use cbindgen::{Builder, Config};

fn main() {
    let value = |name: &str| var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let major = value("CARGO_PKG_VERSION_MAJOR");
    if value("CARGO_CFG_TARGET_VENDOR") == "apple" {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libdorrit.{major}.dylib");
        // The callbacks are the program's, found when it is loaded.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-undefined,dynamic_lookup");
    } else {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libdorrit.so.{major}");
    }

    for input in ["src", "include", "cbindgen.toml"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let root = value("CARGO_MANIFEST_DIR");
    let mut config = Config::from_root_or_default(&root);
    let after_includes = config.after_includes.take().unwrap_or_default();
    config.after_includes = Some(format!("\n{}{after_includes}", version_macros(value)));
    let sources = ["callbacks", "exports"].map(|name| Path::new(&root).join("src").join(name));
    let builder = sources.iter().fold(Builder::new().with_config(config), |builder, source| {
        builder.with_src(source.with_extension("rs"))
    });
    let header = builder.generate().expect("cbindgen reads src/");
    // Written only where it differs, so that a tree that may not be written to builds.
    header.write_to_file(Path::new(&root).join("include/dorrit.h"));
}

/// The version as Cargo.toml has it, for the preprocessor.
fn version_macros(value: impl Fn(&str) -> String) -> String {
    let parts = ["MAJOR", "MINOR", "PATCH"].map(|part| {
        format!("#define DORRIT_VERSION_{part} {}\n", value(&format!("CARGO_PKG_VERSION_{part}")))
    });
    format!(
        "/* The version of the library that this header belongs to. */\n\
         #define DORRIT_VERSION \"{}\"\n{}",
        value("CARGO_PKG_VERSION"),
        parts.concat(),
    )
}
