//! A client's stream, as an engine reads it in pieces, and what it answers.

use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use dorrit_engine::{Config, Connections, Engine, Event};

use crate::requests::{answer, respond};

/// What became of a stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The methods, targets and bodies of the requests that were told, and the messages.
    pub told: Vec<Vec<u8>>,
    /// What the client is sent, but for dates and for interim answers, which depend on the pieces.
    pub sent: Vec<u8>,
}

/// Has an engine read a stream that comes in such pieces. It answers at once, or later where `is_later`, accepts every
/// upgrade and echoes messages.
pub fn read(
    config: &Config,
    stream: &[u8],
    mut cuts: impl Iterator<Item = usize>,
    is_later: bool,
) -> Outcome {
    let mut engine = Engine::new(*config, Arc::new(Connections::new(2))).expect("an engine");
    let (socket, mut client) = UnixStream::pair().expect("sockets");
    client.set_nonblocking(true).expect("a socket");
    let first = cuts.next().unwrap_or(0).min(stream.len());
    engine.adopt(socket.into(), &stream[..first]).expect("there is room");
    let (mut told, mut sent, mut rest) = (Vec::new(), Vec::new(), &stream[first..]);
    loop {
        loop {
            let (has_gone_on, before) = (go_on(&mut engine, &mut told, is_later), sent.len());
            // An error is the end: what was sent before it is there.
            let _ = client.read_to_end(&mut sent);
            if !has_gone_on && sent.len() == before {
                break;
            }
        }
        let len = cuts.next().unwrap_or(rest.len()).min(rest.len());
        if rest.is_empty() || client.write(&rest[..len]).is_err() {
            break;
        }
        rest = &rest[len..];
    }
    drop(client);
    while go_on(&mut engine, &mut told, is_later) {}
    let stats = engine.stats();
    assert_eq!((stats.queued_bytes, stats.connections), (0, 0), "something is left");
    Outcome { told, sent: without_dates(&sent) }
}

/// Lets the engine do what there is to do now. Returns whether that was anything.
fn go_on(engine: &mut Engine, told: &mut Vec<Vec<u8>>, is_later: bool) -> bool {
    let before = (told.len(), engine.stats());
    let mut waiting = Vec::new();
    engine.wait(Some(Duration::ZERO)).expect("a loop");
    loop {
        let copied = |payload: &[Cell<u8>]| payload.iter().map(Cell::get).collect::<Vec<u8>>();
        let Some(event) = engine.poll_event() else { break };
        match event.map(copied) {
            Event::Opened(id) | Event::Requested(id) => {
                let body = engine.take_asked(id).map_or_else(Vec::new, |(_, _, body)| body);
                let request = engine.request(id).expect("a request");
                told.push([request.method(), b" ", request.target(), b" ", &body].concat());
                let answer = answer(request.method(), request.target(), &body);
                let is_plain = engine.plain(id).is_some();
                if is_later {
                    engine.defer(id).expect("there is memory");
                    waiting.push((id, is_plain, answer));
                } else if is_plain {
                    respond(engine, id, &answer);
                } else {
                    assert!(engine.accept(id, None, b""), "there is room");
                }
            }
            Event::Message(id, kind, mut message) => {
                message.pop();
                engine.send_to(id, kind, &message).expect("there is memory");
                told.push(message);
            }
            _ => {}
        }
    }
    for (id, is_plain, answer) in waiting {
        match is_plain {
            true => respond(engine, id, &answer),
            false => assert!(engine.accept(id, None, b""), "there is room"),
        }
    }
    before != (told.len(), engine.stats()) || engine.timeout() == Some(Duration::ZERO)
}

/// What was sent, without the lines of dates and without interim answers.
fn without_dates(sent: &[u8]) -> Vec<u8> {
    const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    let (mut out, mut rest) = (Vec::new(), sent);
    while let Some((first, behind)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(CONTINUE) {
            rest = behind;
        } else if rest.starts_with(b"\r\nDate: ") {
            let line = rest[2..].iter().position(|byte| *byte == b'\r');
            rest = &rest[line.map_or(rest.len(), |len| 2 + len)..];
        } else {
            out.push(*first);
            rest = behind;
        }
    }
    out
}
