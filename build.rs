//! Writes the header of a C library from its exports, and gives the shared library its name. Both
//! libraries are built by this script.

use std::env::var;
use std::path::Path;

use cbindgen::{Builder, Config};

fn main() {
    let value = |name: &str| var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let name = value("CARGO_PKG_NAME");
    let (top, header, abi) = match name.as_str() {
        "dorrit" => ("", "include/dorrit.h", value("CARGO_PKG_VERSION_MAJOR")),
        "dorrit-classic" => ("../../", "include/classic/dorrit.h", "1".to_owned()),
        other => panic!("{other} is no C library"),
    };
    if value("CARGO_CFG_TARGET_VENDOR") == "apple" {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/lib{name}.{abi}.dylib");
        // The callbacks are the program's, found when it is loaded.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-undefined,dynamic_lookup");
    } else {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,lib{name}.so.{abi}");
    }

    let header = format!("{top}{header}");
    for input in ["src", "cbindgen.toml", &header, &format!("{top}build.rs")] {
        println!("cargo::rerun-if-changed={input}");
    }
    let root = value("CARGO_MANIFEST_DIR");
    let root = Path::new(&root);
    let mut config = Config::from_root_or_default(root);
    let after_includes = config.after_includes.take().unwrap_or_default();
    config.after_includes = Some(format!("\n{}{after_includes}", version_macros(value)));
    // In the order in which the header has them; libdorrit(8) has no more than the first two.
    let sources = ["callbacks", "exports", "requests", "flow", "tasks", "own_main"];
    let sources = sources.map(|name| root.join("src").join(name).with_extension("rs"));
    let sources = sources.iter().filter(|source| source.exists());
    let builder = sources.fold(Builder::new().with_config(config), Builder::with_src);
    // Written only where it differs, so that a tree that may not be written to builds.
    builder.generate().expect("cbindgen reads src/").write_to_file(root.join(header));
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
