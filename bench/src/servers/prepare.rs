//! From a server's name to the server.

use std::fs;
use std::path::Path;

use super::ours::{dorrit, limit};
use super::peers::{libwebsockets, nginx, rust_peer, uws, ws};
use super::places::Places;
use super::server::{Kind, Server};

/// Who are measured where no one is named.
pub const NAMES: [&str; 8] = [
    "limit",
    "dorrit",
    "uws",
    "libwebsockets",
    "fastwebsockets",
    "tokio-tungstenite",
    "ws",
    "nginx",
];

/// Builds a server: its name, or NAME=LIBRARY for one of ours with another libdorrit.so.
pub fn prepare(name: &str, places: &Places, builds: bool) -> Result<Server, String> {
    let (name, library) = match name.split_once('=') {
        Some((name, library)) => (name, Some(Path::new(library))),
        None => (name, None),
    };
    let place = places.target.join("servers").join(name);
    fs::create_dir_all(&place).map_err(|error| error.to_string())?;
    let mut server = Server {
        name: name.to_owned(),
        title: String::new(),
        kind: Kind::Limit,
        place,
        installed: String::new(),
    };
    match name {
        _ if library.is_some() => dorrit(&mut server, places, library, builds)?,
        "dorrit" => dorrit(&mut server, places, None, builds)?,
        "limit" => limit(&mut server, places)?,
        "uws" => uws(&mut server, places)?,
        "libwebsockets" | "lws" => libwebsockets(&mut server, places)?,
        "fastwebsockets" => rust_peer(&mut server, places, Kind::Fastwebsockets)?,
        "tokio-tungstenite" | "tungstenite" => rust_peer(&mut server, places, Kind::Tungstenite)?,
        "ws" | "node" => ws(&mut server, places)?,
        "nginx" => nginx(&mut server)?,
        _ => return Err(format!("unknown; known are {}", NAMES.join(", "))),
    }
    Ok(server)
}
