//! Caddy.

use std::path::Path;
use std::process::Command;

use super::proxy::{Kind, Promise, Reload};
use crate::harness::find;

/// Reads its configuration again when it is told so through its administration endpoint.
pub(super) const CADDY: Kind = Kind {
    program: "caddy",
    missing: "Caddy is not installed",
    file: "Caddyfile",
    values: |place| {
        let (ip, port) = (place.address.ip(), place.address.port());
        let mut values = vec![
            (":80 {", format!(":{port} {{\n\tbind {ip}")),
            ("/var/run/echo.socket", place.socket()),
            ("admin localhost:2019", format!("admin unix/{}", place.path("admin"))),
        ];
        // As the file says to whoever has a Caddy that knows it.
        if find("caddy").is_some_and(|program| can_delay(&program)) {
            values.push(("#stream_close_delay", "stream_close_delay".into()));
        }
        values
    },
    command: |program, place| {
        let mut command = if rustix::process::geteuid().is_root() {
            // It does not change its user by itself; Debian's unit does.
            let mut command = Command::new("setpriv");
            command.args(["--reuid=caddy", "--regid=caddy", "--init-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.arg("run").arg("--config").arg(place.file());
        // Where it keeps certificates, of which it makes none here, and its last configuration.
        command.env("HOME", place.path("")).env("XDG_DATA_HOME", place.path(""));
        command
    },
    reload: Reload::Command(|place| {
        let mut command = Command::new(find("caddy").expect("it runs"));
        command.arg("reload").arg("--force").arg("--config").arg(place.file());
        command
    }),
    on_reload: |program| if can_delay(program) { Promise::KeepsOpen } else { Promise::Cuts },
    waits: true,
    has_limit: false,
};

/// Whether it knows stream_close_delay, which 2.7 brought: "2.6.2", "v2.7.6 h1:...".
fn can_delay(program: &Path) -> bool {
    let output = Command::new(program).arg("version").output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.trim_start_matches('v').split(['.', ' ']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (2, 7),
        _ => panic!("no version: {text:?}"),
    }
}
