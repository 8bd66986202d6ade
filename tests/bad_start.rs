//! Starts that cannot be: one line on stderr, an exit status, and nothing changed on disk.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use crate::harness::{Ended, Launch, Need, Variant, skipped, snapshot};

/// Runs it in the foreground and as a daemon: each time it must leave with `code` and without a
/// trace.
pub(crate) fn fails(code: i32, arguments: &[&str], prepare: impl Fn(&Launch)) -> Vec<Ended> {
    let ways: [&[&str]; 2] = [&["-x"], &[]];
    let run = |way: &&[&str]| {
        let launch = Launch::probe().args(way.iter().chain(arguments).copied());
        prepare(&launch);
        let before = snapshot(&launch.run_dir());
        let ended = launch.run();
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
        assert_eq!(snapshot(&ended.run_dir()), before, "{arguments:?}");
        assert_eq!(ended.left_behind, 0, "{arguments:?}: processes");
        ended
    };
    ways.iter().map(run).collect()
}

/// The same with a value that cannot be: one line, which names the option and the value.
pub(crate) fn refuses(option: &str, value: &str, prepare: impl Fn(&Launch)) -> Vec<Ended> {
    let all = fails(1, &[option, value], prepare);
    for ended in &all {
        let beginning = format!("server: {option} {value}: ");
        assert!(ended.stderr.starts_with(&beginning), "{beginning:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.ends_with('\n'));
    }
    all
}

fn nothing(_: &Launch) {}

/// CONTRACT D20: -b is 10 to 65540. The program does not get to run.
#[test]
fn buffer_sizes_out_of_range() {
    for value in ["9", "65541", "0", "-5", "abc", "", "10x", "99999999999999999999", "1e3"] {
        for ended in refuses("-b", value, nothing) {
            assert_eq!(ended.journal(), "");
        }
    }
}

/// CONTRACT D20: -m is 1 to 1000000.
#[test]
fn counts_of_connections_out_of_range() {
    for value in ["0", "1000001", "-1", "abc", "", "18446744073709551617"] {
        for ended in refuses("-m", value, nothing) {
            assert_eq!(ended.journal(), "");
        }
    }
}

/// A port is 0 to 65535.
#[test]
fn ports_out_of_range() {
    for value in ["65536", "-1", "http", "", "80x"] {
        for ended in refuses("-p", value, nothing) {
            assert_eq!(ended.journal(), "");
        }
    }
}

/// What is no address stands for no interface, and one without a port for none either.
#[test]
fn interfaces_that_are_no_addresses() {
    for value in ["localhost", "", "lo", "127.1", "[::1]", "127.0.0.1:80", "0x7f.0.0.1"] {
        for ended in fails(1, &["-p", "0", "-i", value], nothing) {
            assert!(ended.stderr.starts_with(&format!("server: -i {value}: ")), "{}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
            assert_eq!(ended.journal(), "");
        }
    }
    for ended in refuses("-i", "127.0.0.1", nothing) {
        assert!(ended.stderr.contains("-p"), "{}", ended.stderr);
    }
}

/// CONTRACT D20, S12.
#[test]
fn unknown_users_and_groups() {
    refuses("-u", "no-such-user", nothing);
    refuses("-g", "no-such-group", nothing);
    refuses("-u", "", nothing);
}

/// CONTRACT D20: a path that does not fit into a socket's address.
#[test]
fn a_path_that_is_too_long() {
    let path = format!("/tmp/{}", "x".repeat(108));
    let without_socket = |launch: Launch| launch.socket(None).args(["-x", "-l", &path]);
    let ended = without_socket(Launch::probe()).run();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.starts_with(&format!("server: -l {path}: ")), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1);
}

/// Starts it on a path of the run directory that `prepare` has put something at. The same must
/// stand there afterwards.
fn refuses_path(relative: &str, prepare: impl Fn(&Launch)) {
    for way in [&["-x"][..], &[]] {
        let launch = Launch::probe().args(way.iter().copied());
        let path = launch.run_dir().join(relative);
        let launch = launch.socket(Some(path.clone()));
        prepare(&launch);
        let before = snapshot(&launch.run_dir());
        let ended = launch.run();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let beginning = format!("server: -l {}: ", path.display());
        assert!(ended.stderr.starts_with(&beginning), "{beginning:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert_eq!(snapshot(&ended.run_dir()), before);
        assert_eq!(ended.left_behind, 0);
        assert!(!ended.journal().contains("exit "), "{}", ended.journal());
    }
}

/// CONTRACT D20: a directory that is not there.
#[test]
fn a_missing_directory() {
    refuses_path("none/socket", nothing);
}

/// CONTRACT S11: what is no socket is never unlinked.
#[test]
fn a_file_a_directory_or_a_link_where_the_socket_should_be() {
    refuses_path("it", |launch| std::fs::write(launch.run_dir().join("it"), "precious").unwrap());
    refuses_path("it", |launch| std::fs::create_dir(launch.run_dir().join("it")).unwrap());
    refuses_path("it", |launch| symlink("/nowhere", launch.run_dir().join("it")).unwrap());
    refuses_path("it", |launch| {
        let real = launch.run_dir().join("dead.socket");
        drop(UnixListener::bind(&real).unwrap());
        symlink(real, launch.run_dir().join("it")).unwrap();
    });
}

/// CONTRACT S11: a socket on which a live server answers stays that server's.
#[test]
fn a_live_server_on_the_socket() {
    let mut first = Launch::probe().start();
    let mut client = first.connect();
    let socket = first.socket().to_owned();
    let before = snapshot(&first.run_dir());
    for way in [&["-x"][..], &[]] {
        let second = Launch::probe().socket(Some(socket.clone())).args(way.iter().copied()).run();
        assert_eq!(second.code, Some(1), "{}", second.stderr);
        let beginning = format!("server: -l {}: ", socket.display());
        assert!(second.stderr.starts_with(&beginning), "{}", second.stderr);
        assert_eq!(second.stderr.lines().count(), 1);
        assert_eq!(snapshot(&first.run_dir()), before);
    }
    client.echo("undisturbed");
    first.connect().echo("as ever");
    first.stop();
}

/// CONTRACT S11: the name that the program has set is the one in the line.
#[test]
fn the_line_begins_with_the_name() {
    let launch = Launch::probe().env("PROBE_NAME", "florence").args(["-x"]);
    let ended = launch.socket(Some("none/socket".into())).run();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("florence: -l "), "{}", ended.stderr);
}

/// CONTRACT S1: where `ws_start_callback` calls it off, the terminal is told, and nothing is left behind. It runs in the
/// daemon, and `ws_exit_func` does not.
#[test]
fn the_program_calls_it_off() {
    for arguments in [&["-x"][..], &[]] {
        let launch = Launch::of("handover.c", Variant::Default).args(arguments.iter().copied());
        let name = launch.unique_name();
        let plan = launch.dir().join("plan");
        std::fs::write(&plan, format!("name {name}\nstart 4\n")).expect("a file");
        let ended = launch.env("HANDOVER_PLAN", &plan.display().to_string()).run();
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}", ended.stderr);
        assert_eq!(
            ended.stderr.lines().last(),
            Some(&*format!("{name}: ws_start_callback has returned 4"))
        );
        let journal = ended.journal();
        let [init, start] = ["init ", "start "].map(|line| {
            let rest = journal.split(line).nth(1).unwrap_or_default();
            rest.split_whitespace().next().unwrap_or_default().to_owned()
        });
        assert_eq!(start == init, arguments == ["-x"], "{journal}");
        assert!(!journal.contains("exit "), "{journal}");
        assert_eq!(std::fs::read_dir(ended.run_dir()).expect("it is there").count(), 0);
        assert!(!std::path::Path::new(&format!("/var/run/{name}.pid")).exists());
        assert_eq!(ended.left_behind, 0);
    }
}

