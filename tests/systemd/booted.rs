//! The shipped units under systemd itself.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};

use super::machine::{Machine, replace};
use crate::harness::until;

/// Started, it serves; its log, and the program's, reach the journal under its name and at their
/// priority; and it stops in good order.
#[test]
fn the_service() {
    for source in ["probe.c", "classic/probe.c"] {
        let named = |unit| {
            replace(
                unit,
                "[Service]",
                "[Service]\nEnvironment=PROBE_LOG=/dev/null PROBE_NAME=named",
            )
        };
        let Some(machine) = Machine::boot(source, named) else { return };
        let name = source.trim_end_matches(".c").replace('/', "-");
        machine.run(&format!("systemctl start {name}"));
        // It returns when the server listens.
        let socket = format!("/run/{name}/{name}.socket");
        let found = machine.path(&socket).symlink_metadata().expect("the socket");
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o7777, 0o770);
        assert_ne!(found.uid(), 0);
        let mut client = machine.connect(&socket);
        client.echo("hello");
        if source == "probe.c" {
            assert_eq!(client.ask("!syslog a line of the program"), "logged");
            let lines = machine.log("SYSLOG_IDENTIFIER=named");
            assert!(lines.contains("MESSAGE=a line of the program"), "{lines}");
        }
        assert_eq!(machine.show(&name, "ActiveState"), "active");
        machine.run(&format!("systemctl kill --signal=USR1 --kill-whom=main {name}"));
        let figures = until(|| {
            let lines = machine.log(&format!("--unit={name} PRIORITY=5"));
            lines.contains("MESSAGE=named: connections=1 ").then_some(())
        });
        assert!(figures.is_some(), "{}", machine.log(""));
        if source == "classic/probe.c" {
            let mut crashing = machine.connect(&socket);
            crashing.text("!crash segv");
            crashing.expect_end();
            client.expect_end();
            client = machine.connect(&socket);
            client.echo("here again");
            assert_eq!(machine.show(&name, "NRestarts"), "0", "it starts itself anew");
        }
        machine.run(&format!("systemctl stop {name}"));
        client.expect_close(1001);
        assert_eq!(machine.show(&name, "Result"), "success");
        assert_eq!(machine.show(&name, "ExecMainStatus"), "0");
        assert!(!machine.path(&socket).exists());
    }
}

/// A reload has the server started anew: systemd takes the new process for the service, without a word of
/// complaint, and the client that is there is told to come again.
#[test]
fn the_reload() {
    for source in ["probe.c", "classic/probe.c"] {
        let soon = |unit| replace(unit, "/%p.socket\n", "/%p.socket --drain 0\n");
        let Some(machine) = Machine::boot(source, soon) else { return };
        let name = source.trim_end_matches(".c").replace('/', "-");
        machine.run(&format!("systemctl start {name}"));
        let socket = format!("/run/{name}/{name}.socket");
        for _ in 0..3 {
            let before = machine.show(&name, "MainPID");
            let mut client = machine.connect(&socket);
            client.echo("before");
            machine.run(&format!("systemctl reload {name}"));
            client.expect_close(1012);
            let after = until(|| Some(machine.show(&name, "MainPID")).filter(|it| *it != before));
            assert!(after.is_some(), "{}", machine.log(""));
            machine.connect(&socket).echo("after");
        }
        assert_eq!(machine.show(&name, "ActiveState"), "active");
        assert_eq!(machine.show(&name, "NRestarts"), "0");
        let lines = machine.log("_PID=1");
        assert!(!lines.contains("notification message from PID"), "{lines}");
        machine.run(&format!("systemctl stop {name}"));
        assert_eq!(machine.show(&name, "Result"), "success");
        assert!(!machine.path(&socket).exists());
    }
}

/// systemd listens, on both kinds of sockets, and the server starts with the first client; it needs no
/// network for TCP, and leaves systemd's file as it is.
#[test]
fn the_socket() {
    let tcp =
        |unit: String| unit.replace("#ListenStream=127.0.0.1:8080", "ListenStream=127.0.0.1:8080");
    let Some(machine) = Machine::boot("probe.c", tcp) else { return };
    machine.run("systemctl start probe.socket");
    assert_eq!(machine.show("probe", "ActiveState"), "inactive");
    let stat = || machine.run("stat --format='%i %A %U %G' /run/probe.socket");
    let before = stat();
    assert!(before.ends_with("srw-rw---- root www-data"), "{before}");
    machine.connect("/run/probe.socket").echo("hello");
    assert_eq!(machine.show("probe", "ActiveState"), "active");
    assert!(!machine.path("/run/probe/probe.socket").exists(), "-l does not count");
    let request = "exec 3<>/dev/tcp/127.0.0.1/8080; printf \"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n\" >&3; head -n 1 <&3";
    let answer = machine.run(&format!("bash -c '{request}'"));
    assert_eq!(answer, "HTTP/1.1 426 Upgrade Required");
    machine.run("systemctl stop probe");
    assert_eq!(machine.show("probe", "Result"), "success");
    assert_eq!(stat(), before);
    // Again with the next client.
    machine.connect("/run/probe.socket").echo("hello");
    assert_eq!(stat(), before);
}

/// A server that hangs is started again.
#[test]
fn the_watchdog() {
    let soon = |unit| replace(unit, "WatchdogSec=30", "WatchdogSec=1");
    let Some(machine) = Machine::boot("probe.c", soon) else { return };
    machine.run("systemctl start probe");
    machine.run("mkfifo -m 666 /opt/fifo");
    let mut client = machine.connect("/run/probe/probe.socket");
    client.text("!hang /opt/fifo");
    let again = until(|| (machine.show("probe", "NRestarts") == "1").then_some(()));
    assert!(again.is_some(), "{}", machine.log(""));
    assert!(machine.log("").contains("Watchdog timeout"), "{}", machine.log(""));
    let serves = until(|| (machine.show("probe", "ActiveState") == "active").then_some(()));
    assert!(serves.is_some(), "{}", machine.log(""));
    machine.connect("/run/probe/probe.socket").echo("hello");
    machine.run("systemctl stop probe");
}

/// What the unit says is to be loosened for -p is enough.
#[test]
fn with_a_port() {
    let loosened = |unit| {
        let lines = "PrivateNetwork=yes\nRestrictAddressFamilies=AF_UNIX\nIPAddressDeny=any\n";
        let unit = replace(unit, lines, "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n");
        replace(unit, " -x -l %t/%p/%p.socket", " -x -p 8080")
    };
    let Some(machine) = Machine::boot("probe.c", loosened) else { return };
    machine.run("systemctl start probe");
    machine.run("bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080'");
    machine.run("systemctl stop probe");
    assert_eq!(machine.show("probe", "Result"), "success");
}

/// Without -x the daemon says that it is the server, which systemd believes with NotifyAccess=all.
#[test]
fn a_daemon() {
    let daemon = |unit| {
        let unit = replace(unit, "NotifyAccess=main", "NotifyAccess=all");
        replace(unit, " -x -l", " -l")
    };
    let Some(machine) = Machine::boot("probe.c", daemon) else { return };
    machine.run("systemctl start probe");
    machine.connect("/run/probe/probe.socket").echo("hello");
    let main = machine.show("probe", "MainPID");
    let listed = machine.run("cat /sys/fs/cgroup/system.slice/probe.service/cgroup.procs");
    assert_eq!(listed, main, "the one process that is left is the main one");
    machine.run("systemctl stop probe");
    assert_eq!(machine.show("probe", "Result"), "success");
    assert!(!machine.path("/run/probe/probe.socket").exists());
}
