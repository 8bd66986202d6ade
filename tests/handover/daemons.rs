//! Daemons: the pidfile, the helper that keeps root's right to remove the files, the ordinary user.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use super::{BOTH, Chain, Gate, launch, pid, who};
use crate::harness::{Launch, Need, Process, Syslog, Variant, skipped, until};

/// A daemon with a name of its own, its socket and its pidfile in /var/run.
fn daemon(source: &'static str, arguments: &[&str]) -> (Launch, PathBuf) {
    let launch = launch(source);
    let name = launch.unique_name();
    let pidfile = PathBuf::from(format!("/var/run/{name}.pid"));
    (launch.name(&name).socket(None).args(arguments.iter().copied()), pidfile)
}

fn pid_in(pidfile: &Path) -> i32 {
    let text = std::fs::read_to_string(pidfile).expect("the pidfile");
    text.trim_end().parse().unwrap_or_else(|_| panic!("{text:?} in the pidfile"))
}

/// The pidfile names the new server, and stays the same file; both files go with the last server.
#[test]
fn the_pidfile_names_the_new_one() {
    if skipped(&[Need::Root]) {
        return;
    }
    for source in BOTH {
        for user in ["nobody", "root"] {
            let (launch, pidfile) = daemon(source, &["-u", user, "--drain", "600"]);
            let mut chain = Chain::start_daemon(launch);
            let first = chain.now;
            let inode = pidfile.symlink_metadata().expect("the pidfile").ino();
            let mut client = chain.server.connect();
            client.echo("hello");
            assert_eq!(pid_in(&pidfile), pid(first));
            for _ in 0..3 {
                chain.hand_over();
                assert_eq!(pid_in(&pidfile), pid(chain.now));
                assert_eq!(pidfile.symlink_metadata().expect("the pidfile").ino(), inode);
                assert_eq!(who(&mut chain.server.connect()).1, pid(chain.now));
            }
            // The end of the one before takes nothing with it.
            drop(client);
            assert_eq!(chain.wait(first), Some(0));
            assert_eq!(pid_in(&pidfile), pid(chain.now));
            assert!(chain.server.socket().exists());
            chain.stop();
            assert!(!pidfile.exists(), "the pidfile is removed");
        }
    }
}

/// Whether another process has locked a part of the file.
fn is_locked(file: &File) -> bool {
    // SAFETY: numbers alone, and zero is none; the call fills them.
    unsafe {
        let mut lock: libc::flock = std::mem::zeroed();
        lock.l_type = libc::F_WRLCK as _;
        assert_eq!(libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &mut lock), 0);
        lock.l_type != libc::F_UNLCK as libc::c_short
    }
}

/// At every moment the pidfile names a server that lives, and no third one can take it.
#[test]
fn at_every_moment() {
    if skipped(&[Need::Root]) {
        return;
    }
    let (launch, pidfile) = daemon(BOTH[0], &["-u", "nobody", "--drain", "600"]);
    let name = launch.unique_name();
    let mut chain = Chain::start_daemon(launch);
    let mut staying = Vec::new();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let third = scope.spawn(|| {
            let file = File::options().read(true).write(true).open(&pidfile).expect("it is there");
            let mut tries = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert!(is_locked(&file), "a third server could lock the pidfile");
                tries += 1;
            }
            tries
        });
        let reader = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let named = rustix::process::Pid::from_raw(pid_in(&pidfile)).map(Process);
                let named = named.expect("a number");
                assert!(!named.is_over(), "{named:?} is over");
            }
        });
        for _ in 0..10 {
            // Each stays while it has a client, so that its number can be looked at.
            let mut client = chain.server.connect();
            client.echo("hello");
            staying.push(client);
            chain.hand_over();
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(third.join().expect("no panic") > 0);
        reader.join().expect("no panic");
    });
    // Not by `name`, whose files would go with this launch.
    let third = self::launch(BOTH[0]).env("PROBE_NAME", &name).run();
    assert_eq!(third.code, Some(1), "{}", third.stderr);
    let line = "another server of this name is running\n";
    assert!(third.stderr.ends_with(line), "{}", third.stderr);
    assert_eq!(pid_in(&pidfile), pid(chain.now));
    drop(staying);
    chain.stop();
    assert!(!pidfile.exists());
}

/// A hand-over that fails leaves the pidfile as it was, and still locked.
#[test]
fn a_hand_over_that_fails() {
    if skipped(&[Need::Root]) {
        return;
    }
    let (launch, pidfile) = daemon(BOTH[0], &["-u", "nobody"]);
    let name = launch.unique_name();
    let mut chain = Chain::start_daemon(launch);
    let content = std::fs::read(&pidfile).expect("the pidfile");
    chain.plan("exit 3\n");
    for times in 1..=3 {
        chain.now.signal(Signal::HUP);
        let told = || (chain.count("has ended with status 3") == times).then_some(());
        assert!(until(told).is_some(), "{}", chain.server.stderr());
        assert_eq!(std::fs::read(&pidfile).expect("the pidfile"), content);
        let third = self::launch(BOTH[0]).env("PROBE_NAME", &name).run();
        assert_eq!(third.code, Some(1), "{}", third.stderr);
    }
    assert_eq!(who(&mut chain.server.connect()).1, pid(chain.now));
    chain.stop();
    assert!(!pidfile.exists());
}

