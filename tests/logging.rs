//! The log: its levels, what clients can make of it, whose name its lines carry, and where they go.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;

use rustix::process::Signal;

use crate::harness::{Frame, Launch, Request, Server, Syslog, Variant, say};

fn violate(server: &Server) {
    let mut client = server.connect();
    client.send(&Frame::text("x").unmasked());
    client.expect_close(1002);
}

/// What clients do wrong is worth a line at the level of debug alone.
#[test]
fn the_faults_of_clients_are_for_debugging() {
    for (level, is_said) in [("info", false), ("debug", true)] {
        let mut server = Launch::probe().args(["--log-level", level]).start();
        violate(&server);
        let mut refused = server.raw();
        refused.send_bytes(b"no HTTP\r\n\r\n");
        refused.response();
        server.connect().echo("hello");
        server.stop();
        let stderr = server.stderr();
        for line in ["a client is dropped: frame without a mask", "a client is answered 400: "] {
            assert_eq!(stderr.contains(line), is_said, "{level}: {stderr}");
        }
    }
}

/// Each level leaves out what matters less.
#[test]
fn levels() {
    for (level, has_figures, has_warning) in
        [("error", false, false), ("warning", false, true), ("notice", true, true)]
    {
        let mut server = Launch::probe().args(["--log-level", level]).start();
        let mut client = server.connect();
        assert_eq!(client.ask("!name"), "named");
        server.signal(Signal::USR1);
        client.echo("hello");
        drop(client);
        server.stop();
        let stderr = server.stderr();
        assert_eq!(stderr.contains("ws_set_name"), has_warning, "{level}: {stderr}");
        assert_eq!(stderr.contains("connections="), has_figures, "{level}: {stderr}");
    }
    let ended = Launch::probe().args(["--log-level", "loud"]).run();
    assert_eq!(ended.code, Some(1));
    let line = "server: --log-level loud: must be error, warning, notice, info or debug\n";
    assert_eq!(ended.stderr, line);
}

/// USERS 54: a hundred thousand faults are a few lines, which say how many there were.
#[test]
fn a_flood_of_faults_is_a_few_lines() {
    const FAULTS: u64 = 100_000;
    const THREADS: u64 = 2;
    let launch = Launch::of("autobahn.c", Variant::Default);
    let mut server = launch.args(["--log-level", "debug"]).start();
    let socket = server.socket();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let bytes = [Request::new().bytes(), Frame::text("").unmasked().bytes()].concat();
                (0..FAULTS / THREADS).for_each(|_| misbehave(socket, &bytes));
            });
        }
    });
    server.connect().echo("hello");
    server.stop();
    let stderr = server.stderr();
    say(&format!("{FAULTS} faults: {} lines", stderr.lines().count()));
    let faults: Vec<_> = stderr.lines().filter(|line| line.contains("without a mask")).collect();
    // Two for each minute that it took.
    assert!(stderr.lines().count() < 30, "{stderr}");
    let count = |line: &&str| -> u64 {
        let times = line.split_once('(').and_then(|(_, rest)| rest.split_once(" times more)"));
        times.map_or(1, |(times, _)| times.parse().expect("a number"))
    };
    assert_eq!(faults.iter().map(count).sum::<u64>(), FAULTS, "{stderr}");
}

fn misbehave(socket: &std::path::Path, bytes: &[u8]) {
    use std::io::Write as _;
    let mut stream = UnixStream::connect(socket).expect("the server is there");
    stream.write_all(bytes).expect("a socket takes so much");
    // The end may come as a reset.
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

/// The same for what clients make the program do wrong.
#[test]
fn a_flood_of_misuse_is_a_few_lines() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    for _ in 0..1000 {
        assert_eq!(client.ask("!name"), "named");
    }
    drop(client);
    server.stop();
    let lines: Vec<String> =
        server.stderr().lines().filter(|it| it.contains("ws_set_name")).map(String::from).collect();
    assert!((2..10).contains(&lines.len()), "{lines:?}");
    assert!(lines.last().is_some_and(|line| line.ends_with(" times more)")), "{lines:?}");
}

