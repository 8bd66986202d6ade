//! E7: the options.

use std::path::Path;

use crate::harness::{Client, Ended, Launch, Need, Request, skipped, snapshot};

/// CONTRACT E7: with -x there is no pidfile, stderr stays, and the process is the one that was
/// started.
#[test]
fn in_the_foreground() {
    let launch = Launch::classic();
    let name = launch.unique_name();
    let mut server = launch.name(&name).start();
    assert!(!Path::new(&format!("/var/run/{name}.pid")).exists());
    assert!(server.process().link("fd/2").ends_with("out/stderr"));
    let pid = server.process().0.as_raw_pid();
    assert!(super::last_start(&server).starts_with(&format!("{pid} ")));
    server.connect().echo("hello");
    server.stop();
}

/// CONTRACT E7: -m is 2000 where it is not given.
#[test]
fn two_thousand_is_the_default() {
    let mut server = Launch::classic().descriptors(64, 128).start();
    let said = server.await_stderr("connections");
    assert!(said.contains("-m 2000: "), "{said}");
    server.connect().echo("hello");
    server.stop();
}

/// CONTRACT E7: so many are served, and the next is answered 503.
#[test]
fn the_2001st() {
    if skipped(&[Need::Descriptors(4096 + 100)]) {
        return;
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)
        .expect("up to the hard limit");
    let mut server = Launch::classic().start();
    let mut clients: Vec<_> = (0..2000).map(|_| server.connect()).collect();
    let mut one_more = server.raw();
    one_more.send_bytes(&Request::new().bytes());
    assert_eq!(one_more.response().status, "HTTP/1.1 503 Service Unavailable");
    clients.iter_mut().step_by(97).for_each(|client| client.echo("undisturbed"));
    drop(clients);
    server.stop();
}

/// CONTRACT E7: -m, -b, -f, -u, -g and -l are those of part 1, clustered as getopt(3) does.
#[test]
fn the_rest_of_the_options() {
    let root = rustix::process::geteuid().is_root();
    let who: &[&str] = if root { &["-udaemon", "-g", "daemon"] } else { &[] };
    let mut server = Launch::classic()
        .args(["-hm", "2", "-b30", "-fetc/conf"])
        .args(who.iter().copied())
        .start();
    let mut client = server.connect_as("say=told");
    client.expect_text("told");
    client.echo(&"x".repeat(25));
    client.text(&"x".repeat(26));
    client.expect_close(1009);
    server.await_journal("close 1 ");
    let mut two: Vec<_> = (0..2).map(|_| server.connect()).collect();
    let mut third = server.raw();
    third.send_bytes(&Request::new().bytes());
    assert_eq!(third.response().status, "HTTP/1.1 503 Service Unavailable");
    let file = server.run_dir().join("etc/conf").display().to_string();
    assert!(super::last_start(&server).ends_with(&format!(" file={file}")));
    assert_eq!(two.pop().expect("two").ask("!where"), server.run_dir().display().to_string());
    server.stop();
}

/// CONTRACT E3, E7: -h takes no argument, and may be given more than once.
#[test]
fn h_is_a_flag() {
    let mut server = Launch::classic().args(["-h", "-hh"]).start();
    let mut client = Client::upgraded(server.socket(), &Request::new().with("Cookie", "say=it"));
    client.expect_text("it");
    server.stop();
}

fn fails(code: i32, arguments: &[&str]) -> Ended {
    let launch = Launch::classic().args(arguments.iter().copied());
    let before = snapshot(&launch.run_dir());
    let ended = launch.run();
    assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
    assert_eq!(snapshot(&ended.run_dir()), before, "{arguments:?}");
    assert_eq!((ended.left_behind, &*ended.journal()), (0, ""), "{arguments:?}");
    ended
}

/// CONTRACT E7, D20: what is no option is answered with the usage, which knows -h, and the status
/// 2; a value that cannot be with one line and 1.
#[test]
fn what_cannot_be() {
    for arguments in [&["-z"][..], &["-h", "humdinger"], &["--", "-h"], &["-hz"]] {
        let ended = fails(2, arguments);
        let lines: Vec<_> = ended.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{}", ended.stderr);
        assert!(
            lines[1].to_lowercase().starts_with("usage: ") && lines[1].contains("-hx"),
            "{}",
            lines[1]
        );
    }
    for (option, value) in [("-b", "9"), ("-b", "65541"), ("-m", "0"), ("-u", "no-such-user")] {
        let ended = fails(1, &["-x", option, value]);
        assert!(
            ended.stderr.starts_with(&format!("server: {option} {value}: ")),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
}
