//! lighttpd.

use std::process::Command;

use rustix::process::Signal;

use super::proxy::{Kind, Promise, Reload};

/// Reads its configuration again on USR1: what was goes on in a process of its own.
pub(super) const LIGHTTPD: Kind = Kind {
    program: "lighttpd",
    missing: "lighttpd is not installed",
    file: "lighttpd.conf",
    values: |place| {
        let (ip, port) = (place.address.ip(), place.address.port());
        vec![
            ("server.port = 80", format!("server.port = {port}\nserver.bind = \"{ip}\"")),
            ("/var/run/echo.socket", place.socket()),
            ("/var/log/lighttpd/", place.path("")),
            ("/var/www/html", place.path("")),
            ("/var/cache/lighttpd/uploads", place.path("")),
        ]
    },
    command: |program, place| {
        let mut command = Command::new(program);
        command.arg("-D").arg("-f").arg(place.file());
        command
    },
    reload: Reload::Signal(Signal::USR1),
    on_reload: |_| Promise::Keeps,
    waits: false,
    has_limit: true,
};
