//! Plain requests, and the decisions that are put off: what the caller does with them.

use std::collections::HashMap;

use dorrit_engine::{ConnId, Engine, Response, ResponseBody};
use dorrit_proto::Refusal;

/// How a plain request is answered, as the letter behind its number says.
const LATER: u8 = b'd';

/// The requests on which the caller has put the decision off.
#[derive(Debug, Default)]
pub struct Requests {
    /// In the order in which they came; those for an upgrade among them.
    waiting: Vec<ConnId>,
    /// The plain ones whose end was not told, and what they are answered.
    plain: HashMap<ConnId, Vec<u8>>,
}

/// What has come of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// An upgrade was accepted, or an answer given to a plain request.
    Granted,
    /// This upgrade was not accepted, or is not there any more.
    Refused(ConnId),
}

/// A plain request with this number and a body of so many bytes, and what it is answered.
pub fn plain(number: usize, len: usize, is_later: bool) -> (Vec<u8>, Vec<u8>) {
    let target = format!("/{number}{}", if is_later { 'd' } else { 'n' });
    let (method, length) = match (len, number % 3) {
        (0, 0) => ("HEAD", String::new()),
        (0, _) => ("GET", String::new()),
        (_, 0) => ("PUT", "Transfer-Encoding: chunked\r\n".to_owned()),
        _ => ("POST", format!("Content-Length: {len}\r\n")),
    };
    let body = vec![b'b'; len];
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{length}\r\n").into_bytes();
    if method == "PUT" {
        let (first, last) = body.split_at(len / 2);
        for chunk in [first, last].into_iter().filter(|chunk| !chunk.is_empty()) {
            request.extend(format!("{:x}\r\n", chunk.len()).bytes());
            request.extend([chunk, b"\r\n"].concat());
        }
        request.extend_from_slice(b"0\r\n\r\n");
    } else {
        request.extend_from_slice(&body);
    }
    let answer = answer(method.as_bytes(), target.as_bytes(), &body);
    (request, answer)
}

/// What a plain request is answered.
pub fn answer(method: &[u8], target: &[u8], body: &[u8]) -> Vec<u8> {
    let sum = body.iter().fold(0_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(*byte));
    let content = [method, target, format!(" {} {sum}", body.len()).as_bytes()].concat();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len());
    let content = if method == b"HEAD" { b"" } else { &content[..] };
    [head.as_bytes(), content].concat()
}

/// Answers a plain request.
pub fn respond(engine: &mut Engine, id: ConnId, head: &[u8]) {
    let keeps_alive = engine.plain(id).is_some_and(|plain| plain.keeps_alive);
    engine.respond(id, Response { head, body: ResponseBody::Bytes(b""), keeps_alive });
}

impl Requests {
    /// Deals with a plain request that was told: answers it, or puts that off.
    pub fn hear(&mut self, engine: &mut Engine, id: ConnId) {
        let body = engine.take_asked(id).map_or_else(Vec::new, |(_, _, body)| body);
        let request = engine.request(id).expect("a request");
        let answer = answer(request.method(), request.target(), &body);
        if request.target().last() != Some(&LATER) {
            return respond(engine, id, &answer);
        }
        engine.defer(id).expect("there is memory");
        self.waiting.push(id);
        assert!(self.plain.insert(id, answer).is_none(), "the same id twice");
    }

    /// Puts the decision on an upgrade off.
    pub fn put_off(&mut self, engine: &mut Engine, id: ConnId) {
        engine.defer(id).expect("there is memory");
        self.waiting.push(id);
    }

    /// Decides on one of those that wait, as the choice says; `None` where none waits.
    pub fn decide(&mut self, engine: &mut Engine, choice: usize) -> Option<Decided> {
        let count = self.waiting.len().max(1);
        let id = (!self.waiting.is_empty()).then(|| self.waiting.remove((choice >> 2) % count))?;
        if let Some(answer) = self.plain.get(&id) {
            match choice & 3 {
                3 => engine.refuse(id, Refusal::Status(500)),
                _ => respond(engine, id, answer),
            }
            return Some(Decided::Granted);
        }
        match choice & 3 {
            2 => engine.refuse(id, Refusal::Forbidden),
            3 => respond(engine, id, b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n"),
            _ if engine.accept(id, None, b"") => return Some(Decided::Granted),
            _ => {}
        }
        Some(Decided::Refused(id))
    }

    /// Notes the end of one. Returns whether it was a plain request's.
    pub fn end(&mut self, engine: &Engine, id: ConnId) -> bool {
        self.waiting.retain(|other| *other != id);
        let is_plain = self.plain.remove(&id).is_some();
        assert!(!is_plain || (engine.is_known(id) && engine.request(id).is_none()));
        is_plain
    }

    /// Asserts that nobody waits any more.
    pub fn assert_none(&self) {
        assert!(self.waiting.is_empty() && self.plain.is_empty(), "an end is not told");
    }
}
