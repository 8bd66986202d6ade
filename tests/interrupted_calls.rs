//! System calls that are interrupted, or fail.

use crate::harness::{Frame, Launch, Need, Op, Server, Trace, skipped};

/// Has clients talk to a server whose system call fails like that, each `when` of strace(1).
fn serves(call: &str, error: &str, when: &str) {
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:error={error}:when={when}");
    let (launch, trace) = Trace::of(Launch::probe(), &["-e", &trace, "-e", &inject]);
    let mut server = launch.start();
    talk(&mut server);
    server.await_nobody();
    let calls = trace.calls(&server);
    assert!(calls.iter().any(|call| call.ends_with("(INJECTED)")), "{call} was left alone");
}

/// Three clients talk at a time: each gets all that it is owed, in order. Then the server stops.
fn talk(server: &mut Server) {
    let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for round in 0..10 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(&Frame::new(Op::PING, "?"));
            client.text(&format!("{round} of {number}"));
            client.send(&Frame::new(Op::BINARY, vec![7; 20_000]));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.receive().op, Op::PONG);
            client.expect_text(&format!("{round} of {number}"));
            assert_eq!(client.receive().payload, [7; 20_000]);
        }
    }
    clients[0].text("!broadcast 1 60000 2");
    for client in &mut clients {
        (0..2).for_each(|_| assert_eq!(client.receive().payload.len(), 60_000));
    }
    clients[0].expect_text("0 3");
    clients.iter_mut().for_each(|client| client.echo("as ever"));
    drop(clients);
    server.stop();
}

/// CONTRACT S14: a call that is interrupted is made again.
#[test]
fn interrupted() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    for call in ["recvfrom", "sendto", "sendmsg", "accept4", "epoll_wait"] {
        serves(call, "EINTR", "2+3");
    }
}

/// CONTRACT S14: where the system has no memory to send, just now, what was to be sent arrives all the same: no
/// connection is mute, and none is cut.
#[test]
fn sending_finds_no_memory() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    for error in ["ENOBUFS", "ENOMEM"] {
        for call in ["sendto", "sendmsg"] {
            serves(call, error, "2+2");
        }
    }
}

/// CONTRACT S5, S27: where sending fails for good, the connection has ended, which the program is told once. The
/// others are served.
#[test]
fn sending_fails() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    let first = sends_of_two_who_connect() + 1;
    for error in ["EACCES", "EIO", "ENETDOWN", "ETIMEDOUT", "EINVAL"] {
        let inject = format!("inject=sendto:error={error}:when={first}");
        let (launch, _) = Trace::of(Launch::probe(), &["-e", "trace=sendto", "-e", &inject]);
        let mut server = launch.start();
        let mut clients = [server.connect(), server.connect()];
        clients[0].text("an answer that cannot be sent");
        clients[0].expect_end();
        server.await_journal("close 1 ");
        clients[1].echo("as ever");
        drop(clients);
        server.stop();
        assert_eq!(server.journal().matches("close ").count(), 2, "{error}");
    }
}

/// How many calls a server makes until two clients have their answers: what it says at its start is among
/// them, and depends on who has started it.
fn sends_of_two_who_connect() -> usize {
    let (launch, trace) = Trace::of(Launch::probe(), &["-e", "trace=sendto"]);
    let mut server = launch.start();
    let clients = [server.connect(), server.connect()];
    drop(clients);
    server.stop();
    let calls = trace.calls(&server);
    let last = calls.iter().rposition(|call| call.contains("101 Switching Protocols"));
    last.expect("an answer in the trace") + 1
}

/// CONTRACT S16: an error of one connection that waits to be accepted is not the others'.
#[test]
fn accepting_fails() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    for error in ["ECONNABORTED", "EMFILE", "ENOMEM", "ENOBUFS"] {
        serves("accept4", error, "3");
    }
}
