//! An engine and its clients on one thread: nothing here waits for a clock.
#![allow(unreachable_pub, reason = "a module of a test has nothing above it")]
#![allow(dead_code, reason = "each test uses some of it")]

pub mod site;

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::RawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use dorrit_engine::{
    Buffers, Config, ConnId, Connections, DropCause, Engine, Event, Key, Listener, OverflowPolicy,
    PlainRequests, QueueLimit, Readiness, Response, ResponseBody, Upgrades,
};
use dorrit_proto::{
    Binary, CloseCode, Fragments, MessageKind, OpCode, Refusal, Role, Rules, unmask,
};
use tempfile::TempDir;

pub const CONFIG: Config = Config {
    max_connections: 100,
    rules: Rules {
        role: Role::Server,
        max_payload: 65535,
        binary: Binary::Accepted,
        fragments: Fragments::Refused,
    },
    max_fragment: 65535,
    buffers: Buffers::Shared,
    max_queued_frames: None,
    queue_limit: QueueLimit { bytes: 64 << 20, policy: OverflowPolicy::Close },
    max_memory: None,
    compression: 0,
    keepalive: None,
    upgrades: Upgrades::Told,
    plain_requests: PlainRequests::Refused,
    decision_timeout: Duration::from_secs(60),
    is_proxied: false,
    take_shortage: || false,
};

pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A timer, a descriptor or a call that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Timer(Key),
    Ready(RawFd, Readiness, Key),
    Call,
}

/// An engine that listens, and echoes nothing by itself.
pub struct Server {
    pub engine: Engine,
    /// What the engine listens on.
    pub listener: Weak<Listener>,
    /// Messages in the order in which they came.
    pub messages: Vec<(ConnId, MessageKind, Vec<u8>)>,
    pub opened: Vec<ConnId>,
    pub closed: Vec<ConnId>,
    /// Why they were closed.
    pub codes: Vec<CloseCode>,
    pub drained: Vec<ConnId>,
    /// How often much less memory was held than before.
    pub released: u32,
    /// For how long the loop was held up, each time.
    pub held_up: Vec<Duration>,
    /// What is done when a connection's queue is empty.
    pub on_drain: fn(&mut Engine, ConnId),
    pub dropped: Vec<DropCause>,
    pub refused: Vec<Refusal>,
    /// The address of the message that was told last.
    pub place: usize,
    pub is_drain_expired: bool,
    pub is_stopped: bool,
    /// The targets of plain requests, each of which is answered with this file.
    pub targets: Vec<Vec<u8>>,
    pub page: Option<(File, u64)>,
    /// What is done with each message, after it was noted.
    pub on_message: fn(&mut Engine, ConnId, MessageKind, &[u8]),
    /// What is done before a connection is accepted.
    pub on_open: fn(&mut Engine, ConnId) -> bool,
    /// The timers, descriptors and calls that were told.
    pub sources: Vec<Source>,
    /// What is done with each, after it was noted.
    pub on_source: fn(&mut Engine, Source),
    control: std::io::PipeWriter,
    controlled: std::io::PipeReader,
    directory: TempDir,
}

