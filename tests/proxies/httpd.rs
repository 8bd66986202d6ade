//! Apache httpd.

use std::process::Command;

use rustix::process::Signal;

use super::proxy::{Kind, Promise, Reload};

/// Reads its configuration again on USR1, which is what `apachectl graceful` sends.
pub(super) const HTTPD: Kind = Kind {
    program: "apache2",
    missing: "Apache httpd is not installed",
    file: "httpd.conf",
    values: |place| {
        vec![
            ("Listen 80", format!("Listen {}", place.address)),
            ("<VirtualHost *:80>", format!("<VirtualHost {}>", place.address)),
            ("/var/run/echo.socket", place.socket()),
            ("/run/apache2/apache2.pid", place.path("pid")),
            ("DefaultRuntimeDir /run/apache2", format!("DefaultRuntimeDir {}", place.path(""))),
            ("/var/log/apache2/", place.path("")),
        ]
    },
    command: |program, place| {
        let mut command = Command::new(program);
        command.arg("-DFOREGROUND").arg("-f").arg(place.file());
        command
    },
    reload: Reload::Signal(Signal::USR1),
    on_reload: |_| Promise::Keeps,
    waits: false,
    has_limit: true,
};
