//! What has arrived and is not read is no silence (CONTRACT S21).

use std::time::Duration;

use rustix::process::Signal;

use super::nothing_set;
use crate::harness::{Frame, Need, Op, skipped};

/// More than the poll tells at a time.
const CLIENTS: usize = 1500;

/// The server is stopped for longer than a client may take to answer a ping, while the answers of many lie in their
/// sockets: nobody is dropped.
#[test]
fn answers_that_came_while_it_was_stopped() {
    if skipped(&[Need::Descriptors(CLIENTS as u64 + 200)]) {
        return;
    }
    let mut server = nothing_set().args(["-m", "2000", "--ping", "5,2"]).start();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
    // From now on all have been silent for the same time.
    clients.iter_mut().for_each(|client| client.text("all at once"));
    for client in &mut clients {
        loop {
            let frame = client.receive();
            if frame.op == Op::PING {
                break;
            }
            assert_eq!(frame.as_text(), "all at once");
        }
    }
    server.signal(Signal::STOP);
    // Those who were asked first are the last ones of whom the poll tells.
    for client in clients.iter_mut().rev() {
        client.send(&Frame::new(Op::PONG, ""));
    }
    // How long it is stopped is what is tried here.
    std::thread::sleep(Duration::from_secs(3));
    server.signal(Signal::CONT);
    clients.iter_mut().for_each(|client| client.text("here"));
    for client in &mut clients {
        let mut frame = client.receive();
        while frame.op == Op::PING || frame.payload == b"all at once" {
            frame = client.receive();
        }
        assert_eq!(frame.as_text(), "here");
    }
    assert!(!server.journal().contains("close "), "{}", server.stderr());
    drop(clients);
    server.stop();
}
