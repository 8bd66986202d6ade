//! Messages to arrays of connections, in which any may stand, any number of times (CONTRACT D14, S14): a model
//! says who gets what.

mod support;

use std::cell::RefCell;
use std::ops::RangeInclusive;

use dorrit_engine::{Config, ConnId, Engine, OverflowPolicy, QueueLimit};
use dorrit_proto::{CloseCode, Inflater, MessageKind};
use support::*;

/// Numbers by chance, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// What may be queued for whom.
#[derive(Clone, Copy)]
struct Setting {
    limit: QueueLimit,
    compression: u32,
}

/// What the model knows of a connection.
struct Peer {
    id: ConnId,
    /// What is owed to its client.
    owed: Vec<Vec<u8>>,
    /// How many bytes of that are queued.
    queued: usize,
    /// How many messages of it are queued.
    messages: usize,
    /// How much may be sent of the first one, which is held until all of it is.
    sent_of_first: usize,
    is_compressed: bool,
    is_over: bool,
}

/// So many bytes more than its payload a message may take at most, joined ones and those before them.
const MOST_MORE: usize = 1024;

/// Whether something is so, where the model knows.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Known {
    Yes,
    No,
    Unknown,
}

impl Peer {
    fn new(id: ConnId) -> Self {
        let (queued, messages, sent_of_first) = (0, 0, 0);
        let (is_compressed, is_over) = (false, false);
        Self { id, owed: Vec::new(), queued, messages, sent_of_first, is_compressed, is_over }
    }

    /// Whether a message is too much for it.
    fn is_too_much(&self, len: usize, limit: usize) -> Known {
        let least = if self.is_compressed { 0 } else { self.queued + len };
        let most = self.queued + len + (self.messages + 1) * MOST_MORE + self.sent_of_first;
        match () {
            () if self.messages == 0 || most <= limit => Known::No,
            () if least > limit => Known::Yes,
            () => Known::Unknown,
        }
    }
}

/// Sends, each to some of these, and compares what the engine says with the model.
struct Model {
    peers: Vec<Peer>,
    nobodies: Vec<ConnId>,
    chance: Chance,
    setting: Setting,
    skipped: u64,
    number: usize,
}

impl Model {
    /// Notes what was sent between two callbacks.
    fn note_sent(&mut self, engine: &mut Engine) {
        for peer in &mut self.peers {
            peer.messages = engine.queued_frames(peer.id) as usize;
            peer.queued = engine.queued_bytes(peer.id).saturating_sub(4 * peer.messages);
            peer.sent_of_first = if peer.messages == 0 { 0 } else { 70_000 };
        }
    }

    fn send(&mut self, engine: &mut Engine) {
        let count = 1 + self.chance.below(6);
        let mut array = Vec::new();
        for _ in 0..count {
            match self.chance.below(8) {
                0 => array.push(self.chance.one_of(&self.nobodies)),
                // The same again.
                1 | 2 if !array.is_empty() => array.push(array[0]),
                _ => array.push(self.peers[self.chance.below(self.peers.len())].id),
            }
        }
        self.number += 1;
        let len = self.chance.one_of(&[8, 60, 100, 130, 1000, 3000, 5000, 9000, 40_000]);
        let mut payload = format!("{:08}", self.number).into_bytes();
        payload.extend((8..len).map(|_| b'a' + self.chance.below(26) as u8));
        let before: Vec<_> = self.peers.iter().map(|it| engine.queued_frames(it.id)).collect();
        let skipped = engine.stats().skipped;
        let returned = match array[..] {
            [id] if payload.len() < 8192 => engine.send_to(id, MessageKind::Text, &payload),
            _ => engine.send(array.iter().copied(), MessageKind::Text, &payload),
        };
        let returned = returned.unwrap();
        let mut total = 0..=0;
        for (index, before) in before.into_iter().enumerate() {
            let id = self.peers[index].id;
            let times = array.iter().filter(|it| **it == id).count();
            let queued = engine.queued_frames(id);
            let is_closed = engine.close_code(id) == CloseCode::POLICY;
            let count =
                self.account(index, times, &payload, queued.wrapping_sub(before), is_closed);
            total = total.start() + count.start()..=total.end() + count.end();
        }
        assert!(total.contains(&returned), "{returned} of {array:?}, not {total:?}");
        assert_eq!(engine.stats().skipped - skipped, std::mem::take(&mut self.skipped));
    }

