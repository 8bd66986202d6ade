//! The programs in c-examples/classic, as people copy and build them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::harness::{
    Client, Frame, Launch, Need, Op, Request, Server, Variant, copied_examples, library,
    make_examples, program_dir, root, skipped, target_dir,
};

/// Copies c-examples, as it is in the tree, to that directory.
fn copy_examples(to: &Path) {
    std::fs::create_dir_all(to.join("classic")).expect("a directory");
    for dir in ["", "classic"] {
        for entry in
            std::fs::read_dir(root().join("c-examples").join(dir)).expect("it is there").flatten()
        {
            if entry.file_type().expect("its type").is_file() {
                std::fs::copy(entry.path(), to.join(dir).join(entry.file_name())).expect("a copy");
            }
        }
    }
}

const PROGRAMS: [&str; 3] = ["bin/classic/echo", "bin/classic/session", "bin/classic/rooms"];

/// In the source tree: against what cargo has built.
fn in_the_tree() -> &'static Path {
    static TREE: OnceLock<PathBuf> = OnceLock::new();
    TREE.get_or_init(|| {
        let _built = library();
        let tree = program_dir().join("tree");
        copy_examples(&tree.join("c-examples"));
        for name in ["include", "Cargo.toml"] {
            std::os::unix::fs::symlink(root().join(name), tree.join(name)).expect("a link");
        }
        let target = format!("TARGET={}", target_dir().join("release").display());
        make_examples("make", &tree.join("c-examples"), [&*target].into_iter().chain(PROGRAMS));
        tree.join("c-examples")
    })
}

/// Starts one of them.
fn start(name: &str, prepare: impl FnOnce(Launch) -> Launch) -> Server {
    let program = in_the_tree().join("bin/classic").join(name);
    prepare(Launch::of("classic/plain.c", Variant::Default).with_program(program)).start()
}

/// From an installed place, through pkg-config, with either make: all are built, and the first one
/// runs.
#[test]
fn from_an_installed_place() {
    if skipped(&[Need::Tool("pkg-config")]) {
        return;
    }
    for make in ["make", "bmake"] {
        if skipped(&[Need::Tool(make)]) {
            continue;
        }
        let dir = copied_examples();
        make_examples(make, dir.path(), PROGRAMS);
        let program = dir.path().join("bin/classic/echo");
        let mut server =
            Launch::of("classic/plain.c", Variant::Default).with_program(program).start();
        server.connect().echo("hello");
        server.stop();
    }
}

/// CONTRACT part 2: the smallest server sends back what it gets, in order, to whom it came from.
#[test]
fn echo() {
    let mut server = start("echo", |launch| launch);
    let (mut one, mut two) = (server.connect(), server.connect());
    one.text("first");
    two.text("another's");
    one.text("");
    one.send(&Frame::text("in ").unfinished());
    one.send(&Frame::new(Op::CONTINUATION, "parts"));
    one.expect_text("first");
    one.expect_text("in parts");
    two.expect_text("another's");
    server.stop();
    assert!(server.complaints().is_empty(), "{}", server.stderr());
}

const ANNS: &str = "0123456789abcdef0123456789abcdef";
const BOBS: &str = "fedcba9876543210fedcba9876543210";

fn refused(server: &Server, cookie: &str) {
    let mut client = server.raw();
    client.send_bytes(&Request::new().with("Cookie", cookie).bytes());
    assert_eq!(client.response().status, "HTTP/1.1 403 Forbidden", "{cookie}");
    client.expect_end();
}

