//! System calls on clients' sockets that do less than was asked for, or fail for a moment, by
//! tests/c/short_calls.c in front of the C library.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::harness::{
    Client, Frame, Launch, Need, Op, Request, Server, Variant, program, skipped, until,
};

const NEED: Need =
    Need::Has(cfg!(target_os = "linux"), "there is no epoll: its calls come between");

/// CONTRACT S24: what arrives byte by byte, or in halves, is all there, and so is the end.
#[test]
fn receiving_gives_less() {
    serves(&["receive-one", "receive-half", "receive-again", "receive-interrupted"]);
}

/// CONTRACT D16, S14: what a socket takes a part of goes out in order, and whole.
#[test]
fn sending_takes_less() {
    serves(&["send-one", "send-half", "send-again", "send-interrupted"]);
}

/// CONTRACT S14: a system that has no memory for what is sent is asked again, whatever else happens.
#[test]
fn sending_finds_no_memory() {
    serves(&["send-no-buffers", "send-no-memory"]);
}

/// With each of these faults, clients of every kind get all that they are owed, in order, and are told
/// of their end.
fn serves(faults: &[&str]) {
    if skipped(&[NEED]) {
        return;
    }
    for fault in faults {
        for is_tcp in [false, true] {
            let (launch, count) = launch(fault);
            let mut server = if is_tcp { launch.tcp().start() } else { launch.start() };
            talk(&server);
            fetch(&server);
            server.stop();
            let count = std::fs::read_to_string(count).unwrap_or_default();
            assert!(!count.is_empty(), "{fault}: no call was changed");
        }
    }
}

/// The launch with that fault, and where the number of calls will stand that were changed.
fn launch(fault: &str) -> (Launch, PathBuf) {
    let launch = Launch::probe();
    std::fs::create_dir_all(launch.run_dir().join("pages")).expect("a directory");
    std::fs::write(launch.run_dir().join("pages/long"), "p".repeat(LONG)).expect("a file");
    let count = launch.dir().join("out/short-calls");
    // Who serves may be another user.
    let everybodys = Permissions::from_mode(0o666);
    File::create(&count).and_then(|file| file.set_permissions(everybodys)).expect("a file");
    let preload = launch.dir().join("short_calls.so");
    std::fs::copy(program("short_calls.c", Variant::Preload), &preload).expect("a copy");
    let (preload, path) = (preload.display().to_string(), count.display().to_string());
    let launch = launch.env("LD_PRELOAD", &preload).env("SHORT_CALLS", fault);
    let launch = launch.env("SHORT_CALLS_COUNT", &path);
    (launch.args(["-w", "pages", "--compress", "--max-message", "100000"]), count)
}

const LONG: usize = 30_000;

/// Three clients talk at a time: with pings, messages that are short, long, in parts and compressed, and what
/// one of them has sent to all.
fn talk(server: &Server) {
    let deflate = Request::new().with("Sec-WebSocket-Extensions", "permessage-deflate");
    let mut clients = [server.connect(), server.connect(), server.raw().upgrade(&deflate)];
    // "Hello", compressed (RFC 7692 7.2.3.1).
    let hello = Frame::new(Op::TEXT, *b"\xf2\x48\xcd\xc9\xc9\x07\x00").reserved(4);
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(&Frame::new(Op::PING, "?"));
            client.text(&format!("{round} of {number}"));
            client.send(&Frame::new(Op::BINARY, vec![7; 3000]).unfinished());
            client.send(&Frame::new(Op::CONTINUATION, vec![8; 3000]));
        }
        clients[2].send(&hello);
        for (number, client) in clients[..2].iter_mut().enumerate() {
            let answers = [client.receive(), client.receive(), client.receive()];
            assert_eq!(answers[0].op, Op::PONG);
            assert_eq!(answers[1].as_text(), format!("{round} of {number}"));
            assert_eq!(answers[2].payload, [[7; 3000], [8; 3000]].concat());
        }
        let lengths = [(); 4].map(|()| clients[2].receive().payload.len());
        assert!(lengths[..2] == [1, 6] && lengths[2] < 6000 && lengths[3] == 5, "{lengths:?}");
    }
    clients[0].text(&format!("!broadcast 1 {LONG} 2"));
    for client in &mut clients[..2] {
        (0..2).for_each(|_| assert_eq!(client.receive().payload.len(), LONG));
    }
    clients[0].expect_text("0 3");
    (0..2).for_each(|_| drop(clients[2].receive()));
    clients[0].echo("as ever");
    clients.iter_mut().for_each(part_from);
    // Whoever does not say good-bye is missed as well.
    drop(server.connect());
    let is_over = |server: &Server| {
        let journal = server.journal();
        let count = |word| journal.lines().filter(|line| line.starts_with(word)).count();
        (count("open ") == 4 && count("close ") == 4).then_some(())
    };
    assert!(until(|| is_over(server)).is_some(), "{}", server.journal());
}

fn part_from(client: &mut Client) {
    client.send(&Frame::close(1000, "that was all"));
    client.expect_close(1000);
}

/// A page is whole, too.
fn fetch(server: &Server) {
    let mut client = server.raw();
    let request = Request::new().without("Upgrade").line("GET /long HTTP/1.1");
    client.send_bytes(&request.bytes());
    let response = client.head();
    assert!(response.status.contains("200"), "{response:?}");
    assert_eq!(client.bytes(LONG), "p".repeat(LONG).into_bytes());
}