    /// How often the message was queued for that one, which stood so many times in the array, and whose
    /// queue has grown by so much.
    fn account(
        &mut self,
        index: usize,
        times: usize,
        payload: &[u8],
        grown: u32,
        is_closed: bool,
    ) -> RangeInclusive<usize> {
        let QueueLimit { bytes: limit, policy } = self.setting.limit;
        let peer = &mut self.peers[index];
        if peer.is_over || times == 0 {
            assert_eq!((grown, is_closed), (0, peer.is_over), "it was sent nothing");
            return 0..=0;
        }
        let (mut count, mut most) = (0, times);
        for _ in 0..times {
            let is_too_much = match peer.is_too_much(payload.len(), limit) {
                Known::Yes => true,
                Known::No => false,
                // What the engine holds is no affair of ours: it knows best.
                Known::Unknown if policy == OverflowPolicy::Close => is_closed,
                Known::Unknown => grown as usize <= count,
            };
            if is_too_much {
                let is_known = peer.is_too_much(payload.len(), limit) == Known::Yes;
                most = if is_known || policy == OverflowPolicy::Skip { count } else { times - 1 };
                break;
            }
            count += 1;
            peer.owed.push(payload.to_vec());
            peer.queued += payload.len();
            peer.messages += 1;
        }
        let is_over = most < times;
        match policy {
            OverflowPolicy::Close => {
                assert_eq!(is_closed, is_over, "{times} times {} bytes", payload.len());
                peer.is_over = is_over;
                if !is_over {
                    assert_eq!(grown as usize, times);
                }
            }
            OverflowPolicy::Skip => {
                assert_eq!((grown as usize, is_closed), (count, false), "{times} times");
                self.skipped += u64::from(is_over);
            }
        }
        count..=most
    }
}

thread_local! {
    static MODEL: RefCell<Option<Model>> = const { RefCell::new(None) };
}

/// Has the model send some messages, in a callback or outside of one.
fn send_some(engine: &mut Engine) {
    MODEL.with_borrow_mut(|model| {
        let model = model.as_mut().unwrap();
        model.note_sent(engine);
        for _ in 0..1 + model.chance.below(8) {
            model.send(engine);
        }
    });
}

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

/// Opens a connection, with compression where the server and its client want it.
fn open(server: &mut Server, compresses: bool) -> (Client, ConnId) {
    let request = String::from_utf8(REQUEST.to_vec()).unwrap();
    let line = if compresses { format!("\r\n{OFFER}") } else { "\r\n".into() };
    let mut client = server.client();
    client.write(request.replacen("\r\n", &line, 1).as_bytes());
    server.pump();
    assert!(client.read().starts_with(b"HTTP/1.1 101 "));
    (client, *server.opened.last().unwrap())
}

/// The messages of these frames, and the code of the close frame at their end.
fn messages(mut bytes: &[u8]) -> (Vec<Vec<u8>>, Option<u16>) {
    let mut found = Vec::new();
    while let [first, short, rest @ ..] = bytes {
        let (len, rest) = match short {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            short => (usize::from(*short), rest),
        };
        let payload = &rest[..len];
        bytes = &rest[len..];
        match first {
            0x81 => found.push(payload.to_vec()),
            0xc1 => {
                let mut message = Vec::new();
                let mut inflater = Inflater::new().unwrap();
                inflater.inflate_whole(MessageKind::Text, payload, 1 << 20, &mut message).unwrap();
                message.pop();
                found.push(message);
            }
            0x88 => {
                assert!(bytes.is_empty(), "nothing follows a close frame");
                return (found, Some(u16::from_be_bytes([payload[0], payload[1]])));
            }
            first => panic!("a frame of {first:02x}"),
        }
    }
    assert!(bytes.is_empty(), "a part of a frame: {bytes:?}");
    (found, None)
}

