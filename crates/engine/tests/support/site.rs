//! An engine whose caller answers requests: at once, or later, or never.

use std::cell::RefCell;
use std::io::{ErrorKind, Write as _};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use dorrit_engine::{
    Config, ConnId, Engine, Event, PlainRequests, Response, ResponseBody, SendError,
};
use dorrit_proto::{CloseCode, MessageKind, Plain, Refusal};

use super::{CONFIG, Client, Server};

/// The longest body that is taken.
pub const MOST: usize = 1000;

pub const SITE: Config = Config { plain_requests: PlainRequests::ToldWithBody(MOST), ..CONFIG };

/// A request that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub id: ConnId,
    /// None of one for an upgrade.
    pub plain: Option<Plain>,
    pub method: String,
    pub target: String,
    pub body: Vec<u8>,
}

type Decide = dyn FnMut(&mut Engine, &Asked);

/// A server of requests.
pub struct Site {
    pub server: Server,
    /// All that were told, those for an upgrade among them.
    pub asked: Vec<Asked>,
    pub overdue: Vec<ConnId>,
    /// What is done with each request, in its event.
    pub decide: Box<Decide>,
    /// What is done with each end, in its event.
    pub on_close: fn(&mut Engine, ConnId),
    /// What is done with each request that takes too long.
    pub on_overdue: fn(&mut Engine, ConnId),
}

impl Site {
    /// One that answers at once, and accepts all upgrades.
    pub fn new(config: Config) -> Self {
        Self {
            server: Server::new(config),
            asked: Vec::new(),
            overdue: Vec::new(),
            decide: Box::new(|engine, asked| match asked.plain {
                Some(_) => answer(engine, asked),
                None => assert!(engine.accept(asked.id, None, b"")),
            }),
            on_close: |_, _| {},
            on_overdue: |_, _| {},
        }
    }

    /// One that puts the decision on all requests off.
    pub fn deferring(config: Config) -> Self {
        let mut site = Self::new(config);
        site.decide = Box::new(|engine, asked| engine.defer(asked.id).unwrap());
        site
    }

    pub fn engine(&mut self) -> &mut Engine {
        &mut self.server.engine
    }

    pub fn client(&self) -> Client {
        self.server.client()
    }

    /// Lets the engine do all that there is to do now.
    pub fn pump(&mut self) {
        for _ in 0..4 {
            self.pump_once();
        }
    }

    /// Lets the engine go on until it has looked at the poll and found that it was asked to.
    pub fn pump_once(&mut self) {
        self.server.control.write_all(b"c").unwrap();
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        match self.server.next() {
            Event::Opened(id) | Event::Requested(id) => {
                let asked = self.note(id);
                (self.decide)(&mut self.server.engine, &asked);
                true
            }
            Event::Overdue(id) => {
                self.overdue.push(id);
                (self.on_overdue)(&mut self.server.engine, id);
                true
            }
            Event::Closed(id) => {
                self.server.closed.push(id);
                (self.on_close)(&mut self.server.engine, id);
                true
            }
            event => self.server.deal_with(event),
        }
    }

    fn note(&mut self, id: ConnId) -> Asked {
        let engine = &mut self.server.engine;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let request = engine.request(id).unwrap();
        let (method, target) = (text(request.method()), text(request.target()));
        let (plain, body) = (engine.plain(id), body(engine, id));
        self.asked.push(Asked { id, plain, method, target, body });
        self.asked[self.asked.len() - 1].clone()
    }

    /// Lets the client read until so much has come, and the engine go on meanwhile.
    pub fn read(&mut self, client: &mut Client, len: usize) -> Vec<u8> {
        let mut read = Vec::new();
        while read.len() < len {
            self.pump();
            let more = client.read();
            assert!(!more.is_empty(), "nothing comes after {} bytes of {len}", read.len());
            read.extend(more);
        }
        read
    }

