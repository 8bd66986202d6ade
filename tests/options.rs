//! The command line where it is right, and what the program sees of it.

use crate::harness::{Frame, Launch, Op, Request, Server};

fn init_line(server: &Server) -> String {
    server.await_journal("init ")
}

/// CONTRACT D20, D4: -f is in `ws_config_file` when `ws_init_func` runs.
#[test]
fn the_config_file_is_there_in_ws_init_func() {
    let mut server = Launch::probe().args(["-f", "/some/where/else.conf"]).start();
    assert!(init_line(&server).ends_with(" file=/some/where/else.conf"));
    server.stop();
}

/// CONTRACT D20: without -f there is none.
#[test]
fn without_f_there_is_no_config_file() {
    let mut server = Launch::probe().start();
    assert!(init_line(&server).ends_with(" file=(null)"));
    server.stop();
}

/// CONTRACT S19: relative paths are taken from the directory of the start, also by a program that
/// has left it.
#[test]
fn relative_paths_are_taken_from_where_the_server_was_started() {
    let launch = Launch::probe().socket(Some("sub.socket".into())).args(["-f", "etc/a.conf"]);
    let run = launch.run_dir().canonicalize().expect("it is there");
    let mut server = launch.start();
    assert!(init_line(&server).ends_with(&format!(" file={}/etc/a.conf", run.display())));
    assert!(run.join("sub.socket").exists());
    server.connect().echo("relative");
    server.stop();
    assert!(!run.join("sub.socket").exists());
}

/// CONTRACT D20: the grammar is getopt(3)'s. Clusters, values with and without a blank, and the
/// last one wins.
#[test]
fn options_are_clustered_as_getopt_does() {
    let mut server = Launch::probe().args(["-m3", "-b", "200", "-xb10", "-f", "a", "-f/b"]).start();
    assert!(init_line(&server).ends_with(" file=/b"));
    let mut client = server.connect();
    client.echo("12345");
    client.text("123456");
    client.expect_close(1009);
    drop(client);
    server.stop();
}

/// CONTRACT D20: -b may be 10, and then a message is at most 5 bytes long; control frames have RFC
/// 6455's own bound.
#[test]
fn the_smallest_buffer_takes_messages_of_five_bytes() {
    let mut server = Launch::probe().args(["-b", "10"]).start();
    let mut client = server.connect();
    client.echo("abcde");
    client.send(&Frame::new(Op::PING, [b'p'; 125]));
    assert_eq!(client.receive(), Frame::new(Op::PONG, [b'p'; 125]).unmasked());
    client.text("abcdef");
    client.expect_close(1009);
    drop(client);
    server.stop();
}

/// CONTRACT D20: -b may be 65540, and that is the default.
#[test]
fn the_largest_buffer_takes_messages_of_65535_bytes() {
    for arguments in [&["-b", "65540"][..], &[]] {
        let mut server = Launch::probe().args(arguments.iter().copied()).start();
        let mut client = server.connect();
        let longest = "x".repeat(65535);
        client.echo(&longest);
        client.send_bytes(&Frame::text("").declare64(65536).bytes());
        client.expect_close(1009);
        server.stop();
    }
}

/// CONTRACT D20, S1: -m and -x have their extremes.
#[test]
fn one_connection_and_a_million_may_be_asked_for() {
    for most in ["1", "1000000"] {
        let mut server = Launch::probe().args(["-m", most]).start();
        server.connect().echo("hello");
        server.stop();
    }
}

/// CONTRACT D6: a name that cannot be one is ignored, with a line that says so.
#[test]
fn a_name_that_is_no_file_name_is_ignored() {
    for name in ["", "a/b"] {
        let mut server = Launch::probe().env("PROBE_NAME", name).start();
        assert!(server.await_stderr("ws_set_name").starts_with("server: "));
        assert_eq!(server.stderr().matches("ws_set_name").count(), 1, "{}", server.stderr());
        server.connect().echo("hello");
        server.stop();
    }
}

/// CONTRACT D6: `ws_set_name` is for `ws_init_func`; elsewhere it changes nothing and a line says
/// so.
#[test]
fn a_name_that_comes_too_late_is_ignored() {
    let mut server = Launch::probe().start();
    let before = server.stderr();
    let mut client = server.connect_as("late");
    assert_eq!(client.ask("!name"), "named");
    server.await_stderr("ws_set_name");
    assert_eq!(server.stderr().lines().count(), before.lines().count() + 1);
    assert!(!server.stderr().contains("too-late: "), "{}", server.stderr());
    drop(client);
    server.stop();
}

/// CONTRACT D20: what the request's path is does not matter to the library.
#[test]
fn any_path_is_served() {
    let mut server = Launch::probe().start();
    for target in ["/", "/a/b?c=d", "ws://localhost/x", "https://localhost:443/"] {
        let request = Request::new().line(&format!("GET {target} HTTP/1.1"));
        crate::harness::Client::upgraded(server.socket(), &request).echo(target);
    }
    server.stop();
}