fn run(seed: u64, setting: Setting) {
    let Setting { limit, compression } = setting;
    let mut server = Server::new(Config { queue_limit: limit, compression, ..CONFIG });
    server.on_message = |engine, _, _, _| send_some(engine);
    let (gone, gone_id) = server.open_client();
    drop(gone);
    server.pump();
    let (mut closing, closing_id) = server.open_client();
    server.engine.close(closing_id, CloseCode::NORMAL, "");
    server.pump();
    assert_eq!(messages(&closing.read()).1, Some(1000));
    let (mut clients, peers): (Vec<_>, Vec<_>) = (0..4)
        .map(|number| {
            let (client, id) = open(&mut server, number % 2 == 0);
            let is_compressed = compression > 0 && number % 2 == 0;
            let peer = Peer { is_compressed, ..Peer::new(id) };
            (client, peer)
        })
        .unzip();
    let nowhere = ConnId::from_bits(7 << 32 | 99).unwrap();
    let nobodies = vec![gone_id, closing_id, nowhere];
    let chance = Chance(seed);
    let model = Model { peers, nobodies, chance, setting, skipped: 0, number: 0 };
    MODEL.set(Some(model));
    let is_over = |index: usize| MODEL.with_borrow(|it| it.as_ref().unwrap().peers[index].is_over);
    for round in 0..12 {
        // In one's own turn, and outside of any.
        match round % 3 {
            0 => send_some(&mut server.engine),
            step => {
                let index = (round + step) % 4;
                if !is_over(index) {
                    clients[index].write(&text("go").repeat(step));
                }
            }
        }
        server.pump();
        for (index, client) in clients.iter_mut().enumerate() {
            let mut bytes = client.read();
            while server
                .engine
                .queued_bytes(MODEL.with_borrow(|it| it.as_ref().unwrap().peers[index].id))
                > 0
            {
                server.pump();
                bytes.extend(client.read());
            }
            check(index, &bytes, limit.policy);
        }
        assert_eq!(server.engine.stats().queued_bytes, 0);
    }
    drop((clients, closing));
    server.pump();
    assert_eq!((server.opened.len(), server.closed.len()), (6, 6));
    let over =
        MODEL.with_borrow(|it| it.as_ref().unwrap().peers.iter().filter(|it| it.is_over).count());
    assert_eq!(server.engine.stats().dropped_queue, over as u64);
}

/// What a client has read is what the model owes it.
fn check(index: usize, bytes: &[u8], policy: OverflowPolicy) {
    MODEL.with_borrow_mut(|model| {
        let peer = &mut model.as_mut().unwrap().peers[index];
        let (found, code) = messages(bytes);
        let owed = std::mem::take(&mut peer.owed);
        (peer.queued, peer.messages, peer.sent_of_first) = (0, 0, 0);
        if peer.is_over && (code.is_some() || !found.is_empty()) {
            assert_eq!((policy, code), (OverflowPolicy::Close, Some(1008)));
            assert!(owed.starts_with(&found), "the first of what was queued, and no other's");
        } else if !peer.is_over {
            assert_eq!(code, None, "client {index}");
            assert!(found == owed, "client {index}: {} of {}", found.len(), owed.len());
        }
    });
}

#[test]
fn who_gets_what() {
    for seed in 0..6 {
        for policy in [OverflowPolicy::Close, OverflowPolicy::Skip] {
            for bytes in [1, 20_000, 200_000, 64 << 20] {
                for compression in [0, 6] {
                    let limit = QueueLimit { bytes, policy };
                    run(seed, Setting { limit, compression });
                }
            }
        }
    }
}
