//! nginx, which answers from its configuration.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::client::Address;

/// Its name, and where it lies that no user's PATH may name.
const PROGRAMS: [&str; 3] = ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"];

/// The command that runs it, and its version.
pub(super) fn find() -> Option<(&'static str, String)> {
    PROGRAMS.into_iter().find_map(|program| Some((program, version(program)?)))
}

fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("-v").output().ok()?;
    // nginx version: nginx/1.22.1, on standard error.
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(said.rsplit_once('/')?.1.trim().to_owned())
}

/// One process, so that its processor time is all of it; a configuration and files of its own in `place`.
pub(super) fn command(program: &str, place: &Path, address: &Address) -> io::Result<Command> {
    let listen = match address {
        Address::Unix(path) => format!("unix:{}", path.display()),
        Address::Tcp(port) => format!("127.0.0.1:{port}"),
    };
    let file = place.join("nginx.conf");
    fs::write(&file, include_str!("../../servers/nginx.conf").replace("@LISTEN@", &listen))?;
    let mut command = Command::new(program);
    command.args(["-e", "stderr", "-p"]).arg(place).arg("-c").arg(file);
    Ok(command)
}