/// One that is killed after a hand-over leaves nothing behind: the helper is the new one's.
#[test]
fn the_new_one_is_killed() {
    if skipped(&[Need::Root]) {
        return;
    }
    let (launch, pidfile) = daemon(BOTH[0], &["-u", "nobody", "--drain", "600"]);
    let mut chain = Chain::start_daemon(launch);
    let first = chain.now;
    let mut client = chain.server.connect();
    client.echo("hello");
    chain.hand_over();
    chain.now.signal(Signal::KILL);
    assert_eq!(chain.wait(chain.now), None);
    let gone = || (!pidfile.exists() && !chain.server.socket().exists()).then_some(());
    assert!(until(gone).is_some(), "the files are still there");
    client.echo("still served");
    drop(client);
    assert_eq!(chain.wait(first), Some(0));
    chain.server.await_nobody();
}

/// A pidfile that somebody else has put in the place of ours is left alone.
#[test]
fn a_pidfile_of_somebody_elses() {
    if skipped(&[Need::Root]) {
        return;
    }
    let (launch, pidfile) = daemon(BOTH[0], &["-u", "nobody"]);
    let mut chain = Chain::start_daemon(launch);
    chain.hand_over();
    std::fs::remove_file(&pidfile).expect("root may");
    std::fs::write(&pidfile, "1\n").expect("root may");
    chain.stop();
    assert_eq!(std::fs::read_to_string(&pidfile).expect("it is there"), "1\n");
}

/// The next version has another name: its files stay those of the first.
#[test]
fn another_name() {
    if skipped(&[Need::Root]) {
        return;
    }
    let (launch, pidfile) = daemon(BOTH[0], &["-u", "nobody"]);
    let name = launch.unique_name();
    let mut chain = Chain::start_daemon(launch);
    chain.plan(&format!("name {name}-next\n"));
    for _ in 0..2 {
        chain.hand_over();
        assert_eq!(pid_in(&pidfile), pid(chain.now));
    }
    assert_eq!(who(&mut chain.server.connect()).1, pid(chain.now));
    chain.stop();
    assert!(!pidfile.exists());
}

/// Where the program has set that lines go to standard error, those of the next server do, too.
#[test]
fn an_option_that_the_program_has_set() {
    let launch = Launch::of("starts.c", Variant::Default).everybodys();
    let launch = launch.env("SET_OPTION", "log-stderr").args(["--drain", "600"]);
    let mut chain = Chain::start_daemon(launch);
    let first = chain.now;
    let _client = chain.server.connect();
    assert_ne!(chain.hand_over(), first);
    for (process, said) in [(first, "connections=1 "), (chain.now, "connections=0 ")] {
        process.signal(Signal::USR1);
        assert!(until(|| (chain.count(said) == 1).then_some(())).is_some(), "{said}");
    }
    chain.now.signal(Signal::TERM);
    first.signal(Signal::TERM);
    assert_eq!((chain.wait(chain.now), chain.wait(first)), (Some(0), Some(0)));
}

/// An ordinary user's daemon has no pidfile and no helper.
#[test]
fn an_ordinary_user() {
    if skipped(&[Need::Root, Need::Tool("setpriv")]) {
        return;
    }
    for source in BOTH {
        let launch = launch(source);
        let name = launch.unique_name();
        let launch = launch.name(&name);
        let gate = Gate::make(launch.dir());
        let mut chain = Chain::start_daemon(launch.by_user(54321, 54321));
        chain.plan(&gate.step());
        let first = chain.now;
        first.signal(Signal::HUP);
        chain.server.await_stderr("hand-over: starts ");
        gate.open();
        chain.await_successor(0);
        assert_eq!(chain.wait(first), Some(0));
        assert_eq!(who(&mut chain.server.connect()).1, pid(chain.now));
        assert_eq!(chain.server.processes(), [chain.now], "no helper is needed");
        assert!(!Path::new(&format!("/var/run/{name}.pid")).exists());
        // Said once, by the first.
        assert_eq!(chain.count("not started as root"), 1);
        chain.plan("");
        chain.stop();
    }
}

/// The lines of a daemon go to syslog, those of the new one too: as soon as it runs.
#[test]
fn the_log() {
    let Some(syslog) = Syslog::listen() else {
        return;
    };
    let launch = Launch::of(BOTH[0], crate::harness::Variant::Default).everybodys();
    let plan = launch.dir().join("out/plan").display().to_string();
    let name = launch.unique_name();
    let launch = launch.name(&name).env("HANDOVER_PLAN", &plan).args(["--drain", "0"]);
    let mut server = launch.start_daemon();
    let mut client = server.connect();
    std::fs::write(&plan, "exit 3\n").expect("a file");
    server.signal(Signal::HUP);
    syslog.await_line(&name, "hand-over: starts ");
    syslog.await_line(&name, "has ended with status 3; this server goes on");
    std::fs::write(&plan, "").expect("a file");
    server.signal(Signal::HUP);
    let line = syslog.await_line(&name, " has taken over; ");
    syslog.await_line(&name, "0 s are over; clients told to connect again: 1");
    assert_eq!(client.receive().code(), Some(1012));
    drop(client);
    assert_eq!(server.wait(), Some(0));
    let (_, rest) = line.split_once("process ").expect("a number");
    let new = rest.split(' ').next().and_then(|it| it.parse().ok()).expect("a number");
    let new = Process(rustix::process::Pid::from_raw(new).expect("a number"));
    let mut client = server.connect();
    assert_eq!(who(&mut client).1, pid(new));
    new.signal(Signal::HUP);
    let second = || syslog.lines(&name).iter().filter(|it| it.contains("taken over")).count() == 2;
    assert!(until(|| second().then_some(())).is_some(), "{:?}", syslog.lines(&name));
}
