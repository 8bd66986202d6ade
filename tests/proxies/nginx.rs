//! nginx.

use std::process::Command;

use rustix::process::Signal;

use super::proxy::{Kind, Promise, Reload};

/// Reads its configuration again on HUP, by new workers.
pub(crate) const NGINX: Kind = Kind {
    program: "nginx",
    missing: "nginx is not installed",
    file: "nginx.conf",
    values: |place| {
        vec![
            ("listen 80", format!("listen {}", place.address)),
            ("/var/run/echo.socket", place.socket()),
            ("/run/nginx.pid", place.path("pid")),
            ("/var/log/nginx/", place.path("")),
        ]
    },
    command: |program, place| {
        let mut command = Command::new(program);
        command.arg("-c").arg(place.file()).args(["-g", "daemon off;"]);
        command
    },
    reload: Reload::Signal(Signal::HUP),
    on_reload: |_| Promise::Keeps,
    waits: false,
    has_limit: true,
};
