//! c-examples/database.c: queries of a real SQLite, beside those that take long.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::harness::{Client, Frame, Launch, Need, Op, skipped};
use crate::linking::valgrind;

use super::{compile, has_library, with_operands};

/// The program; `None` where the test must be skipped, which is said.
fn program() -> Option<PathBuf> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    if skipped(&[Need::Has(has_library("sqlite3"), "libsqlite3-dev is not installed")]) {
        return None;
    }
    Some(PROGRAM.get_or_init(|| compile("database", &["-lsqlite3", "-pthread"])).clone())
}

/// The server with a new database, which whoever it runs as may write. None of its clients is pinged: some
/// are silent for long.
fn fresh() -> Option<Launch> {
    let launch = with_operands(&program()?, &["files/database.sqlite"]).args(["--ping", "0"]);
    let files = launch.run_dir().join("files");
    std::fs::create_dir(&files).expect("a directory");
    std::fs::set_permissions(&files, PermissionsExt::from_mode(0o777)).expect("its mode");
    Some(launch)
}

/// Queries in one piece.
fn send(client: &mut Client, queries: impl IntoIterator<Item = String>) {
    let frames = queries.into_iter().flat_map(|it| Frame::text(&it).bytes());
    client.send_bytes(&frames.collect::<Vec<u8>>());
}

/// So many answers, in their order.
fn answers(client: &mut Client, count: usize) -> Vec<String> {
    (0..count).map(|_| client.receive().as_text().to_owned()).collect()
}

/// What is put is got, and what is wrong says so.
#[test]
fn queries() {
    let Some(launch) = fresh() else { return };
    let mut server = launch.start();
    let mut client = server.connect();
    let long = "\u{1f42d}".repeat(1000);
    for (query, answer) in [
        ("1 get key", "1 none"),
        ("2 put key value", "2 ok"),
        ("3 get key", "3 value value"),
        ("4 put key two  words'); DROP TABLE pairs; --", "4 ok"),
        ("5 get key", "5 value two  words'); DROP TABLE pairs; --"),
        (&format!("6 put {long}"), "6 ok"),
        (&format!("7 get {long}"), "7 value "),
        (" put  nameless", " ok"),
        (" get ", " value nameless"),
        ("%s get %n", "%s none"),
        ("8", "8 error that is no query"),
        ("", " error that is no query"),
        ("9 sleep", "9 error that is no query"),
        ("9 sleep -1", "9 error that is no query"),
        ("9 sleep 99999999999", "9 error that is no query"),
        ("9 gets key", "9 error that is no query"),
    ] {
        assert_eq!(client.ask(query), answer, "{query:.50}");
    }
    for frame in [Frame::new(Op::BINARY, "1 get key"), Frame::text("1 get a\0b")] {
        let mut other = server.connect();
        other.send(&frame);
        assert_eq!(other.receive().code(), Some(1003));
    }
    let mut other = server.connect();
    other.text(&"x".repeat(4097));
    other.expect_close(1009);
    assert_eq!(client.ask("10 get key"), "10 value two  words'); DROP TABLE pairs; --");
    server.stop();
    assert_eq!(server.complaints(), [""; 0]);
}

/// Two thousand queries, of which half write, do not wait for those that sleep in three of the four threads.
/// How long that must be is found out, since a machine may be slow: who waits for a sleeper comes behind it
/// however long it sleeps.
#[test]
fn two_thousand_beside_slow_ones() {
    let Some(launch) = fresh() else { return };
    let mut server = launch.start();
    let mut client = server.connect();
    let put = |number| format!("{number} put key-{number} value-{number}");
    let get = |number| format!("{number} get key-{number}");
    send(&mut client, (0..1000).map(put));
    answers(&mut client, 1000);

    let is_undisturbed = |seconds: u32| {
        send(&mut client, (0..3).map(|_| format!("slow sleep {seconds}")));
        send(&mut client, (0..1000).flat_map(|number| [put(number), get(number)]));
        let mut all = answers(&mut client, 2003);
        let is_last = all.iter().position(|it| it == "slow ok") == Some(2000);
        let each = |number| [format!("{number} ok"), format!("{number} value value-{number}")];
        let slow = std::iter::repeat_n("slow ok".to_owned(), 3);
        let mut wanted: Vec<_> = (0..1000).flat_map(each).chain(slow).collect();
        wanted.sort();
        all.sort();
        assert!(all == wanted, "{all:?}");
        is_last
    };
    assert!([1, 2, 4, 8, 16, 32, 64].into_iter().any(is_undisturbed), "they wait for the sleepers");
    server.stop();
}

