//! RFC 6455 5.1, 5.3: what a server sends is received by a client, and what a client sends by a server, in
//! whatever pieces it comes.

use dorrit_proto::{
    Binary, CloseCode, Coding, Fragments, FrameHead, Incoming, MessageKind, OpCode, Received, Role,
    Rules, Violation, encode_whole, fragments, receive_frame,
};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn rules(role: Role) -> Rules {
    Rules { role, max_payload: 1 << 20, binary: Binary::Accepted, fragments: Fragments::Joined }
}

fn other(role: Role) -> Role {
    match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    }
}

/// The frame with this header, as this end of a connection sends it.
fn frame(role: Role, head: FrameHead, payload: &[u8]) -> Vec<u8> {
    match role {
        Role::Server => [head.as_bytes(), payload].concat(),
        Role::Client => {
            let mut room = vec![0; 14 + payload.len()];
            let len = head.masked(KEY).encode(payload, &mut room).unwrap();
            room.truncate(len);
            room
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Message(MessageKind, Vec<u8>),
    Control(Received, Vec<u8>),
}

/// What one end reads.
struct Reader {
    rules: Rules,
    input: Vec<u8>,
    incoming: Incoming,
    said: Vec<Said>,
}

impl Reader {
    fn new(role: Role) -> Self {
        Self { rules: rules(role), input: Vec::new(), incoming: Incoming::new(), said: Vec::new() }
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.input.extend_from_slice(bytes);
        loop {
            if self.incoming.is_in_frame() {
                self.receive_part();
                if self.incoming.is_in_frame() {
                    return Ok(());
                }
            }
            let under_way = Some(&self.incoming);
            let Some(frame) = receive_frame(&self.rules, under_way, None, &mut self.input)? else {
                return Ok(());
            };
            let payload = self.input[frame.payload.clone()].to_vec();
            if !matches!(frame.received, Received::Part(_)) {
                assert_eq!((self.input[frame.payload.end], frame.payload.end + 1), (0, frame.len));
            }
            self.input.drain(..frame.len);
            match frame.received {
                Received::Message(complete) => {
                    self.said.push(Said::Message(complete.kind, payload));
                }
                Received::Part(start) => {
                    self.incoming.begin(start);
                    self.receive_part();
                }
                control => self.said.push(Said::Control(control, payload)),
            }
        }
    }

    fn receive_part(&mut self) {
        let (len, complete) = self.incoming.receive(&self.input).unwrap();
        self.input.drain(..len);
        if let Some(complete) = complete {
            let message = self.incoming.message();
            assert_eq!(message.last(), Some(&0));
            let message = message[..message.len() - 1].to_vec();
            self.said.push(Said::Message(complete.kind, message));
        }
    }
}

/// What the other end reads, whole and cut in two at each of these places.
fn check(role: Role, stream: &[u8], cuts: impl Iterator<Item = usize>, expected: &[Said]) {
    for cut in cuts.chain([0]) {
        let mut reader = Reader::new(other(role));
        let (first, second) = stream.split_at(cut);
        reader.read(first).unwrap();
        reader.read(second).unwrap();
        assert!(reader.said == expected, "{} bytes of a {role:?}, cut at {cut}", stream.len());
        assert!(reader.input.is_empty());
    }
    // The same end does not take it.
    let fault = if role == Role::Client { Violation::Masked } else { Violation::Unmasked };
    assert_eq!(Reader::new(role).read(stream), Err(fault));
}

/// Every place in a stream of this length, or where that is long, those near its ends.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (0..len).filter(move |cut| len < 1500 || *cut < 30 || len - cut < 10)
}

/// The payload of a message: of text, whose one whose characters do not end where anything else does.
fn payload(kind: MessageKind, len: usize) -> Vec<u8> {
    match kind {
        MessageKind::Binary => (0..len).map(|i| i as u8).collect(),
        MessageKind::Text => {
            let mut text = "\u{1f600}caf\u{e9}".repeat(len / 9).into_bytes();
            text.resize(len, b'x');
            text
        }
    }
}

const KINDS: [MessageKind; 2] = [MessageKind::Text, MessageKind::Binary];
const ROLES: [Role; 2] = [Role::Server, Role::Client];

#[test]
fn whole_messages_of_all_lengths() {
    for role in ROLES {
        for kind in KINDS {
            for len in [0, 1, 7, 8, 9, 124, 125, 126, 127, 1000, 1100, 65535, 65536, 70_000] {
                let message = payload(kind, len);
                let stream = frame(role, FrameHead::new(kind.into(), len), &message);
                check(role, &stream, cuts(stream.len()), &[Said::Message(kind, message)]);
            }
        }
    }
}

/// A server's encoder of one step, too.
#[test]
fn whole_messages_in_one_step() {
    for kind in KINDS {
        for len in [0, 125, 126, 65535] {
            let message = payload(kind, len);
            let mut room = vec![0; len + FrameHead::MAX];
            let frame_len = encode_whole(kind, &message, &mut room).unwrap();
            let stream = &room[..frame_len];
            check(Role::Server, stream, 0..2, &[Said::Message(kind, message)]);
        }
    }
}

#[test]
fn fragments_with_control_frames_between() {
    for role in ROLES {
        for kind in KINDS {
            for (len, max) in [(10, 3), (300, 125), (1000, 126), (200_000, 70_000)] {
                let message = payload(kind, len);
                let mut stream = Vec::new();
                let mut expected = Vec::new();
                let frames: Vec<_> = fragments(kind, Coding::Plain, len, max).collect();
                let last = frames.len() - 1;
                for (i, (head, part)) in frames.into_iter().enumerate() {
                    stream.extend(frame(role, head, &message[part]));
                    if i < last {
                        stream.extend(frame(role, FrameHead::new(OpCode::Ping, 1), &[i as u8]));
                        expected.push(Said::Control(Received::Ping, vec![i as u8]));
                    }
                }
                expected.push(Said::Message(kind, message));
                check(role, &stream, cuts(stream.len()), &expected);
            }
        }
    }
}

#[test]
fn control_frames() {
    let normal = Received::Close(Some(CloseCode::NORMAL));
    let cases: [(OpCode, &[u8], Received); 6] = [
        (OpCode::Ping, b"", Received::Ping),
        (OpCode::Ping, &[0xff; 125], Received::Ping),
        (OpCode::Pong, b"still here", Received::Pong),
        (OpCode::Close, b"", Received::Close(None)),
        (OpCode::Close, b"\x03\xe8", normal),
        (OpCode::Close, b"\x03\xe8farewell", normal),
    ];
    for role in ROLES {
        for (opcode, payload, received) in cases {
            let stream = frame(role, FrameHead::new(opcode, payload.len()), payload);
            let expected = [Said::Control(received, payload.to_vec())];
            check(role, &stream, 0..stream.len(), &expected);
        }
    }
}