impl Server {
    pub fn new(config: Config) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let connections = Arc::new(Connections::new(config.max_connections));
        let mut engine = Engine::new(config, connections).unwrap();
        let listener = UnixListener::bind(directory.path().join("s")).unwrap();
        let listener = Arc::new(listener.into());
        engine.listen(Arc::clone(&listener)).unwrap();
        let (read, control) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&read, true).unwrap();
        engine.watch_control(&read).unwrap();
        Self {
            engine,
            listener: Arc::downgrade(&listener),
            messages: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            codes: Vec::new(),
            drained: Vec::new(),
            released: 0,
            held_up: Vec::new(),
            on_drain: |_, _| {},
            dropped: Vec::new(),
            refused: Vec::new(),
            place: 0,
            is_drain_expired: false,
            is_stopped: false,
            targets: Vec::new(),
            page: None,
            on_message: |_, _, _, _| {},
            on_open: |_, _| true,
            sources: Vec::new(),
            on_source: |_, _| {},
            control,
            controlled: read,
            directory,
        }
    }

    /// Where it listens.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    /// What the engine watches for [`Server::pump_once`].
    pub fn controlled(&self) -> &std::io::PipeReader {
        &self.controlled
    }

    pub fn client(&self) -> Client {
        let stream = UnixStream::connect(self.path()).unwrap();
        stream.set_nonblocking(true).unwrap();
        Client { stream }
    }

    /// A client whose connection is open.
    pub fn open_client(&mut self) -> (Client, ConnId) {
        let mut client = self.client();
        client.write(REQUEST);
        self.pump();
        assert!(client.read().starts_with(b"HTTP/1.1 101 "));
        (client, *self.opened.last().unwrap())
    }

    /// Lets the engine do all that there is to do now.
    pub fn pump(&mut self) {
        for _ in 0..4 {
            self.pump_once();
        }
    }

    /// Lets the engine go on until it has looked at the poll and found that it was asked to.
    pub fn pump_once(&mut self) {
        self.control.write_all(b"c").unwrap();
        while self.step() {}
    }

    /// Lets the engine tell one event, which must come.
    pub fn step_once(&mut self) {
        self.step();
    }

    /// What the engine tells next, for which it waits, with a copy of a message's payload, over which is written
    /// then.
    pub fn next(&mut self) -> Event<Vec<u8>> {
        loop {
            if let Some(event) = self.engine.poll_event() {
                return event.map(|payload| {
                    self.place = payload.as_ptr().addr();
                    let (last, payload) = payload.split_last().unwrap();
                    assert_eq!(last.get(), 0, "there is no zero byte behind the message");
                    last.set(0xaa);
                    payload.iter().map(|byte| byte.replace(0xaa)).collect()
                });
            }
            self.engine.wait(None).unwrap();
        }
    }

    fn step(&mut self) -> bool {
        let event = self.next();
        self.deal_with(event)
    }

    /// Deals with an event. Returns whether to go on.
    fn deal_with(&mut self, event: Event<Vec<u8>>) -> bool {
        match event {
            Event::Opened(id) => {
                if (self.on_open)(&mut self.engine, id) {
                    self.engine.accept(id, None, b"");
                    self.opened.push(id);
                } else {
                    self.engine.refuse(id, Refusal::Forbidden);
                }
            }
            Event::Requested(id) => {
                let plain = self.engine.plain(id).unwrap();
                self.targets.push(self.engine.request(id).unwrap().target().to_vec());
                let body = self.page.as_ref().filter(|_| !plain.is_head);
                let (length, keeps_alive) = (body.map_or(0, |(_, len)| *len), plain.keeps_alive);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                let body = match body {
                    Some((file, len)) => ResponseBody::File(file.try_clone().unwrap(), *len),
                    None => ResponseBody::Bytes(b""),
                };
                let head = head.as_bytes();
                self.engine.respond(id, Response { head, body, keeps_alive });
            }
            Event::Message(id, kind, payload) => {
                self.messages.push((id, kind, payload.clone()));
                (self.on_message)(&mut self.engine, id, kind, &payload);
            }
            Event::Closed(id) => {
                self.closed.push(id);
                self.codes.push(self.engine.close_code(id));
            }
            Event::Control => {
                while self.controlled.read(&mut [0; 64]).is_ok_and(|len| len == 64) {}
                return false;
            }
            Event::ShortOfMemory => panic!("there is memory"),
            Event::DrainExpired => self.is_drain_expired = true,
            Event::Stopped => {
                self.is_stopped = true;
                return false;
            }
            Event::Drained(id) => {
                self.drained.push(id);
                (self.on_drain)(&mut self.engine, id);
            }
            Event::HeldUp(duration) => self.held_up.push(duration),
            Event::Dropped(_, cause) => self.dropped.push(cause),
            Event::Refused(_, refusal) => self.refused.push(refusal),
            Event::MemoryReleased => self.released += 1,
            Event::Timer(key) => {
                self.sources.push(Source::Timer(key));
                (self.on_source)(&mut self.engine, Source::Timer(key));
            }
            Event::Ready(fd, readiness, key) => {
                self.sources.push(Source::Ready(fd, readiness, key));
                (self.on_source)(&mut self.engine, Source::Ready(fd, readiness, key));
            }
            Event::Call => {
                self.sources.push(Source::Call);
                (self.on_source)(&mut self.engine, Source::Call);
            }
            Event::Tick | Event::AcceptFailed(_) | Event::Overdue(_) => {}
        }
        true
    }

    pub fn payloads(&self) -> Vec<&[u8]> {
        self.messages.iter().map(|(_, _, payload)| &payload[..]).collect()
    }
}

/// Has the engine look at the poll, for which it waits so long at most, and tell all that it has to tell then.
/// `tell` is what is done with each timer, descriptor or call, after it was noted.
pub fn round(
    server: &mut Server,
    longest: Duration,
    mut tell: impl FnMut(&mut Engine, Source),
) -> Vec<Source> {
    let mut told = Vec::new();
    server.engine.wait(Some(longest)).unwrap();
    while let Some(event) = server.engine.poll_event() {
        let source = match event {
            Event::Timer(key) => Source::Timer(key),
            Event::Ready(fd, readiness, key) => Source::Ready(fd, readiness, key),
            Event::Call => Source::Call,
            event => panic!("{event:?}"),
        };
        told.push(source);
        tell(&mut server.engine, source);
    }
    told
}

/// Sends a message back.
pub fn echo(engine: &mut Engine, id: ConnId, kind: MessageKind, payload: &[u8]) {
    engine.send([id].into_iter(), kind, payload).unwrap();
}

pub struct Client {
    pub stream: UnixStream,
}

impl Client {
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// All that has come, up to the end of file or to what is not there yet.
    pub fn read(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => drop(result.unwrap()),
        }
        bytes
    }

    /// Some of what has come: how many bytes.
    pub fn read_some(&mut self, most: usize) -> usize {
        match self.stream.read(&mut vec![0; most]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            read => read.unwrap(),
        }
    }

    pub fn is_at_end(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0))
    }
}

/// A client's frame.
pub fn frame(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let key = [0x9d, 0x02, 0xe1, 0x70];
    let mut frame = vec![0x80 | opcode as u8];
    match payload.len() {
        len @ ..126 => frame.push(0x80 | len as u8),
        len => {
            frame.push(0xfe);
            frame.extend((len as u16).to_be_bytes());
        }
    }
    frame.extend(key);
    let start = frame.len();
    frame.extend(payload);
    unmask(key, &mut frame[start..]);
    frame
}

pub fn text(payload: &str) -> Vec<u8> {
    frame(OpCode::Text, payload.as_bytes())
}

/// A client's frame with any first byte and a length of any size.
pub fn any_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [1, 2, 3, 4];
    let mut frame = vec![first];
    match payload.len() {
        len @ ..126 => frame.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            frame.push(0xfe);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0xff);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(key);
    let start = frame.len();
    frame.extend(payload);
    unmask(key, &mut frame[start..]);
    frame
}

/// Writes what the socket does not take at once, while the server reads.
pub fn write_all(server: &mut Server, client: &mut Client, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match client.stream.write(bytes) {
            Ok(len) => bytes = &bytes[len..],
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        server.pump();
    }
}