/// Many clients at a time get each what they have put.
#[test]
fn many_clients() {
    let Some(launch) = fresh() else { return };
    let mut server = launch.start();
    let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for step in ["put {} by-{}", "get {}"] {
        for (name, client) in clients.iter_mut().enumerate() {
            let query =
                |number| format!("{number} {}", step.replace("{}", &format!("{name}/{number}")));
            send(client, (0..100).map(query));
        }
        for (name, client) in clients.iter_mut().enumerate() {
            let mut all = answers(client, 100);
            all.sort();
            let answer = |number| match step.starts_with("put") {
                true => format!("{number} ok"),
                false => format!("{number} value by-{name}/{number}"),
            };
            let mut wanted: Vec<_> = (0..100).map(answer).collect();
            wanted.sort();
            assert_eq!(all, wanted);
        }
    }
    server.stop();
}

/// Who leaves in the middle of a query holds nothing up, and those who come into its place are not told what was
/// meant for it.
#[test]
fn who_leaves_before_the_answer() {
    let Some(launch) = fresh() else { return };
    let mut server = launch.start();
    for _ in 0..2 {
        for _ in 0..8 {
            let mut client = server.connect();
            client.send_and_drain(&Frame::text("old sleep 1").bytes());
        }
        let mut clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(|client| client.text("new get nothing"));
        clients.iter_mut().for_each(|client| client.expect_text("new none"));
    }
    server.stop();
    assert_eq!(server.complaints(), [""; 0]);
}

/// Past ten thousand that wait, the answer is that there are too many. A server that stops then wakes who
/// sleeps, and leaves nothing behind.
#[test]
fn too_many_queries() {
    let Some(launch) = fresh() else { return };
    let mut server = launch.start();
    let mut client = server.connect();
    send(&mut client, (0..4).map(|number| format!("{number} sleep 3600")));
    send(&mut client, (0..10_100).map(|_| "more get key".to_owned()));
    // Or a few more, as long as not all who sleep are out of the queue.
    for answer in answers(&mut client, 100) {
        assert_eq!(answer, "more error too many queries");
    }
    server.stop();
}

/// A server that stops while queries wait, are under way, and are answered has no error and no leak.
#[test]
fn a_stop_in_the_middle() {
    if skipped(&[Need::Tool("valgrind")]) {
        return;
    }
    let Some(launch) = fresh() else { return };
    let mut server = valgrind(launch).start();
    let mut clients: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for client in &mut clients[..2] {
        client.send_and_drain(&Frame::text("1 sleep 3600").bytes());
    }
    for step in ["put", "get"] {
        send(&mut clients[2], (0..500).map(|number| format!("{number} {step} {number} value")));
    }
    answers(&mut clients[2], 10);
    server.stop();
}

/// What was put is there when the server starts anew.
#[test]
fn the_next_start() {
    let Some(launch) = fresh() else { return };
    let files = launch.run_dir().join("files");
    let mut server = launch.start();
    assert_eq!(server.connect().ask("1 put key value"), "1 ok");
    server.stop();
    let Some(program) = program() else { return };
    let file = files.join("database.sqlite").display().to_string();
    let mut again = with_operands(&program, &[&file]).start();
    assert_eq!(again.connect().ask("1 get key"), "1 value value");
    again.stop();
}

/// Without a file, and with one that cannot be, the server does not start, and says why.
#[test]
fn bad_operands() {
    let Some(program) = program() else { return };
    for (operands, said) in [
        (&[][..], "database: after -- comes the database's file"),
        (&["one", "two"], "database: after -- comes the database's file"),
        (&["/no/such/file"], "database: /no/such/file: unable to open database file"),
    ] {
        let ended = with_operands(&program, operands).args(["-x"]).run();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}
