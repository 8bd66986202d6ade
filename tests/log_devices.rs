//! Log devices that are gone or full: the server goes on, and says what it could not say.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::harness::{Launch, Need, Server, Syslog, fill_datagrams, skipped, until};

const SYSLOGD: &str = "/dev/log";

/// Has the figures written, and sees that the server goes on.
fn log_a_line(server: &Server) {
    server.signal(Signal::USR1);
    // The signal is dealt with before what comes after it.
    server.connect().echo("after the line");
    server.connect().echo("and again");
}

/// Standard error is full for ever: one line says so to syslog.
#[test]
fn standard_error_is_full() {
    let Some(syslog) = Syslog::listen() else {
        return;
    };
    if skipped(&[Need::Has(Path::new("/dev/full").exists(), "there is no /dev/full")]) {
        return;
    }
    let launch = Launch::probe();
    let name = launch.unique_name();
    let full = ["sh", "-c", "exec \"$0\" \"$@\" 2>/dev/full"];
    let mut server = launch.name(&name).under(full).start();
    (0..3).for_each(|_| log_a_line(&server));
    syslog.await_line(&name, "standard error takes no lines: No space left on device");
    server.stop();
    assert_eq!(syslog.lines(&name).len(), 1, "{:?}", syslog.lines(&name));
}

/// Standard error is a pipe whose reader has gone: neither the line nor the signal ends the server.
#[test]
fn standard_error_is_gone() {
    let launch = Launch::probe();
    let (pipe, command) = pipe_for(&launch);
    let mut server = launch.under(["sh", "-c", &command]).start();
    drop(pipe);
    (0..3).for_each(|_| log_a_line(&server));
    server.stop();
}

/// CONTRACT S13: the same where the program has given SIGPIPE its default back, also where standard error is a
/// socket, as systemd's is.
#[test]
fn standard_error_is_gone_and_sigpipe_would_end_it() {
    let launch = Launch::probe();
    let (pipe, command) = pipe_for(&launch);
    let mut server = launch.env("PROBE_SIGPIPE", "default").under(["sh", "-c", &command]).start();
    drop(pipe);
    (0..3).for_each(|_| log_a_line(&server));
    server.stop();

    let (ours, its) = UnixStream::pair().expect("a pair of sockets");
    let as_stderr = "unset LISTEN_PID LISTEN_FDS; exec \"$0\" \"$@\" 2>&3 3>&-";
    let launch = Launch::probe().env("PROBE_SIGPIPE", "default").passing([Some(its.into())]);
    let mut server = launch.under(["sh", "-c", as_stderr]).start();
    drop(ours);
    (0..3).for_each(|_| log_a_line(&server));
    server.stop();
}

/// Standard streams are closed: no line goes to whatever gets their numbers.
#[test]
fn standard_streams_are_closed() {
    let closed = ["sh", "-c", "exec \"$0\" \"$@\" <&- >&- 2>&-"];
    let mut server = Launch::probe().under(closed).start();
    for stream in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(server.process().link(stream), Path::new("/dev/null"), "{stream}");
    }
    (0..3).for_each(|_| log_a_line(&server));
    server.stop();
}

/// Standard error is a pipe that nobody reads: the server waits for nobody, and says how many lines it
/// could not write when there is room again.
#[test]
fn standard_error_is_a_pipe_that_nobody_reads() {
    let launch = Launch::probe();
    let (mut pipe, command) = pipe_for(&launch);
    fill(&mut pipe);
    let mut server = launch.under(["sh", "-c", &command]).start();
    (0..3).for_each(|_| log_a_line(&server));
    empty(&mut pipe);
    log_a_line(&server);
    let text = until(|| {
        let text = empty(&mut pipe);
        text.contains("connections=").then_some(text)
    });
    let text = text.expect("a line");
    let lost = text.split_once(" lines of the log were lost before this\n");
    let (lost, rest) = lost.unwrap_or_else(|| panic!("{text}"));
    let lost: u32 = lost.strip_prefix("server: ").and_then(|it| it.parse().ok()).expect("a number");
    assert!(lost >= 3, "{text}");
    assert_eq!(rest.matches("connections=").count(), 1, "{text}");
    server.stop();
}

/// A pipe for its standard error, and how a shell starts it with that.
fn pipe_for(launch: &Launch) -> (File, String) {
    let path = launch.dir().join("out/pipe");
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo runs").success());
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let pipe = OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(&path);
    (pipe.expect("a pipe"), format!("exec \"$0\" \"$@\" 2>'{}'", path.display()))
}

/// Writes until there is no room.
fn fill(pipe: &mut File) {
    loop {
        match pipe.write(&[b'f'; 4096]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        }
    }
}

fn empty(pipe: &mut File) -> String {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    while let Ok(len @ 1..) = pipe.read(&mut part) {
        bytes.extend_from_slice(&part[..len]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The syslogd ends, and another one comes, which hears what it has missed.
#[test]
fn syslog_is_gone_for_a_while() {
    let Some(syslog) = Syslog::listen() else {
        return;
    };
    let launch = Launch::probe();
    let name = launch.unique_name();
    let mut server = launch.name(&name).start_daemon();
    server.signal(Signal::USR1);
    syslog.await_line(&name, "connections=");
    let turn = syslog.go();
    log_a_line(&server);
    let syslog = Syslog::come(turn);
    server.signal(Signal::USR1);
    syslog.await_line(&name, "connections=");
    syslog.await_line(&name, "1 lines of the log were lost before this");
    server.stop();
}

/// A syslogd that does not read: syslog(3) would wait for it for ever.
#[test]
fn syslog_is_full() {
    let Some(_turn) = Syslog::absent() else {
        return;
    };
    let syslogd = Deaf::bind();
    let launch = Launch::probe();
    let name = launch.unique_name();
    let mut server = launch.name(&name).start_daemon();
    (0..3).for_each(|_| log_a_line(&server));
    syslogd.empty();
    server.signal(Signal::USR1);
    let said = until(|| {
        let lines: Vec<String> =
            syslogd.empty().into_iter().filter(|line| line.contains(&name)).collect();
        lines.last().is_some_and(|line| line.contains("connections=")).then_some(lines)
    });
    let said = said.expect("a line");
    assert!(said[0].contains("lines of the log were lost before this"), "{said:?}");
    server.stop();
}

/// A syslogd whose socket is full.
struct Deaf(UnixDatagram);

impl Deaf {
    fn bind() -> Deaf {
        let socket = UnixDatagram::bind(SYSLOGD).expect("/dev/log can be bound");
        let deaf = Deaf(socket);
        std::fs::set_permissions(SYSLOGD, Permissions::from_mode(0o666)).expect("its mode");
        deaf.0.set_nonblocking(true).expect("a flag");
        fill_datagrams(SYSLOGD.as_ref());
        deaf
    }

    /// What has come.
    fn empty(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut buffer = [0; 8192];
        while let Ok(len) = self.0.recv(&mut buffer) {
            lines.push(String::from_utf8_lossy(&buffer[..len]).into_owned());
        }
        lines
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(SYSLOGD);
    }
}
