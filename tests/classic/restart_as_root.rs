//! E6, where root starts the server: the daemon, its pidfile, its helper, and what nobody may not
//! do.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::harness::{Launch, Need, Syslog, skipped, until};
use crate::socket_file::id;

/// A daemon with a name of its own, its socket and its pidfile in /var/run.
fn daemon(arguments: &[&str]) -> (Launch, PathBuf) {
    let launch = Launch::classic().everybodys();
    let name = launch.unique_name();
    let pidfile = PathBuf::from(format!("/var/run/{name}.pid"));
    (launch.name(&name).socket(None).args(arguments.iter().copied()), pidfile)
}

/// The real, the effective, the saved and the file system's user.
fn pid_in(pidfile: &Path) -> i32 {
    let text = std::fs::read_to_string(pidfile).expect("the pidfile");
    text.trim_end().parse().expect("a number")
}

/// CONTRACT E6, D6, D22: a daemon as nobody keeps its process, its pidfile and its helper, and
/// still removes its files.
#[test]
fn a_daemon_as_nobody() {
    if skipped(&[Need::Root]) {
        return;
    }
    let (launch, pidfile) = daemon(&["-u", "nobody", "-f", "conf"]);
    let mut server = launch.start_daemon();
    let process = server.process();
    let mut before = server.processes();
    before.sort_by_key(|it| it.0.as_raw_pid());
    let nobody = id("-u", "nobody");
    for way in ["segv", "bus", "kill-segv"] {
        super::crash(&server, way);
        assert_eq!(pid_in(&pidfile), process.0.as_raw_pid());
        assert_eq!(process.users(), [nobody; 4]);
        let file = server.run_dir().join("conf").display().to_string();
        let again = super::last_start(&server);
        assert_eq!(again, format!("{} uid={nobody}/{nobody} file={file}", process.0));
        let mut now = server.processes();
        now.sort_by_key(|it| it.0.as_raw_pid());
        assert_eq!(now, before, "the same server and the same helper");
    }
    // It is a daemon as before.
    assert_eq!(process.link("cwd"), Path::new("/"));
    for standard in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(process.link(standard), Path::new("/dev/null"), "{standard}");
    }
    assert_eq!(process.session(), process.0.as_raw_pid());
    server.stop();
    assert!(!pidfile.exists() && !server.socket().exists());
    server.await_nobody();
}

/// CONTRACT E6, D6: one that stays root writes its pidfile again.
#[test]
fn a_daemon_as_root() {
    if skipped(&[Need::Root]) {
        return;
    }
    let (launch, pidfile) = daemon(&["-u", "root", "-g", "root"]);
    let mut server = launch.start_daemon();
    for _ in 0..2 {
        super::crash(&server, "segv");
        assert_eq!(pid_in(&pidfile), server.process().0.as_raw_pid());
    }
    server.stop();
    assert!(!pidfile.exists() && !server.socket().exists());
}

/// CONTRACT D6, E6: after a crash, as before, no second server of this name takes the pidfile.
#[test]
fn the_pidfile_stays_its_own() {
    if skipped(&[Need::Root]) {
        return;
    }
    for user in ["root", "nobody"] {
        let (launch, pidfile) = daemon(&["-u", user]);
        let name = launch.unique_name();
        let mut server = launch.start_daemon();
        for is_new_start in [false, true] {
            if is_new_start {
                super::crash(&server, "segv");
            }
            // Not by `name`, whose files would go with this launch.
            let second = Launch::classic().env("PROBE_NAME", &name).run();
            assert_eq!(second.code, Some(1), "{user}, {is_new_start}: {}", second.stderr);
            assert!(second.stderr.contains(&pidfile.display().to_string()), "{}", second.stderr);
            assert_eq!(pid_in(&pidfile), server.process().0.as_raw_pid());
        }
        server.connect().echo("hello");
        server.stop();
        assert!(!pidfile.exists());
    }
}

