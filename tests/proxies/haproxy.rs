//! HAProxy.

use std::process::Command;

use rustix::process::Signal;

use super::proxy::{Kind, Promise, Reload};

/// Reads its configuration again on USR2, by a new worker.
pub(crate) const HAPROXY: Kind = Kind {
    program: "haproxy",
    missing: "HAProxy is not installed",
    file: "haproxy.cfg",
    values: |place| {
        let mut values = vec![
            ("bind :80", format!("bind {}", place.address)),
            ("/var/run/echo.socket", place.socket()),
            ("/run/haproxy/admin.sock", place.path("admin")),
        ];
        if !rustix::process::geteuid().is_root() {
            // It does not start where it cannot become them.
            values.extend([("\tuser haproxy\n", "".into()), ("\tgroup www-data\n", "".into())]);
        }
        values
    },
    command: |program, place| {
        let mut command = Command::new(program);
        command.args(["-W", "-db", "-f"]).arg(place.file());
        command
    },
    reload: Reload::Signal(Signal::USR2),
    on_reload: |_| Promise::Keeps,
    waits: false,
    has_limit: true,
};
