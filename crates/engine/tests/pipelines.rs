//! Clients that ask anything valid, in any pieces, and a caller that answers in any way and at any time: each answer
//! comes once, in order, and is what the model says.

mod support;

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::rc::Rc;

use dorrit_engine::{Config, ConnId, Engine, PlainRequests, Response, ResponseBody};
use dorrit_proto::MessageKind;
use support::site::*;
use support::*;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const LONG: usize = 150_000;
const SEEDS: u64 = 100;

/// Numbers that follow from a seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    fn is(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

/// A client of the model.
struct Talker {
    client: Option<Client>,
    /// What it has still to write.
    out: Vec<u8>,
    read: Vec<u8>,
    /// What it is to be answered.
    owed: Vec<Owed>,
    /// What the caller is to be told of it: methods, targets and bodies.
    said: Vec<(String, String, Vec<u8>)>,
}

struct Owed {
    answer: Vec<u8>,
    /// The answer is a 101, behind which this follows.
    is_upgrade: bool,
}

/// How the caller deals with a request, as the last letter of its target says: at once (`n`), later (`d`), with a long
/// answer (`b`, `c`), or with a file (`f`, `g`).
const HABITS: &[u8] = b"nnndddbcfg";

fn file_byte(at: usize) -> u8 {
    (at % 251) as u8
}

/// What a request is answered.
fn model(method: &str, target: &str, body: &[u8]) -> Vec<u8> {
    match target.as_bytes()[target.len() - 1] {
        b'n' | b'd' => echo_of(method, target, body),
        b'b' | b'c' => echo_of(method, target, &[body, &[b'l'; LONG]].concat()),
        _ => {
            let len = body.len() * 100;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n").into_bytes();
            let file = if method == "HEAD" { 0 } else { len };
            head.into_iter().chain((0..file).map(file_byte)).collect()
        }
    }
}

fn talker(site: &Site, number: usize, random: &mut Random) -> Talker {
    let (mut out, mut owed, mut said) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..random.below(12) {
        let method = ["GET", "HEAD", "POST", "PUT"][random.below(4)];
        let habit = HABITS[random.below(HABITS.len())] as char;
        let target = format!("/{number}/{i}/{habit}");
        let len = [0, 1, 10, 700, 5000][random.below(5)];
        let body: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
        let expect = if random.is(4) { "Expect: 100-continue\r\n" } else { "" };
        let head = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{expect}");
        out.extend(head.bytes());
        if random.is(2) {
            out.extend(b"Transfer-Encoding: chunked\r\n\r\n");
            let mut rest = &body[..];
            while !rest.is_empty() {
                let (chunk, behind) = rest.split_at(random.below(rest.len()) + 1);
                let more = ["", ";a=b", ";\"c\""][random.below(3)];
                out.extend(format!("{:x}{more}\r\n", chunk.len()).bytes());
                out.extend([chunk, b"\r\n"].concat());
                rest = behind;
            }
            out.extend([&b"0\r\n\r\n"[..], b"00\r\nTrailer: x\r\n\r\n"][random.below(2)]);
        } else {
            out.extend(format!("Content-Length: {len}\r\n\r\n").bytes());
            out.extend(&body);
        }
        owed.push(Owed { answer: model(method, &target, &body), is_upgrade: false });
        said.push((method.to_owned(), target, body));
    }
    if random.is(2) {
        let habit = ['n', 'd'][random.below(2)];
        let target = format!("/{number}/up/{habit}");
        let request = String::from_utf8(REQUEST.to_vec()).unwrap();
        out.extend(request.replacen("GET /", &format!("GET {target}"), 1).bytes());
        let messages = random.below(4);
        out.extend(text("hello").repeat(messages));
        let answer = [b"\x81\x05first", &b"\x81\x05hello".repeat(messages)[..]].concat();
        owed.push(Owed { answer, is_upgrade: true });
        said.push(("GET".to_owned(), target, Vec::new()));
    }
    Talker { client: Some(site.client()), out, read: Vec::new(), owed, said }
}

