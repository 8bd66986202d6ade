//! A server on the engine with clients on the same thread, which does what an input says, and what must
//! hold meanwhile and at the end.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use dorrit_engine::{Config, ConnId, Connections, Engine, Event, PlainRequests};
use dorrit_proto::{Binary, CloseCode, Fragments, MessageKind, OpCode, Refusal, Rules};
use tempfile::TempDir;

use crate::client::{Client, Numbered};
use crate::input::Input;
use crate::requests::{self, Decided, Requests};
use crate::setup;
use crate::sources::Sources;

/// The most clients of a run.
const CLIENTS: usize = 6;
/// The most operations.
const OPERATIONS: usize = 300;
/// How much more memory an engine without clients may have than a new one, in bytes.
const KEPT: usize = 1 << 20;

/// An engine, and all that it talks to.
pub struct Server {
    engine: Engine,
    config: Config,
    directory: TempDir,
    control: PipeWriter,
    controlled: PipeReader,
    clients: Vec<Client>,
    /// What is done with each client's messages, and with its request.
    habits: Vec<u8>,
    /// All that were accepted, or may be later, and whose they are.
    accepted: HashMap<ConnId, usize>,
    /// In the order in which they came.
    ids: Vec<ConnId>,
    /// Those that the server or the engine has begun to close.
    closing: HashSet<ConnId>,
    ended: HashSet<ConnId>,
    messages: usize,
    requests: Requests,
    sources: Sources,
    is_stopped: bool,
}

/// Does what the input says, and asserts that all is well. `held` tells how much memory the process has
/// allocated.
pub fn run(mut input: Input<'_>, held: impl Fn() -> usize) {
    let before = held();
    let mut server = Server::new(&mut input);
    let at_start = held();
    for _ in 0..OPERATIONS {
        if input.0.is_empty() {
            break;
        }
        server.operate(&mut input);
    }
    server.come_to_rest();
    server.let_all_leave();
    let kept = held().saturating_sub(at_start);
    assert!(kept <= KEPT, "{kept} bytes are kept for nobody");
    server.stop();
    drop(server);
    assert_eq!(held(), before, "memory is lost");
}

impl Server {
    fn new(input: &mut Input<'_>) -> Self {
        let config = setup::config(input, CLIENTS - 1);
        let directory = tempfile::tempdir().expect("a directory");
        let socket = UnixListener::bind(directory.path().join("socket")).expect("a socket");
        let connections = Arc::new(Connections::new(config.max_connections));
        let mut engine = Engine::new(config, connections).expect("an engine");
        engine.listen(Arc::new(socket.into())).expect("it listens");
        let (controlled, control) = std::io::pipe().expect("a pipe");
        rustix::io::ioctl_fionbio(&controlled, true).expect("a pipe");
        engine.watch_control(&controlled).expect("it is watched");
        Self {
            engine,
            config,
            directory,
            control,
            controlled,
            clients: Vec::new(),
            habits: Vec::new(),
            accepted: HashMap::new(),
            ids: Vec::new(),
            closing: HashSet::new(),
            ended: HashSet::new(),
            messages: 0,
            requests: Requests::default(),
            sources: Sources::default(),
            is_stopped: false,
        }
    }

    fn operate(&mut self, input: &mut Input<'_>) {
        let operation = input.byte();
        // The last of those that are left over.
        if operation >= 240 {
            return self.sources.operate(&mut self.engine, input);
        }
        if operation >= 228 {
            self.decide(usize::from(input.byte()));
            return;
        }
        match operation % 12 {
            0 => return self.connect(input),
            1 => {
                self.pump();
                return;
            }
            2 => {
                let (ids, len) = (self.choose(input), input.below(70_000));
                return self.send(&ids, len);
            }
            3 => {
                let code = [CloseCode::NORMAL, CloseCode::POLICY][input.below(2)];
                return self.choose(input).into_iter().for_each(|id| self.close(id, Some(code)));
            }
            4 => return self.choose(input).into_iter().for_each(|id| self.close(id, None)),
            _ => {}
        }
        let operation = input.byte();
        let chosen = usize::from(operation >> 4) % self.clients.len().max(1);
        let key = [input.byte(), 0, operation, 7];
        let Rules { max_payload, binary, fragments, .. } = self.config.rules;
        let Some(client) = self.clients.get_mut(chosen) else { return };
        match operation & 15 {
            0..=3 => {
                let len = input.below(65536) % (max_payload + 1);
                let is_text = binary == Binary::Refused || input.byte() & 1 == 0;
                let kind = if is_text { MessageKind::Text } else { MessageKind::Binary };
                let max = if fragments == Fragments::Joined { input.below(2000) + 1 } else { len };
                client.say(kind, vec![b'a' + key[0] % 26; len], max.max(1), key);
            }
            4 => client.say_control(OpCode::Ping, input.bytes(), key),
            5 => client.say_control(OpCode::Close, input.bytes(), key),
            6 => client.say_raw(input.bytes()),
            7 => client.shut_down(),
            8 => client.leave(),
            9 => drop(client.read(input.below(65536))),
            10 => drop(client.read(65536)),
            _ => drop(client.write(input.below(4000))),
        }
        if operation & 8 == 0 {
            self.clients[chosen].write(usize::MAX);
        }
    }

