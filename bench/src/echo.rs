//! A closed loop of echoes: each connection keeps so many messages in flight, and sends the next as an
//! answer comes.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::client::{Address, PATIENCE, Socket};
use crate::http;
use crate::wire::{self, Content, Language, Ring};

/// How much of a burst's answers is read at a time: the others' must not wait for them here.
const LITTLE: usize = 8192;
/// How often the one request stands in its ring.
const SAME: usize = 16;

/// What is sent, and how much of it at a time.
#[derive(Clone, Copy, Debug)]
pub struct Talk {
    pub content: Content,
    pub size: usize,
    pub depth: usize,
}

impl Talk {
    /// Enough different messages that an answer out of order shows, and few enough for the cache.
    fn messages(&self) -> Vec<Vec<u8>> {
        wire::messages(self.content, self.size, (262_144 / self.size.max(1)).clamp(3, 61))
    }
}

struct Conn {
    socket: Socket,
    /// How many messages it keeps in flight.
    depth: usize,
    /// The number of the message that is asked next.
    asked: u64,
    answered: u64,
    /// Messages that are wholly sent, and the place in the requests' ring of the next byte to send.
    sent: u64,
    out: usize,
    /// The place in the answers' ring of the next byte to come.
    at: usize,
    /// When each message in flight was sent.
    times: Vec<u64>,
    waits_to_send: bool,
}

impl Conn {
    /// When a message in flight was sent.
    fn asked_at(&self, number: u64) -> u64 {
        self.times[(number % self.times.len() as u64) as usize]
    }
}

pub struct Echo {
    poll: Epoll,
    address: Address,
    language: Language,
    conns: Vec<Conn>,
    requests: Ring,
    answers: Ring,
    buffer: Vec<u8>,
    clock: Instant,
    latencies: Histogram<u64>,
    /// Of how many connections, the first ones, latencies are recorded. Of the others there is a burst.
    pub recorded: usize,
    pub answered: u64,
}

impl Echo {
    pub fn new(address: &Address, language: Language, talk: Talk) -> io::Result<Self> {
        let (requests, answers) = match language {
            Language::Bare => {
                // What a server has to send, both ways.
                let frames: Vec<_> = talk
                    .messages()
                    .iter()
                    .map(|message| wire::server_frame(message, talk.content))
                    .collect();
                (Ring::new(&frames), Ring::new(&frames))
            }
            Language::WebSocket | Language::Deflate => {
                let (requests, answers) = learn(address, language, &talk.messages(), talk.content)?;
                (Ring::new(&requests), Ring::new(&answers))
            }
            Language::Http => {
                let socket = Socket::upgraded(address, language)?;
                let answer =
                    socket.exchange(http::REQUEST, |bytes| http::answer(bytes).is_some())?;
                let date = http::check(&answer)?;
                (Ring::of_one(http::REQUEST, SAME, None), Ring::of_one(&answer, SAME, date))
            }
        };
        Ok(Self {
            poll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            address: address.clone(),
            language,
            conns: Vec::new(),
            requests,
            answers,
            buffer: vec![0; 262_144],
            clock: Instant::now(),
            latencies: new_histogram(),
            recorded: usize::MAX,
            answered: 0,
        })
    }

    /// Connects until there are `count`, each of which has had one answer.
    pub fn connect(&mut self, count: usize) -> io::Result<()> {
        while self.conns.len() < count {
            let socket = Socket::upgraded(&self.address, self.language)?;
            let event = EpollEvent::new(EpollFlags::EPOLLIN, self.conns.len() as u64);
            self.poll.add(&socket, event)?;
            let first = self.first(self.conns.len());
            self.conns.push(Conn {
                socket,
                depth: 0,
                asked: first as u64,
                answered: first as u64,
                sent: first as u64,
                out: self.requests.starts[first],
                at: self.answers.starts[first],
                times: vec![0],
                waits_to_send: false,
            });
            // Few at a time are greeted, so that the server is never far behind.
            if self.conns.len().is_multiple_of(64) || self.conns.len() == count {
                self.greet()?;
            }
        }
        Ok(())
    }

    /// The message with which a connection begins. They talk in turn: alike, they would have the server do
    /// the same again and again, and its processor foresee it.
    fn first(&self, index: usize) -> usize {
        index % self.requests.count
    }

    fn greet(&mut self) -> io::Result<()> {
        let last = self.conns.len().saturating_sub(64)..self.conns.len();
        let new = last.filter(|&index| self.conns[index].asked == self.first(index) as u64);
        self.start(new.collect::<Vec<_>>(), 1)?;
        self.stop()
    }

    /// Waits until nothing is in flight.
    pub fn stop(&mut self) -> io::Result<()> {
        // With a depth of 0 an answer asks for no further one.
        self.conns.iter_mut().for_each(|conn| conn.depth = 0);
        let end = Instant::now() + PATIENCE;
        while self.conns.iter().any(|conn| conn.answered < conn.asked) {
            if Instant::now() > end {
                return Err(io::Error::other("answers are missing"));
            }
            self.turn()?;
        }
        Ok(())
    }

    /// Has these connections, which are silent, talk from now on, with so many messages in flight.
    pub fn start(
        &mut self,
        indices: impl IntoIterator<Item = usize>,
        depth: usize,
    ) -> io::Result<()> {
        self.requests.repeat(depth);
        for index in indices {
            let conn = &mut self.conns[index];
            conn.depth = depth;
            conn.times.resize(depth, 0);
            self.send(index)?;
        }
        Ok(())
    }

