//! The other servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::nginx;
use super::places::Places;
use super::server::{Kind, Server};
use super::tools::{compile, is_newer, succeed};

/// Compiled from the sources that the crate carries, with uSockets' epoll and without TLS: the crate's own
/// build takes libuv and OpenSSL, which are slower.
pub(super) fn uws(server: &mut Server, places: &Places) -> Result<(), String> {
    let program = server.place.join("uws");
    let source = places.bench.join("servers/uws.cpp");
    let (root, version) = crate_sources(places, "libuwebsockets-sys")?;
    server.kind = Kind::Uws;
    server.title = format!("uWebSockets (crate libuwebsockets-sys {version})");
    if is_newer(&program, &[&source]) {
        return Ok(());
    }
    let root = root.join("uWebSockets");
    let sockets = root.join("uSockets/src");
    let mut objects = Vec::new();
    for file in ["bsd.c", "context.c", "loop.c", "socket.c", "udp.c", "eventing/epoll_kqueue.c"] {
        let object = server.place.join(file.replace('/', "_")).with_extension("o");
        succeed(
            Command::new("cc")
                .args(["-O3", "-flto=auto", "-DLIBUS_NO_SSL", "-std=gnu11", "-c", "-I"])
                .arg(&sockets)
                .arg(sockets.join(file))
                .arg("-o")
                .arg(&object),
        )?;
        objects.push(object);
    }
    succeed(
        Command::new("c++")
            .args(["-O3", "-flto=auto", "-DLIBUS_NO_SSL", "-std=c++20", "-I"])
            .arg(&sockets)
            .arg("-I")
            .arg(root.join("src"))
            .arg(source)
            .args(objects)
            .args(["-lz", "-o"])
            .arg(&program),
    )
    .map(drop)
}

/// Where cargo keeps the sources of an optional crate, which is thereby fetched and not built.
fn crate_sources(places: &Places, name: &str) -> Result<(PathBuf, String), String> {
    let metadata = succeed(
        Command::new("cargo")
            .args(["metadata", "--format-version", "1", "--locked", "--features", "uws"])
            .arg("--manifest-path")
            .arg(places.bench.join("Cargo.toml")),
    )?;
    let metadata: serde_json::Value =
        serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata: no packages")?;
    let package = packages
        .iter()
        .find(|package| package["name"] == name)
        .ok_or_else(|| format!("{name}: not in Cargo.lock"))?;
    let manifest = package["manifest_path"].as_str().unwrap_or_default();
    let root = Path::new(manifest).parent().ok_or("no directory")?.to_owned();
    Ok((root, package["version"].as_str().unwrap_or_default().to_owned()))
}

pub(super) fn libwebsockets(server: &mut Server, places: &Places) -> Result<(), String> {
    let version = succeed(Command::new("pkg-config").args(["--modversion", "libwebsockets"]))
        .map_err(|_| "not installed (Debian: libwebsockets-dev)".to_owned())?;
    server.kind = Kind::Libwebsockets;
    server.title = format!("libwebsockets {}", version.trim().trim_end_matches('-'));
    let (source, program) =
        (places.bench.join("servers/libwebsockets.c"), server.place.join("libwebsockets"));
    if is_newer(&program, &[&source]) {
        return Ok(());
    }
    let flags = succeed(Command::new("pkg-config").args(["--cflags", "--libs", "libwebsockets"]))?;
    compile(&source, &program, flags.split_whitespace())
}

pub(super) fn rust_peer(server: &mut Server, places: &Places, kind: Kind) -> Result<(), String> {
    let (package, of) = match kind {
        Kind::Fastwebsockets => ("peer-fastwebsockets", "fastwebsockets"),
        _ => ("peer-tungstenite", "tokio-tungstenite"),
    };
    succeed(
        Command::new("cargo")
            .args(["build", "--release", "--quiet", "--locked", "--package", package])
            .arg("--manifest-path")
            .arg(places.bench.join("Cargo.toml")),
    )?;
    let lock = fs::read_to_string(places.bench.join("Cargo.lock")).unwrap_or_default();
    let version = lock
        .split_once(&format!("name = \"{of}\"\nversion = \""))
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or_default();
    server.kind = kind;
    server.title = format!("{of} {version}");
    server.place = places.target.join("release");
    Ok(())
}

pub(super) fn ws(server: &mut Server, places: &Places) -> Result<(), String> {
    let peer = places.bench.join("servers/ws");
    for file in ["package.json", "ws.mjs"] {
        fs::copy(peer.join(file), server.place.join(file)).map_err(|error| error.to_string())?;
    }
    server.installed = which_node()?;
    let installed = server.place.join("node_modules/ws/package.json");
    if !installed.exists() {
        let args = ["install", "--silent", "--no-package-lock", "--no-audit", "--no-fund"];
        succeed(Command::new("npm").args(args).current_dir(&server.place))?;
    }
    let package = fs::read_to_string(installed).map_err(|error| error.to_string())?;
    let package: serde_json::Value =
        serde_json::from_str(&package).map_err(|error| error.to_string())?;
    let node = succeed(Command::new(&server.installed).arg("--version"))?;
    let version = package["version"].as_str().unwrap_or_default();
    server.kind = Kind::Ws;
    server.title = format!("ws {version} on Node {}", node.trim().trim_start_matches('v'));
    Ok(())
}

/// For plain requests alone.
pub(super) fn nginx(server: &mut Server) -> Result<(), String> {
    let (program, version) = nginx::find().ok_or("not installed (Debian: nginx-light)")?;
    server.kind = Kind::Nginx;
    server.installed = program.to_owned();
    server.title = format!("nginx {version}");
    Ok(())
}

fn which_node() -> Result<String, String> {
    ["node", "nodejs"]
        .into_iter()
        .find(|node| succeed(Command::new(node).arg("--version")).is_ok())
        .map(str::to_owned)
        .ok_or_else(|| "node is not installed (Debian: nodejs npm)".into())
}