    fn connect(&mut self, input: &mut Input<'_>) {
        if self.clients.len() == CLIENTS {
            return;
        }
        let (mut client, habit) =
            (Client::new(&self.directory.path().join("socket")), input.byte());
        let offers = habit & 0x80 != 0;
        let more = if offers { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
        let (requests, len) = (usize::from(input.byte() & 3), input.below(setup::MAX_BODY));
        for i in 0..requests {
            let len = match self.config.plain_requests {
                PlainRequests::Refused => break,
                PlainRequests::Told => 0,
                PlainRequests::ToldWithBody(_) => len * i / requests,
            };
            client.request(requests::plain(i, len, (usize::from(habit) + i).is_multiple_of(2)));
        }
        client.ask(&format!("/{}", self.clients.len()), more);
        // What is compressed before the answer has come is said on trust.
        client.is_deflating &= self.config.compression > 0;
        if habit & 0x40 == 0 {
            client.write(usize::MAX);
        }
        self.clients.push(client);
        self.habits.push(habit);
    }

    /// Some of those that were ever accepted, with repeats, in any order.
    fn choose(&self, input: &mut Input<'_>) -> Vec<ConnId> {
        let choice = input.byte();
        match choice {
            0..16 => self.ids.clone(),
            _ if self.ids.is_empty() => Vec::new(),
            _ => {
                let count = usize::from(choice) % 4 + 1;
                (0..count).map(|_| self.ids[usize::from(input.byte()) % self.ids.len()]).collect()
            }
        }
    }

    fn send(&mut self, ids: &[ConnId], len: usize) {
        let number = self.messages;
        self.messages += 1;
        let kind = if number.is_multiple_of(3) { MessageKind::Binary } else { MessageKind::Text };
        let message = Numbered { number, kind, len };
        let queued = |engine: &mut Engine, id: &ConnId| engine.queued_frames(*id);
        let before: Vec<_> = ids.iter().map(|id| queued(&mut self.engine, id)).collect();
        let payload = message.payload();
        let sent = match ids {
            [id] => self.engine.send_to(*id, kind, &payload),
            _ => self.engine.send(ids.iter().copied(), kind, &payload),
        };
        let Ok(count) = sent else { return };
        assert!(count <= ids.len(), "sent to {count} of {}", ids.len());
        for (i, id) in ids.iter().enumerate() {
            // Where some were left out, those were not whose queue is longer now.
            let is_first = !ids[..i].contains(id);
            let is_longer = is_first && queued(&mut self.engine, id) > before[i];
            let is_certain = count == ids.len() || is_longer;
            self.clients[self.accepted[id]].owed.push_back((message, is_certain));
        }
    }

    /// Closes with a code, or at once.
    fn close(&mut self, id: ConnId, code: Option<CloseCode>) {
        self.closing.insert(id);
        match code {
            Some(code) => self.engine.close(id, code, "because"),
            None => self.engine.close_now(id),
        }
    }

    /// Lets the engine go on for some rounds. Returns how much it has done: events told, and bytes moved.
    fn pump(&mut self) -> usize {
        let moved = |engine: &Engine| {
            let stats = engine.stats();
            (stats.bytes_in + stats.bytes_out) as usize
        };
        let (before, mut told) = (moved(&self.engine), 0);
        for _ in 0..4 {
            self.control.write_all(b"c").expect("room in the pipe");
            while self.step() {
                told += 1;
            }
        }
        told + moved(&self.engine) - before
    }

    /// The same until there is nothing left to do.
    fn pump_all(&mut self) {
        while self.pump() > 0 {}
    }

    fn step(&mut self) -> bool {
        let copied = |payload: &[Cell<u8>]| payload.iter().map(Cell::get).collect::<Vec<u8>>();
        let event = loop {
            match self.engine.poll_event() {
                Some(event) => break event.map(copied),
                None => self.engine.wait(None).expect("a loop"),
            }
        };
        match event {
            Event::Opened(id) => self.open(id),
            Event::Requested(id) => self.requests.hear(&mut self.engine, id),
            Event::Message(id, kind, message) => self.hear(id, kind, message),
            Event::Closed(id) if self.requests.end(&self.engine, id) => {}
            Event::Closed(id) => {
                assert!(self.accepted.contains_key(&id), "closed and never accepted");
                assert!(self.ended.insert(id), "closed twice");
            }
            Event::Drained(id) => assert!(!self.ended.contains(&id), "drained behind the end"),
            Event::Dropped(id, _) => drop(self.closing.insert(id)),
            Event::Control => {
                let _ = self.controlled.read(&mut [0; 64]);
                return false;
            }
            Event::Stopped => {
                self.is_stopped = true;
                return false;
            }
            Event::AcceptFailed(error) => panic!("{error}"),
            Event::Timer(_) | Event::Ready(..) | Event::Call => {
                self.sources.hear(&mut self.engine, event);
            }
            Event::Overdue(_) => panic!("it is not late"),
            Event::Refused(..)
            | Event::Tick
            | Event::DrainExpired
            | Event::HeldUp(_)
            | Event::MemoryReleased
            | Event::ShortOfMemory => {}
        }
        true
    }

    fn open(&mut self, id: ConnId) {
        let target = self.engine.request(id).expect("a request").target();
        let number = str::from_utf8(&target[1..]).ok().and_then(|it| it.parse::<usize>().ok());
        // One that has written anything else may have asked for anything.
        let Some(number) = number.filter(|number| *number < self.clients.len()) else {
            return self.engine.refuse(id, Refusal::Forbidden);
        };
        let habit = self.habits[number] >> 4 & 3;
        if habit == 1 || self.accepted.values().any(|other| *other == number) {
            return self.engine.refuse(id, Refusal::Forbidden);
        }
        assert!(self.accepted.insert(id, number).is_none(), "the same id twice");
        self.ids.push(id);
        if habit == 2 {
            self.send(&[id], 100);
        }
        if self.habits[number] & 15 > 12 {
            return self.requests.put_off(&mut self.engine, id);
        }
        self.engine.accept(id, None, b"");
        if habit == 3 {
            self.send(&[id, id], 1000);
        }
    }

    /// Decides on a request on which that was put off. Returns whether there was one.
    fn decide(&mut self, choice: usize) -> bool {
        let decided = self.requests.decide(&mut self.engine, choice);
        if let Some(Decided::Refused(id)) = decided {
            self.closing.insert(id);
        }
        decided.is_some()
    }

    /// Compares a message with what its client has said, and does with it what is the habit.
    fn hear(&mut self, id: ConnId, kind: MessageKind, mut message: Vec<u8>) {
        assert_eq!(message.pop(), Some(0), "there is no zero byte behind the message");
        assert!(!self.ended.contains(&id), "a message behind the end");
        assert!(!self.closing.contains(&id), "a message of one that was closed");
        let number = self.accepted[&id];
        let client = &mut self.clients[number];
        let len = message.len();
        if !client.is_garbled {
            assert_eq!(client.said.pop_front(), Some((kind, message)), "not what was said");
        }
        match self.habits[number] & 15 {
            0..=3 => self.send(&[id], len),
            4 => self.send(&self.ids.clone(), len),
            5 => (0..10).for_each(|i| self.send(&[id], len + i)),
            6 => self.close(id, Some(CloseCode::NORMAL)),
            7 => self.close(id, None),
            8 => self.close(self.ids[0], None),
            9 => self.close(self.ids[0], Some(CloseCode::POLICY)),
            10 => self.send(&[self.ids[0], id, self.ids[0]], len),
            _ => {}
        }
    }

    /// Lets all that is under way arrive, on both sides: those who are open have what they are owed.
    fn come_to_rest(&mut self) {
        let mut moved = 1;
        while moved > 0 {
            self.pump_all();
            let move_all = |client: &mut Client| client.write(usize::MAX) + client.read(usize::MAX);
            moved = self.clients.iter_mut().map(move_all).sum();
            moved += usize::from(self.decide(0));
        }
        self.sources.assert_rest();
        for (id, number) in &self.accepted {
            let (client, is_over) = (&self.clients[*number], self.ended.contains(id));
            if !client.is_staying() || self.closing.contains(id) {
                continue;
            }
            let why = self.engine.close_code(*id);
            assert!(client.is_open() && !is_over, "an end for no reason: {why:?} {client:?}");
            assert!(client.said.is_empty(), "{} messages are not told", client.said.len());
            let mut owed = client.owed.iter();
            assert!(
                !owed.any(|(_, is_certain)| *is_certain),
                "not all has come: {:?}",
                client.owed
            );
            let queued = (self.engine.queued_frames(*id), self.engine.queued_bytes(*id));
            assert_eq!(queued, (0, 0), "queued for one that has read all");
        }
    }

    fn let_all_leave(&mut self) {
        self.clients = Vec::new();
        self.pump_all();
        self.sources.end(&mut self.engine);
        self.requests.assert_none();
        assert_eq!(self.ended.len(), self.accepted.len(), "an end is not told");
        let stats = self.engine.stats();
        assert_eq!((stats.connections, stats.queued_bytes), (0, 0));
        (self.habits, self.ids, self.requests) = Default::default();
        (self.accepted, self.closing, self.ended) = Default::default();
    }

    fn stop(&mut self) {
        self.engine.stop(CloseCode::GOING_AWAY);
        while !self.is_stopped {
            self.step();
        }
    }
}