/// CONTRACT E3: with -h, who has the cookie of a session is let in by name, and nobody else is.
#[test]
fn session() {
    let mut server = start("session", |launch| {
        std::fs::write(launch.run_dir().join("sessions"), format!("{ANNS} ann\n")).expect("a file");
        launch.args(["-h", "-f", "sessions"])
    });
    let as_who = |token: &str| server.connect_as(&format!("theme=dark; session={token}"));
    let mut ann = as_who(ANNS);
    ann.expect_text("welcome, ann");
    assert_eq!(ann.ask("hello"), "ann: hello");
    let long = "x".repeat(65535);
    ann.text(&long);
    let parts = [ann.receive(), ann.receive()].map(|frame| frame.payload).concat();
    assert_eq!(parts, format!("ann: {long}").as_bytes());

    for cookie in [
        "",
        "session=",
        "session=0123456789abcdef",
        &format!("session={BOBS}"),
        &format!("session={ANNS}0"),
        &format!("session={}f", &ANNS[..31].replace('e', "f")),
        &format!("another={ANNS}"),
        &format!("session={}", "0".repeat(32)),
    ] {
        refused(&server, cookie);
    }
    // Bob logs in.
    let sessions = server.run_dir().join("sessions");
    std::fs::write(sessions, format!("not a session\n{ANNS} ann\n{BOBS} bob\n")).expect("a file");
    let mut bob = as_who(BOBS);
    bob.expect_text("welcome, bob");
    bob.text("bye");
    bob.expect_close(1000);
    // Ann logs out.
    std::fs::write(server.run_dir().join("sessions"), "").expect("a file");
    refused(&server, &format!("session={ANNS}"));
    assert_eq!(ann.ask("still here"), "ann: still here");
    server.stop();
}

/// It says what it lacks.
#[test]
fn session_without_its_file() {
    let program = in_the_tree().join("bin/classic/session");
    let launch = Launch::of("classic/plain.c", Variant::Default).with_program(program);
    let ended = launch.args(["-h", "-x"]).run();
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr, "session: -f must name the file of sessions\n");
}

fn guest(server: &Server, host: &str, protocol: Option<&str>) -> Client {
    let request = Request::new().change("Host", host);
    let request = match protocol {
        Some(protocol) => request.with("Sec-WebSocket-Protocol", protocol),
        None => request,
    };
    let mut client = server.raw();
    client.send_bytes(&request.bytes());
    let response = client.response();
    assert_eq!(response.status, "HTTP/1.1 101 Switching Protocols");
    let first = protocol.and_then(|list| list.split(',').next());
    assert_eq!(response.header("Sec-WebSocket-Protocol"), first);
    client
}

/// CONTRACT E3: without -h, the host says who hears whom, and the sub-protocol in which form.
#[test]
fn rooms() {
    let mut server = start("rooms", |launch| launch);
    let mut one = guest(&server, "a.example:80", None);
    let mut two = guest(&server, "A.example", Some("json, plain"));
    let mut three = guest(&server, "b.example", Some("plain"));
    let mut four = guest(&server, "[::1]:8080", Some("json"));
    one.text("say \"hi\"\n\\");
    one.expect_text("1: say \"hi\"\n\\");
    two.expect_text("{\"from\":1,\"text\":\"say \\\"hi\\\"\\u000a\\\\\"}");
    three.text("alone");
    three.expect_text("3: alone");
    four.text("alone too");
    four.expect_text("{\"from\":4,\"text\":\"alone too\"}");
    // What is too long is cut between characters.
    two.text(&"é".repeat(1500));
    let cut = "é".repeat(1000);
    one.expect_text(&format!("2: {cut}"));
    two.expect_text(&format!("{{\"from\":2,\"text\":\"{cut}\"}}"));

    let mut client = server.raw();
    let request = Request::new().with("Sec-WebSocket-Protocol", "xml, plain");
    client.send_bytes(&request.bytes());
    assert_eq!(client.response().status, "HTTP/1.1 403 Forbidden");
    // Who leaves is forgotten.
    drop(two);
    let mut five = guest(&server, "a.example", None);
    five.text("hello");
    one.expect_text("5: hello");
    five.expect_text("5: hello");
    server.stop();
}

/// CONTRACT E4: who does not read is put out when 200 frames wait, and the others are not held up.
#[test]
fn rooms_puts_out_who_does_not_read() {
    let mut server = start("rooms", |launch| launch);
    let mut deaf = guest(&server, "a.example", None);
    let mut client = guest(&server, "a.example", None);
    let line = "x".repeat(2000);
    // What the socket takes, and 200 frames more.
    for _ in 0..2000 {
        client.text(&line);
        client.expect_text(&format!("2: {line}"));
    }
    while deaf.next().is_some() {}
    assert_eq!(client.ask("undisturbed"), "2: undisturbed");
    server.stop();
}
