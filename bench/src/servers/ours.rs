//! libdorrit, and the limit that it is held against.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::places::Places;
use super::server::{Kind, Server};
use super::tools::{compile, is_newer, succeed};

pub(super) fn limit(server: &mut Server, places: &Places) -> Result<(), String> {
    let sources = places.bench.join("servers");
    let headers = ["listen.h", "posting.h"].map(|name| sources.join(name));
    for name in ["limit", "eventfd"] {
        let (source, program) = (sources.join(name).with_extension("c"), server.place.join(name));
        if !is_newer(&program, &[&source, &headers[0], &headers[1]]) {
            compile(&source, &program, ["-pthread"])?;
        }
    }
    server.title = "the limit: a bare epoll loop".into();
    Ok(())
}

/// As a user would: `cc -O2 echo.c -ldorrit`.
pub(super) fn dorrit(
    server: &mut Server,
    places: &Places,
    library: Option<&Path>,
    builds: bool,
) -> Result<(), String> {
    let root = places.bench.parent().ok_or("no directory above bench")?;
    if library.is_none() && builds {
        let manifest = root.join("Cargo.toml");
        let args = ["build", "--release", "--quiet", "--package", "dorrit", "--manifest-path"];
        succeed(Command::new("cargo").args(args).arg(manifest))?;
    }
    let built = root.join("target/release/libdorrit.so");
    let library = library.unwrap_or(&built);
    // A copy: what is built meanwhile does not change a run.
    let copy = server.place.join("libdorrit.so");
    let link = server.place.join("libdorrit.so.3");
    for file in [&copy, &link] {
        let _ = fs::remove_file(file);
    }
    fs::copy(library, &copy).map_err(|error| format!("libdorrit.so: {error}"))?;
    std::os::unix::fs::symlink("libdorrit.so", &link).map_err(|error| error.to_string())?;
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = "));
    server.kind = Kind::Dorrit;
    server.title = format!("libdorrit {}", version.unwrap_or("").trim_matches('"'));
    let headers = root.join("include");
    let mut failure = Ok(());
    let programs = [
        ("echo", true),
        ("broadcast", true),
        ("full", false),
        ("work", true),
        ("queue", false),
        ("post", false),
        ("health", false),
    ];
    for (program, is_needed) in programs {
        let source = places.bench.join("servers").join(program).with_extension("c");
        let program = server.place.join(program);
        let result = compile(
            &source,
            &program,
            [
                OsStr::new("-I"),
                headers.as_os_str(),
                OsStr::new("-L"),
                server.place.as_os_str(),
                OsStr::new("-ldorrit"),
                OsStr::new("-pthread"),
            ],
        );
        if result.is_err() {
            let _ = fs::remove_file(program);
            if is_needed {
                failure = result;
            }
        }
    }
    failure
}