/// The older manual's remedy: with its setuid bit the new start is root's again until it has
/// changed its user.
#[test]
fn a_setuid_program_is_root_in_ws_init_func() {
    let mounts = procfs::mounts().unwrap_or_default();
    let mut temporary = mounts.iter().filter(|it| it.fs_file == "/tmp");
    if skipped(&[Need::Root]) || temporary.any(|it| it.fs_mntops.contains_key("nosuid")) {
        return;
    }
    let (launch, pidfile) = daemon(&["-u", "nobody"]);
    let program = launch.dir().join("program");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o4755)).expect("root may");
    let mut server = launch.start_daemon();
    let (process, nobody) = (server.process(), id("-u", "nobody"));
    for _ in 0..2 {
        super::crash(&server, "segv");
        assert!(
            super::last_start(&server).contains(&format!(" uid={nobody}/0 ")),
            "{}",
            super::last_start(&server)
        );
        assert_eq!(process.users(), [nobody; 4]);
        assert_eq!(process.status().capprm, 0);
        assert_eq!(pid_in(&pidfile), process.0.as_raw_pid());
    }
    server.stop();
    assert!(!pidfile.exists() && !server.socket().exists());
    server.await_nobody();
}

/// CONTRACT E6: where the server's user may not execute the program there is no new start: the
/// signal ends it, and its files go.
#[test]
fn a_program_that_its_user_may_not_execute() {
    if skipped(&[Need::Root]) {
        return;
    }
    let (launch, pidfile) = daemon(&["-u", "nobody"]);
    let program = launch.dir().join("program");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).expect("root may");
    let mut server = launch.start_daemon();
    let mut client = server.connect();
    client.text("!crash segv");
    client.expect_end();
    assert_eq!(server.wait_signal(), Signal::SEGV.as_raw());
    server.await_nobody();
    assert!(!pidfile.exists() && !server.socket().exists());
    assert_eq!(super::starts(&server), 1);
}

/// CONTRACT E6, S19: the directory of the start need not be one that the server's user may enter.
#[test]
fn started_in_a_directory_of_roots() {
    if skipped(&[Need::Root]) {
        return;
    }
    for is_daemon in [false, true] {
        let launch = Launch::classic().everybodys().args(["-u", "nobody", "-f", "conf"]);
        let (run_dir, name) = (launch.run_dir(), launch.unique_name());
        std::fs::set_permissions(&run_dir, PermissionsExt::from_mode(0o700)).expect("root may");
        let launch = launch.name(&name).socket(None);
        let mut server = if is_daemon { launch.start_daemon() } else { launch.start() };
        let file = format!(" file={}", run_dir.join("conf").display());
        for _ in 0..2 {
            super::crash(&server, "segv");
            let again = super::last_start(&server);
            assert!(again.ends_with(&file), "{is_daemon}: {again}");
        }
        server.stop();
        assert!(!server.socket().exists());
    }
}

/// CONTRACT S12, E6: a server that root has started does not say later that nobody has.
#[test]
fn it_says_nothing_of_who_started_it() {
    if skipped(&[Need::Root]) {
        return;
    }
    let mut server = Launch::classic().everybodys().start();
    super::crash(&server, "segv");
    server.stop();
    assert_eq!(server.complaints(), ["server: started anew after signal 11"]);
}

/// CONTRACT D19, E6: SIGTERM ends a new start that is not ready, and its files go.
#[test]
fn sigterm_while_it_starts() {
    if skipped(&[Need::Root, Need::Tool("mkfifo")]) {
        return;
    }
    let (launch, pidfile) = daemon(&["-u", "nobody"]);
    let gate = launch.dir().join("out/gate");
    let made = Command::new("mkfifo").args(["-m", "666"]).arg(&gate).status();
    assert!(made.expect("mkfifo runs").success());
    let mut server = launch.env("PROBE_GATE", &gate.display().to_string()).start_daemon();
    let mut client = server.connect();
    client.text("!crash segv");
    client.expect_end();
    assert!(until(|| (super::starts(&server) == 2).then_some(())).is_some());
    server.signal(Signal::TERM);
    server.wait();
    server.await_nobody();
    assert!(!pidfile.exists() && !server.socket().exists());
}

/// CONTRACT D7, E6: the new start of a daemon logs to syslog under its name, the program's lines
/// too.
#[test]
fn it_speaks_to_syslog_again() {
    let Some(syslog) = Syslog::listen() else {
        return;
    };
    let (launch, _pidfile) = daemon(&["-u", "nobody"]);
    let name = launch.unique_name();
    let mut server = launch.start_daemon();
    super::crash(&server, "segv");
    let mut client = server.connect();
    assert_eq!(client.ask("!thread"), "nothing kept");
    let line = syslog.await_line(&name, "thread");
    let (_, after) = line.split_once(&name).expect("the name");
    assert!(after.starts_with(": ") || after.starts_with('['), "the ident ends there: {line}");
    client.text("");
    client.expect_text("empty");
    drop(client);
    server.stop();
    assert!(until(|| (!server.socket().exists()).then_some(())).is_some());
}