    /// Goes on for as long.
    pub fn run(&mut self, time: Duration) -> io::Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn()?;
        }
        Ok(())
    }

    pub fn latencies(&mut self) -> Histogram<u64> {
        let now = self.now();
        // Who has waited longer than all who were answered would else not show at all.
        for conn in self.conns.iter().take(self.recorded) {
            let wait =
                if conn.answered < conn.asked { now - conn.asked_at(conn.answered) } else { 0 };
            if wait > self.latencies.max() {
                self.latencies.saturating_record(wait);
            }
        }
        std::mem::replace(&mut self.latencies, new_histogram())
    }

    fn now(&self) -> u64 {
        self.clock.elapsed().as_nanos() as u64
    }

    fn turn(&mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); 512];
        let timeout = EpollTimeout::try_from(PATIENCE).unwrap_or(EpollTimeout::NONE);
        let count = self.poll.wait(&mut events, timeout)?;
        if count == 0 {
            return Err(io::Error::other("the server is silent"));
        }
        for event in &events[..count] {
            let index = event.data() as usize;
            if event.events().contains(EpollFlags::EPOLLOUT) {
                self.send(index)?;
            }
            if event.events() != EpollFlags::EPOLLOUT {
                self.receive(index)?;
            }
        }
        Ok(())
    }

    fn receive(&mut self, index: usize) -> io::Result<()> {
        let conn = &mut self.conns[index];
        let most = if index < self.recorded { self.buffer.len() } else { LITTLE };
        let Some(got) = conn.socket.receive(&mut self.buffer[..most])? else { return Ok(()) };
        if got == 0 {
            return Err(io::Error::other("the server has closed a connection"));
        }
        let now = self.clock.elapsed().as_nanos() as u64;
        let mut bytes = &self.buffer[..got];
        let count = self.answers.count as u64;
        while !bytes.is_empty() {
            let part = bytes.len().min(self.answers.round() - conn.at);
            if !self.answers.is_next(conn.at, &bytes[..part]) {
                return Err(io::Error::other(format!("answer {} is wrong", conn.answered)));
            }
            conn.at += part;
            bytes = &bytes[part..];
            while self.answers.starts[(conn.answered % count) as usize + 1] <= conn.at {
                if index < self.recorded {
                    self.latencies.saturating_record(now - conn.asked_at(conn.answered));
                }
                conn.answered += 1;
                self.answered += 1;
                if conn.answered.is_multiple_of(count) {
                    conn.at = 0;
                    break;
                }
            }
        }
        if conn.answered > conn.asked {
            return Err(io::Error::other("an answer that was not asked for"));
        }
        if conn.asked < conn.answered + conn.depth as u64 { self.send(index) } else { Ok(()) }
    }

    fn send(&mut self, index: usize) -> io::Result<()> {
        let conn = &mut self.conns[index];
        let now = self.clock.elapsed().as_nanos() as u64;
        while conn.asked < conn.answered + conn.depth as u64 {
            let slots = conn.times.len() as u64;
            conn.times[(conn.asked % slots) as usize] = now;
            conn.asked += 1;
        }
        // What is not yet sent lies in one piece: the ring has so many messages to spare.
        let count = self.requests.count as u64;
        let unsent = (conn.asked - conn.sent) as usize;
        let end = self.requests.starts[(conn.sent % count) as usize + unsent];
        if conn.out < end {
            conn.out += conn.socket.send(&self.requests.bytes[conn.out..end])?;
        }
        while conn.sent < conn.asked
            && self.requests.starts[(conn.sent % count) as usize + 1] <= conn.out
        {
            conn.sent += 1;
            if conn.sent.is_multiple_of(count) {
                conn.out -= self.requests.round();
            }
        }
        let waits = conn.sent < conn.asked;
        if waits != conn.waits_to_send {
            conn.waits_to_send = waits;
            let out = if waits { EpollFlags::EPOLLOUT } else { EpollFlags::empty() };
            let mut event = EpollEvent::new(EpollFlags::EPOLLIN | out, index as u64);
            self.poll.modify(&conn.socket, &mut event)?;
        }
        Ok(())
    }
}

pub fn new_histogram() -> Histogram<u64> {
    // One nanosecond to ten seconds, three digits.
    Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("bounds that are in order")
}

/// Requests, and the answers that this server gives to them: each is read as RFC 6455 has it, joined and
/// inflated where it must be, and compared once; then it must come again and again, byte for byte, since
/// neither side keeps a context.
type Frames = (Vec<Vec<u8>>, Vec<Vec<u8>>);

fn learn(
    address: &Address,
    language: Language,
    messages: &[Vec<u8>],
    content: Content,
) -> io::Result<Frames> {
    let socket = Socket::upgraded(address, language)?;
    let mut requests = Vec::new();
    let mut answers = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let request = match language {
            Language::Deflate => {
                wire::client_frame(&wire::deflate(message), content, language, index)
            }
            _ => wire::client_frame(message, content, language, index),
        };
        let answer = socket.exchange(&request, |bytes| wire::message(bytes).is_some())?;
        match wire::message(&answer) {
            Some(it) if it.len == answer.len() && wire::is_answer(&it, message, content) => {}
            _ => return Err(io::Error::other(format!("the answer to message {index} is wrong"))),
        }
        requests.push(request);
        answers.push(answer);
    }
    Ok((requests, answers))
}