/// CONTRACT D6: in the foreground the library's lines go to standard error, the program's there and to
/// syslog, all under the server's name.
#[test]
fn names_in_the_foreground() {
    let Some(syslog) = Syslog::listen() else {
        return;
    };
    let launch = Launch::probe();
    let name = launch.unique_name();
    let mut server = launch.name(&name).start();
    assert_eq!(server.connect().ask("!syslog a line of the program"), "logged");
    syslog.await_line(&format!("{name}["), "a line of the program");
    let line = server.await_stderr("a line of the program");
    assert!(line.starts_with(&format!("{name}[")), "{line}");
    server.signal(Signal::USR1);
    let line = server.await_stderr("connections=");
    assert!(line.starts_with(&format!("{name}: connections=")), "{line}");
    server.stop();
    assert_eq!(syslog.lines(&name).len(), 1, "{:?}", syslog.lines(&name));
}

/// CONTRACT D6, D7: as a daemon both go to syslog, each at its priority.
#[test]
fn names_of_a_daemon() {
    let Some(syslog) = Syslog::listen() else {
        return;
    };
    let launch = Launch::probe();
    let name = launch.unique_name();
    let mut server = launch.name(&name).start_daemon();
    assert_eq!(server.connect().ask("!syslog a line of the program"), "logged");
    let program = syslog.await_line(&format!("{name}["), "a line of the program");
    server.signal(Signal::USR1);
    let library = syslog.await_line(&format!("{name}["), "connections=");
    // LOG_DAEMON is 3 << 3, and LOG_NOTICE is 5.
    assert!(program.starts_with("<29>") && library.starts_with("<29>"), "{program} {library}");
    server.stop();
}

/// `--log-stderr`: a daemon's lines go to the standard error that it was started with, the program's too.
#[test]
fn a_daemon_that_logs_to_standard_error() {
    let Some(syslog) = Syslog::listen() else {
        return;
    };
    let launch = Launch::probe();
    let name = launch.unique_name();
    let mut server = launch.name(&name).args(["--log-stderr"]).start_daemon();
    for (descriptor, is_kept) in [("fd/0", false), ("fd/1", false), ("fd/2", true)] {
        let is_null = server.process().link(descriptor) == std::path::Path::new("/dev/null");
        assert_eq!(is_null, !is_kept, "{descriptor}");
    }
    server.signal(Signal::USR1);
    let line = server.await_stderr("connections=");
    assert!(line.starts_with(&format!("{name}: connections=")), "{line}");
    assert_eq!(server.connect().ask("!syslog a line of the program"), "logged");
    server.await_stderr("a line of the program");
    syslog.await_line(&name, "a line of the program");
    server.stop();
    assert_eq!(syslog.lines(&name).len(), 1, "{:?}", syslog.lines(&name));
}

/// Under systemd lines carry their priority, where its stream is what standard error is. The program's come
/// to it by syslog alone.
#[test]
fn names_under_systemd() {
    for (is_its_stream, beginning) in [(true, "<5>"), (false, "")] {
        let launch = Launch::probe();
        let file = std::fs::File::create(launch.dir().join("out/stderr")).expect("a file");
        let file = file.metadata().expect("it is open");
        let inode = file.ino() + u64::from(!is_its_stream);
        let stream = format!("{}:{inode}", file.dev());
        let name = launch.unique_name();
        let mut server = launch.name(&name).env("JOURNAL_STREAM", &stream).start();
        server.signal(Signal::USR1);
        let line = server.await_stderr("connections=");
        assert!(line.starts_with(&format!("{beginning}{name}: connections=")), "{line}");
        assert_eq!(server.connect().ask("!syslog a line of the program"), "logged");
        assert_eq!(server.stderr().contains("a line of the program"), !is_its_stream);
        server.stop();
    }
}