    /// Writes all, and reads what comes meanwhile.
    pub fn write(&mut self, client: &mut Client, mut bytes: &[u8]) -> Vec<u8> {
        let mut read = Vec::new();
        while !bytes.is_empty() {
            match std::io::Write::write(&mut client.stream, bytes) {
                Ok(len) => bytes = &bytes[len..],
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            self.pump();
            read.extend(client.read());
        }
        read
    }

    /// The id of the request that was told last.
    pub fn last(&self) -> ConnId {
        self.asked.last().expect("a request was told").id
    }

    pub fn targets(&self) -> Vec<&str> {
        self.asked.iter().map(|asked| &asked.target[..]).collect()
    }

    /// Nothing is left of anybody.
    pub fn assert_empty(&mut self) {
        self.pump();
        let stats = self.engine().stats();
        assert_eq!((stats.held_bytes, stats.queued_bytes, stats.connections), (0, 0, 0));
    }
}

/// What a request is answered.
pub fn answer_to(asked: &Asked) -> Vec<u8> {
    let Asked { method, target, body, .. } = asked;
    echo_of(method, target, body)
}

/// What a request is answered with this method, target and body: the same, but for HEAD.
pub fn echo_of(method: &str, target: &str, body: &[u8]) -> Vec<u8> {
    let line = format!("{method} {target} ");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", line.len() + body.len());
    match method {
        "HEAD" => head.into_bytes(),
        _ => [head.as_bytes(), line.as_bytes(), body].concat(),
    }
}

/// Answers a request.
pub fn answer(engine: &mut Engine, asked: &Asked) {
    let keeps_alive = asked.plain.is_some_and(|plain| plain.keeps_alive);
    let (head, body) = (answer_to(asked), ResponseBody::Bytes(b""));
    engine.respond(asked.id, Response { head: &head, body, keeps_alive });
}

/// Answers a request with these bytes.
pub fn respond(engine: &mut Engine, id: ConnId, head: &[u8], keeps_alive: bool) {
    engine.respond(id, Response { head, body: ResponseBody::Bytes(b""), keeps_alive });
}

/// What tests and their deciders both look at.
pub fn shared<T>(value: T) -> (Rc<RefCell<T>>, Rc<RefCell<T>>) {
    let value = Rc::new(RefCell::new(value));
    (Rc::clone(&value), value)
}

/// Two ends of a stream, or of what keeps what was written with each call apart.
pub fn pair(kind: rustix::net::SocketType) -> (OwnedFd, OwnedFd) {
    use rustix::net::{AddressFamily, SocketFlags, socketpair};
    socketpair(AddressFamily::UNIX, kind, SocketFlags::empty(), None).unwrap()
}

/// Does what a caller may with an id that names nothing, or no request on which it decides.
pub fn assert_stale(engine: &mut Engine, id: ConnId) {
    engine.set_tag(id, 7);
    assert_eq!((engine.tag(id), engine.is_known(id)), (0, false));
    assert!(engine.request(id).is_none() && engine.plain(id).is_none());
    assert!(engine.refused_request(id).is_none());
    assert!(engine.take_asked(id).is_none());
    assert!(!engine.accept(id, None, b""));
    assert_eq!(engine.defer(id), Err(SendError::OutOfMemory));
    engine.undefer(id);
    engine.refuse(id, Refusal::Forbidden);
    let body = ResponseBody::Bytes(b"stale");
    engine.respond(id, Response { head: b"stale", body, keeps_alive: true });
    assert_eq!(engine.send_to(id, MessageKind::Text, b"stale"), Ok(0));
    assert_eq!(engine.send([id, id].into_iter(), MessageKind::Text, &[b's'; 9000]), Ok(0));
    assert_eq!((engine.queued_bytes(id), engine.queued_frames(id)), (0, 0));
    assert_eq!(engine.close_code(id), CloseCode::ABNORMAL);
    engine.close(id, CloseCode::NORMAL, "");
    engine.close_now(id);
}

/// A site with a request on which the decision is put off.
pub fn put_off(config: Config, request: &[u8]) -> (Site, Client, ConnId) {
    let mut site = Site::deferring(config);
    let mut client = site.client();
    client.write(request);
    site.pump();
    assert_eq!((site.asked.len(), client.read()), (1, Vec::new()));
    let id = site.last();
    assert!(site.engine().is_known(id) && site.engine().request(id).is_some());
    (site, client, id)
}

/// Decides on the request that was told last, or on this one.
pub fn answer_late(site: &mut Site, id: ConnId) {
    let asked = site.asked.iter().find(|asked| asked.id == id).unwrap().clone();
    answer(site.engine(), &asked);
}

/// The body of a request that was told; none of one for a connection.
pub fn body(engine: &mut Engine, id: ConnId) -> Vec<u8> {
    engine.take_asked(id).map_or_else(Vec::new, |(_, _, body)| body)
}