/// Usage errors: one line, the usage behind it, and exit status 2.
#[test]
fn arguments_that_are_no_options() {
    for arguments in [&["-z"][..], &["-xz"], &["operand"], &["operand", "--"], &["--unknown"]] {
        for ended in fails(2, arguments, nothing) {
            let lines: Vec<_> = ended.stderr.lines().collect();
            assert_eq!(lines.len(), 2, "{}", ended.stderr);
            assert!(lines[0].starts_with("server: "), "{}", ended.stderr);
            assert!(lines[1].to_lowercase().starts_with("usage: "), "{}", ended.stderr);
            assert_eq!(ended.journal(), "");
        }
    }
}

/// A usage error as well: an option whose value is not there.
#[test]
fn an_option_without_its_value() {
    for option in ["-b", "-l", "-m", "-u", "-g", "-f", "-p", "-i"] {
        let ended = Launch::probe().socket(None).args(["-x", option]).run();
        assert_eq!(ended.code, Some(2), "{option}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
        assert!(ended.stderr.contains(option), "{}", ended.stderr);
    }
}

/// CONTRACT D6, S1: a daemon that cannot write its pidfile says so and leaves nothing behind.
#[test]
fn a_pidfile_that_cannot_be_written() {
    if skipped(&[Need::Root]) {
        return;
    }
    let launch = Launch::probe();
    let name = launch.unique_name();
    let pidfile = format!("/var/run/{name}.pid");
    std::fs::create_dir(&pidfile).expect("root may");
    let ended = launch.name(&name).run();
    std::fs::remove_dir(&pidfile).expect("it is still the empty directory");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.starts_with(&format!("{name}: ")), "{}", ended.stderr);
    assert!(ended.stderr.contains(&pidfile), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(snapshot(&ended.run_dir()).is_empty(), "the socket is gone");
    assert_eq!(ended.left_behind, 0);
}

/// CONTRACT D6: the pidfile of a live server stays that server's.
#[test]
fn a_live_server_of_the_same_name() {
    if skipped(&[Need::Root]) {
        return;
    }
    let launch = Launch::probe();
    let name = launch.unique_name();
    let pidfile = format!("/var/run/{name}.pid");
    let mut first = launch.name(&name).start_daemon();
    let before = std::fs::read_to_string(&pidfile).expect("the pidfile");
    // Not by `name`, whose files would go with this launch.
    let second = Launch::probe().env("PROBE_NAME", &name).run();
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    assert!(second.stderr.starts_with(&format!("{name}: ")), "{}", second.stderr);
    assert!(second.stderr.contains(&pidfile), "{}", second.stderr);
    assert_eq!(second.stderr.lines().count(), 1, "{}", second.stderr);
    assert!(snapshot(&second.run_dir()).is_empty());
    assert_eq!(std::fs::read_to_string(&pidfile).expect("the pidfile"), before);
    first.connect().echo("as ever");
    first.stop();
    assert!(!std::path::Path::new(&pidfile).exists());
}

/// CONTRACT S15: one line names every callback that is missing, and nothing of the program has run.
#[test]
fn missing_callbacks_are_named() {
    let all = "ws_init_func, ws_exit_func, ws_open_callback, ws_read_callback, ws_close_callback";
    for (source, missing) in
        [("missing_two.c", "ws_open_callback, ws_read_callback"), ("missing_all.c", all)]
    {
        for variant in [Variant::Default, Variant::StaticLibrary] {
            for way in [&["-x"][..], &[]] {
                let ended = Launch::of(source, variant).args(way.iter().copied()).run();
                assert_eq!(ended.code, Some(1), "{}", ended.stderr);
                let line = format!(": missing: {missing}\n");
                assert!(ended.stderr.ends_with(&line), "{}", ended.stderr);
                assert_eq!(ended.stderr.lines().count(), 1);
                assert_eq!(ended.stdout, "");
                assert!(snapshot(&ended.run_dir()).is_empty());
            }
        }
    }
}
