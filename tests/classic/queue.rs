//! E4: at most 200 frames are queued for a connection.

use crate::harness::{Client, Frame, Launch, Op, Server};

const MOST: usize = 200;

/// A client that does not read (number 1), and one that commands (number 2).
fn two(server: &Server) -> (Client, Client) {
    let mut idle = server.connect();
    idle.echo("hello");
    (idle, server.connect())
}

/// Has a command obeyed that would be too long for a message: in the open callback, by the host, which has no spaces.
fn ask_in_open_callback(server: &Server, command: &str) -> String {
    let mut client = super::connect_for(server, &format!("do={}", command[1..].replace(' ', "+")));
    let frame = client.receive();
    assert!(frame.fin && frame.op == Op::TEXT, "{frame:?}");
    frame.as_text().to_owned()
}

/// CONTRACT E4: the 200th frame is queued, the 201st is not: -1, and what is sent is what was
/// queued.
#[test]
fn the_201st_frame() {
    let mut server = Launch::classic().start();
    let (mut idle, mut client) = two(&server);
    assert_eq!(client.ask("!fill 1 3"), "200 -1 200");
    for _ in 0..MOST {
        idle.expect_text("aaa");
    }
    idle.echo("and nothing behind them");
    // Its own queue, in its own turn: the answer itself is the 201st, and is lost.
    client.text("!fill 0 3");
    for _ in 0..MOST {
        client.expect_text("aaa");
    }
    client.echo("no answer");
    server.stop();
}

/// CONTRACT E4: a client that does not read has 200 frames waiting for ever; it gets them all, and
/// no other, when it reads.
#[test]
fn a_client_that_does_not_read() {
    let mut server = Launch::classic().start();
    let (mut idle, mut client) = two(&server);
    let mut queued = 0;
    // The socket takes some of them, until it takes no more.
    loop {
        let answer = client.ask("!fill 1 65535");
        let [count, result, length] = answer.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{answer}")
        };
        assert_eq!((result, length), ("-1", "200"));
        queued += count.parse::<usize>().expect("a number");
        if count == "0" && client.ask("!qlen 1") == "200" {
            break;
        }
    }
    assert!(queued > MOST, "{queued}");
    assert_eq!(client.ask("!write 1 1 100"), "-1 200");
    assert_eq!(client.ask("!write 1 1000000 1"), "-1 200");
    // Others have room.
    client.echo("undisturbed");
    for _ in 0..queued {
        let frame = idle.receive();
        assert!(frame.fin && frame.op == Op::TEXT && frame.payload.len() == 65535);
    }
    assert_eq!(client.ask("!qlen 1"), "0");
    idle.echo("and there is room again");
    assert_eq!(client.ask("!write 1 3 1"), "0 1");
    idle.expect_text("aaa");
    server.stop();
}

/// CONTRACT E4, D15: frames are counted, not messages; a message whose last frame has no room is
/// not queued in part.
#[test]
fn fragments_count() {
    let mut server = Launch::classic().args(["-b", "15"]).start();
    let (mut idle, _other) = two(&server);
    let ask = |command| ask_in_open_callback(&server, command);
    // 20 messages of 10 frames.
    assert_eq!(ask("!fill 1 100"), "20 -1 200");
    for _ in 0..MOST {
        assert_eq!(idle.receive().payload.len(), 10);
    }
    // 198 frames, and then one message of three and one of two.
    assert_eq!(ask("!write 1 1 198"), "0 198");
    for _ in 0..198 {
        idle.expect_text("a");
    }
    // 66 messages of three frames: for a 67th there is room for two thirds.
    assert_eq!(ask("!fill 1 21"), "66 -1 198");
    for _ in 0..66 {
        let parts: Vec<_> = (0..3).map(|_| idle.receive()).collect();
        assert_eq!(parts.iter().map(|it| it.payload.len()).collect::<Vec<_>>(), [10, 10, 1]);
        assert_eq!(parts.iter().map(|it| it.fin).collect::<Vec<_>>(), [false, false, true]);
    }
    idle.echo("whole");
    server.stop();
}

/// CONTRACT E4: one message of 200 frames is queued, one of 201 is not, however empty the queue.
#[test]
fn one_long_message() {
    let mut server = Launch::classic().args(["-b", "10"]).start();
    let (mut idle, _other) = two(&server);
    let ask = |command| ask_in_open_callback(&server, command);
    assert_eq!(ask("!write 1 1001 1"), "-1 0");
    assert_eq!(ask("!write 1 16777216 1"), "-1 0");
    assert_eq!(ask("!write 1 1000 1"), "0 200");
    let frames: Vec<_> = (0..MOST).map(|_| idle.receive()).collect();
    assert!(frames.iter().all(|frame| frame.payload == b"aaaaa"));
    assert_eq!(frames.iter().filter(|frame| frame.fin).count(), 1);
    idle.text("hi");
    idle.expect_text("hi");
    server.stop();
}

/// CONTRACT E4: -2 where the length is less than 1, also where the queue is full; and each of the
/// rest of the arguments.
#[test]
fn the_other_results() {
    let mut server = Launch::classic().start();
    let (mut idle, mut client) = two(&server);
    assert_eq!(client.ask("!write 1 0 1"), "-2 0");
    assert_eq!(client.ask("!write 1 -1 1"), "-2 0");
    client.text("!misuse");
    client.expect_text("aaaaa");
    client.expect_text("-2 -2 -2 -2 0 0 0");
    // A full queue does not change what is wrong with an argument.
    assert_eq!(client.ask("!nothing 1"), "200 -1 -2 -2 200");
    for _ in 0..MOST {
        idle.expect_text("a");
    }
    server.stop();
}

/// CONTRACT E4, D2, D18: what the library itself has to say is never kept back by a full queue:
/// pongs, and the close frame.
#[test]
fn pongs_and_the_close_frame_have_room() {
    let mut server = Launch::classic().start();
    let mut client = server.connect();
    let together =
        [Frame::text("!fill 0 1").bytes(), Frame::new(Op::PING, "now?").bytes()].concat();
    client.send_bytes(&together);
    let mut frames: Vec<_> = (0..=MOST).map(|_| client.receive()).collect();
    frames.retain(|frame| frame.op == Op::PONG);
    assert_eq!(frames.len(), 1, "the pong");
    client.text("!full");
    for _ in 0..MOST {
        client.expect_text("a");
    }
    assert_eq!(client.receive().code(), Some(1000));
    client.send(&Frame::close(1000, ""));
    client.expect_end();
    server.await_journal("close 1 ");
    server.stop();
}

/// CONTRACT E4, D11: each turn has room for what the last one has sent.
#[test]
fn a_client_that_reads_is_never_full() {
    let mut server = Launch::classic().start();
    let (mut idle, mut client) = two(&server);
    for _ in 0..50 {
        assert_eq!(client.ask("!write 1 10 150"), "0 150");
        for _ in 0..150 {
            idle.expect_text("aaaaaaaaaa");
        }
    }
    server.stop();
}
