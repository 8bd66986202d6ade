//! Users and groups by their numbers, also where the system knows no names.

use crate::harness::{Launch, Need, Server, skipped};
use crate::socket_file::{id, nobodys_group};

/// A server's user, group and supplementary groups.
type Credentials = (u32, u32, Vec<u32>);

fn credentials(server: &Server) -> Credentials {
    let status = server.process().status();
    (status.ruid, status.rgid, status.groups)
}

/// CONTRACT D20: what is no name is a number, of a user whom the system may know by it alone.
#[test]
fn numbers() {
    if skipped(&[Need::Root]) {
        return;
    }
    let (daemon, group) = (id("-u", "daemon"), id("-g", "daemon"));
    let cases: [(&[&str], Credentials); 4] = [
        (&["-u", &daemon.to_string(), "-g", &group.to_string()], (daemon, group, vec![group])),
        (&["-u", "54321", "-g", "54322"], (54321, 54322, vec![])),
        (&["-u", "54321"], (54321, nobodys_group(), vec![])),
        (&["-u", "0", "-g", "0"], (0, 0, vec![0])),
    ];
    for (arguments, expected) in cases {
        let mut server = Launch::probe().everybodys().args(arguments.iter().copied()).start();
        assert_eq!(credentials(&server), expected, "{arguments:?}");
        server.connect().echo("hello");
        server.stop();
    }
}

/// CONTRACT D22: an ordinary user's own numbers are no error, and another's are.
#[test]
fn ones_own_numbers() {
    if skipped(&[Need::Root, Need::Tool("setpriv")]) {
        return;
    }
    let own = ["-u", "54321", "-g", "54322"];
    let mut server = Launch::probe().by_user(54321, 54322).args(own).start();
    assert!(server.complaints().is_empty(), "{}", server.stderr());
    server.stop();
    for other in [["-u", "54322"], ["-g", "54321"], ["-u", "0"], ["-u", "4294967295"]] {
        let ended = Launch::probe().by_user(54321, 54322).args(["-x"]).args(other).run();
        assert_eq!(ended.code, Some(1), "{other:?}: {}", ended.stderr);
        assert!(ended.stderr.starts_with(&format!("server: {} {}: ", other[0], other[1])));
    }
}

/// A system without passwd(5) and group(5), as in a container that holds the program alone.
#[test]
fn where_there_are_no_names() {
    let can = std::process::Command::new("unshare").args(["-m", "true"]).status();
    let can = can.is_ok_and(|it| it.success());
    if skipped(&[Need::Root, Need::Has(can, "no mount namespace can be had")]) {
        return;
    }
    // The files are there no more, and not only empty.
    let script = "mount -t tmpfs none /etc && exec \"$0\" \"$@\"";
    let hidden = || Launch::probe().everybodys().under(["unshare", "-m", "sh", "-c", script]);
    for (arguments, expected) in [
        (&["-u", "0"][..], (0, 0, vec![])),
        (&["-u", "0", "-g", "7"], (0, 7, vec![])),
        (&["-u", "54321"], (54321, 54321, vec![])),
    ] {
        let mut server = hidden().args(arguments.iter().copied()).start();
        assert_eq!(credentials(&server), expected, "{arguments:?}");
        server.connect().echo("hello");
        server.stop();
    }
    let ended = hidden().args(["-x"]).run();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(ended.stderr, "server: -u nobody: there is no such user\n");
}
