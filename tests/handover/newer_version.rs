//! What is on disk is what runs.

use std::os::unix::fs::symlink;
use std::process::Command;

use super::{BOTH, Chain, launch, pid, who};
use crate::harness::{Client, Launch, Variant, program, until};

/// The next version takes the place of the one before, and goes on with its socket.
#[test]
fn a_program_that_was_replaced() {
    for (source, next) in [(BOTH[0], "handover_next.c"), (BOTH[1], "classic/handover_next.c")] {
        for start in [Chain::start, Chain::start_daemon] {
            let launch = launch(source).args(["--drain", "600"]);
            let name = launch.unique_name();
            let mut chain = start(launch.name(&name));
            let first = chain.now;
            let mut old = chain.server.connect();
            chain.replace(next);
            chain.hand_over();
            assert_eq!(who(&mut old), (1, pid(first)));
            assert_eq!(who(&mut chain.server.connect()), (2, pid(chain.now)));
            // And back: a version that turned out to be wrong.
            chain.replace(source);
            let second = chain.now;
            chain.hand_over();
            assert_eq!(who(&mut chain.server.connect()), (1, pid(chain.now)));
            drop(old);
            for server in [first, second] {
                assert_eq!(chain.wait(server), Some(0));
            }
            chain.stop();
        }
    }
}

/// A program of the other library can take its place as well: what is handed over is the same.
#[test]
fn a_program_of_the_newer_library() {
    let mut chain = Chain::start(launch(BOTH[1]));
    chain.replace("handover_next.c");
    chain.hand_over();
    assert_eq!(who(&mut chain.server.connect()), (2, pid(chain.now)));
    chain.hand_over();
    chain.replace(BOTH[1]);
    chain.hand_over();
    assert_eq!(who(&mut chain.server.connect()), (1, pid(chain.now)));
    chain.stop();
}

/// The name under which it was called leads to another version now: through links, relative to where it
/// was started, or by the search path.
#[test]
fn a_name_that_leads_to_another_version() {
    let release = |launch: &Launch, version: &str, source: &'static str| {
        let dir = launch.dir().join(version);
        std::fs::create_dir(&dir).expect("a directory");
        let copied = Command::new("cp")
            .arg(program(source, Variant::StaticLibrary))
            .arg(dir.join("server"))
            .status();
        assert!(copied.expect("cp runs").success());
    };
    let by_path = "cd \"$0\"/run && PATH=$0/present:$PATH exec server \"$@\"";
    for script in ["exec \"$0\"/present/server \"$@\"", "exec ../present/server \"$@\"", by_path] {
        let launch = launch(BOTH[0]);
        let dir = launch.dir().to_owned();
        release(&launch, "release-1", "handover.c");
        release(&launch, "release-2", "handover_next.c");
        symlink("release-1", dir.join("present")).expect("a link");
        // In the place of the program's path the script gets the directory.
        let launch = launch.with_program(dir.clone()).under(["sh", "-c", script]);
        let mut chain = Chain::start(launch);
        assert_eq!(who(&mut chain.server.connect()).0, 1);
        symlink("release-2", dir.join("next")).expect("a link");
        std::fs::rename(dir.join("next"), dir.join("present")).expect("in its place");
        chain.hand_over();
        assert_eq!(who(&mut chain.server.connect()).0, 2, "{script}");
        chain.stop();
    }
}

/// Called by a name that leads elsewhere, it is found where it is.
#[test]
fn a_name_that_leads_elsewhere() {
    let launch = launch(BOTH[0]);
    let script = "exec -a /bin/false \"$0\" \"$@\"";
    let bash = Command::new("bash").args(["-c", "true"]).status().is_ok_and(|it| it.success());
    let need = crate::harness::Need::Has(bash, "bash is not installed");
    if crate::harness::skipped(&[need]) {
        return;
    }
    let mut chain = Chain::start(launch.under(["bash", "-c", script]));
    chain.hand_over();
    assert_eq!(who(&mut chain.server.connect()), (1, pid(chain.now)));
    chain.stop();
}

/// However it is linked.
#[test]
fn however_it_is_linked() {
    let is_root = rustix::process::geteuid().is_root();
    for variant in [Variant::Default, Variant::FullyStatic, Variant::NoPie, Variant::HiddenLto] {
        for source in BOTH {
            // Nobody else may be able to read the build directory.
            let user: &[&str] = if is_root { &["-u", "root", "-g", "root"] } else { &[] };
            let launch = Launch::of(source, variant).args(user.iter().copied());
            let mut chain = Chain::start(launch);
            let mut client =
                Client::raw(chain.server.socket()).upgrade(&crate::harness::Request::new());
            client.echo("hello");
            drop(client);
            let first = chain.now;
            chain.hand_over();
            assert_eq!(chain.wait(first), Some(0));
            assert_eq!(who(&mut chain.server.connect()), (1, pid(chain.now)));
            chain.stop();
            assert!(until(|| (!chain.server.socket().exists()).then_some(())).is_some());
        }
    }
}

/// One that hands over in a way that is not known yet is not succeeded: no descriptor is touched, and the
/// program does not run. Who finds such variables in a child of another process starts as always.
#[test]
fn a_version_that_is_not_known() {
    let record = |pid: &str| {
        let zeros = "0 ".repeat(8);
        format!("DORRIT_RESTART=$(printf '%020d ' {pid} {zeros}) DORRIT_RESTART_VERSION=2")
    };
    let script = format!("{} exec \"$0\" \"$@\"", record("$$"));
    let refused = launch(BOTH[0]).args(["-x"]);
    let ended = refused.env("DORRIT_RESTART_NAME", "later").under(["sh", "-c", &script]).run();
    let line =
        "later: what the server before has left is of version 2, and this one knows none above 1\n";
    assert_eq!((ended.code, &*ended.stderr), (Some(1), line));
    let script = format!("{} exec \"$0\" \"$@\"", record("1"));
    let server = launch(BOTH[0]).under(["sh", "-c", &script]).start();
    server.connect().echo("hello");
}