impl Talker {
    fn write(&mut self, random: &mut Random) {
        let Some(client) = &mut self.client else { return };
        let len = [1, 5, 100, 3000, usize::MAX][random.below(5)].min(self.out.len());
        match client.stream.write(&self.out[..len]) {
            Ok(len) => drop(self.out.drain(..len)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }

    fn read(&mut self, random: &mut Random) {
        let Some(client) = &mut self.client else { return };
        let mut room = vec![0; [10, 1000, 300_000][random.below(3)]];
        match client.stream.read(&mut room) {
            Ok(len) => self.read.extend(&room[..len]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }

    /// Takes the answers that have come whole, in their order.
    fn check(&mut self) {
        while let Some(owed) = self.owed.first() {
            let start = if self.read.starts_with(CONTINUE) { CONTINUE.len() } else { 0 };
            let mut rest = &self.read[start..];
            if owed.is_upgrade {
                let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") else {
                    return;
                };
                assert!(rest.starts_with(b"HTTP/1.1 101 "));
                rest = &rest[end + 4..];
            }
            if !rest.starts_with(&owed.answer) {
                let is_start = owed.answer.starts_with(rest) || CONTINUE.starts_with(rest);
                return assert!(is_start, "{}", String::from_utf8_lossy(rest));
            }
            let taken = self.read.len() - rest.len() + owed.answer.len();
            self.read.drain(..taken);
            self.owed.remove(0);
        }
        assert_eq!(self.read, b"", "more than is owed");
    }
}

fn decide(engine: &mut Engine, asked: &Asked, file: &File) {
    if asked.plain.is_none() {
        return assert!(engine.accept(asked.id, None, b""));
    }
    let answer = model(&asked.method, &asked.target, &asked.body);
    let body = match asked.target.as_bytes()[asked.target.len() - 1] {
        b'f' | b'g' if asked.method != "HEAD" => {
            let len = asked.body.len() as u64 * 100;
            ResponseBody::File(file.try_clone().unwrap(), len)
        }
        _ => ResponseBody::Bytes(b""),
    };
    let head = match body {
        ResponseBody::File(_, len) => &answer[..answer.len() - len as usize],
        ResponseBody::Bytes(_) => &answer,
    };
    engine.respond(asked.id, Response { head, body, keeps_alive: true });
}

fn run(seed: u64, file: &Rc<File>) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let plain_requests = PlainRequests::ToldWithBody(5000);
    let mut site = Site::new(Config { plain_requests, ..CONFIG });
    site.server.on_message = echo;
    let later: Rc<RefCell<Vec<Asked>>> = Rc::default();
    let (puts_off, files) = (Rc::clone(&later), Rc::clone(file));
    site.decide = Box::new(move |engine, asked| {
        if asked.plain.is_none() {
            engine.send_to(asked.id, MessageKind::Text, b"first").unwrap();
        }
        match asked.target.as_bytes()[asked.target.len() - 1] {
            b'd' | b'c' | b'g' => {
                engine.defer(asked.id).unwrap();
                puts_off.borrow_mut().push(asked.clone());
            }
            _ => decide(engine, asked, &files),
        }
    });
    let mut talkers: Vec<_> =
        (0..random.below(4) + 1).map(|number| talker(&site, number, &mut random)).collect();
    let leaves = random.is(3);
    let mut idle = 0;
    while idle < 100 && talkers.iter().any(|it| it.client.is_some() && !it.owed.is_empty()) {
        idle += 1;
        let chosen = random.below(talkers.len());
        let talker = &mut talkers[chosen];
        let before = (talker.out.len(), talker.read.len(), site.asked.len());
        talker.write(&mut random);
        talker.read(&mut random);
        if leaves && random.is(60) {
            talker.client = None;
        }
        if random.is(2) {
            site.pump_once();
        }
        if random.is(3) && !later.borrow().is_empty() {
            let count = later.borrow().len();
            let asked = later.borrow_mut().swap_remove(random.below(count));
            if site.engine().request(asked.id).is_some() {
                decide(site.engine(), &asked, file);
            }
            idle = 0;
        }
        let talker = &mut talkers[chosen];
        if (talker.out.len(), talker.read.len(), site.asked.len()) != before {
            idle = 0;
        }
        talker.check();
    }
    assert!(talkers.iter().all(|it| it.client.is_none() || it.owed.is_empty()), "it stands still");
    for (number, talker) in talkers.iter_mut().enumerate() {
        let start = format!("/{number}/");
        let told = site.asked.iter().filter(|asked| asked.target.starts_with(&start));
        let told: Vec<_> =
            told.map(|it| (it.method.clone(), it.target.clone(), it.body.clone())).collect();
        let is_all = talker.client.is_some();
        assert!(talker.said.starts_with(&told) && (!is_all || told.len() == talker.said.len()));
        talker.client = None;
    }
    site.pump();
    site.pump();
    let stats = site.engine().stats();
    assert_eq!((stats.held_bytes / 1000, stats.queued_bytes, stats.connections), (0, 0, 0));
    let is_owed = |asked: &&Asked| {
        asked.plain.is_none() || matches!(asked.target.as_bytes().last(), Some(b'd' | b'c' | b'g'))
    };
    let owed: HashSet<ConnId> = site.asked.iter().filter(is_owed).map(|asked| asked.id).collect();
    let closed: HashSet<ConnId> = site.server.closed.iter().copied().collect();
    assert_eq!((closed.len(), &closed), (site.server.closed.len(), &owed), "each end once");
}

#[test]
fn each_answer_once_and_in_order() {
    let file = tempfile::tempfile().unwrap();
    let bytes: Vec<u8> = (0..5000 * 100).map(file_byte).collect();
    file.write_all_at(&bytes, 0).unwrap();
    let file = Rc::new(file);
    for seed in 0..SEEDS {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(seed, &file)));
        assert!(result.is_ok(), "with the seed {seed}");
    }
}
