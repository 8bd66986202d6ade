//! A message that does not come in one piece (RFC 6455 5.4).

use std::collections::TryReserveError;

use crate::frame::{Coding, MessageKind};
use crate::header::FrameHeader;
use crate::mask::unmask;
use crate::violation::Violation;

/// A message that comes in several pieces, while it comes and when it is complete. It takes memory for the
/// bytes that have come, and none for those that were announced.
#[derive(Debug, Default)]
pub struct Incoming {
    kind: Option<MessageKind>,
    coding: Coding,
    /// What has come, behind some bytes of no meaning, and room for more.
    bytes: Vec<u8>,
    /// Where in `bytes` the message starts.
    start: usize,
    /// How many bytes of the message have come.
    len: usize,
    /// How many bytes at the start of the message are known to be whole characters; of text only.
    checked: usize,
    /// How many bytes of the frame are still to come.
    remaining: usize,
    /// The frame's masking key, where it has one, turned to the byte that comes next.
    key: Option<[u8; 4]>,
    /// The frame is the message's last.
    is_final: bool,
}

/// The start of a data frame whose payload [`Incoming`] is to take: its header, which has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameStart {
    pub(crate) header: FrameHeader,
    /// What the message is that the frame begins; `None` where it goes on with one.
    pub(crate) kind: Option<MessageKind>,
}

/// What a complete message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Complete {
    /// What the message is: text or not.
    pub kind: MessageKind,
    /// Whether the bytes of the message are compressed.
    pub coding: Coding,
}

/// Why a message that comes in several pieces cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncomingError {
    /// The peer has broken the protocol.
    Violation(Violation),
    /// There is no memory for the message.
    OutOfMemory,
}

impl From<Violation> for IncomingError {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl From<TryReserveError> for IncomingError {
    fn from(_: TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

impl Incoming {
    /// A place for a message, which has no memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the first frame of a message has come and its last byte has not.
    pub fn is_under_way(&self) -> bool {
        self.kind.is_some()
    }

    /// Whether a frame has begun of which bytes are still to come.
    pub fn is_in_frame(&self) -> bool {
        self.remaining > 0
    }

    /// How many bytes of the message have come.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn coding(&self) -> Coding {
        self.coding
    }

    /// Begins a frame of the message, and the message itself where that is its first frame.
    pub fn begin(&mut self, start: FrameStart) {
        if let FrameStart { kind: Some(kind), .. } = start {
            (self.kind, self.start, self.len, self.checked) = (Some(kind), 0, 0, 0);
            self.coding = start.header.coding;
        }
        self.remaining = start.header.payload_len;
        self.key = start.header.key;
        self.is_final = start.header.is_final;
    }

    /// Takes what there is at the start of `input` of the payload of the frame that was begun, unmasks it, and
    /// adds it to the message. Returns how many bytes that was, and what the message is where it is complete:
    /// then [`Incoming::message`] has it.
    ///
    /// Text is checked as it comes: a byte that cannot be is told at once (RFC 6455 8.1).
    pub fn receive(&mut self, input: &[u8]) -> Result<(usize, Option<Complete>), IncomingError> {
        let part = &input[..input.len().min(self.remaining)];
        self.make_room(self.needed(part.len()))?;
        if self.len == 0 {
            // As far from a line's start as in the input, which was placed so that the kernel copies fast:
            // what is read in place goes on as the input would.
            let (from, to) = (part.as_ptr().addr(), self.bytes.as_ptr().addr());
            self.start = from.wrapping_sub(to) % LINE;
        }
        let end = self.end();
        self.bytes[end..][..part.len()].copy_from_slice(part);
        Ok((part.len(), self.receive_in_place(part.len())?))
    }

    /// Where bytes of the frame's payload may be put, and be told by [`Incoming::receive_in_place`]; at most
    /// as many as are still to come. It is empty where too few have come to make room for more without a
    /// look at them.
    pub fn room(&mut self) -> Result<&mut [u8], TryReserveError> {
        if self.len < MIN_IN_PLACE {
            return Ok(&mut []);
        }
        let most = self.remaining.min(self.len).min(MAX_IN_PLACE);
        self.make_room(self.needed(most))?;
        let end = self.end();
        Ok(&mut self.bytes[end..][..most])
    }

    /// Takes what was put at the start of [`Incoming::room`], like [`Incoming::receive`].
    pub fn receive_in_place(&mut self, len: usize) -> Result<Option<Complete>, IncomingError> {
        let end = self.end();
        if let Some(key) = &mut self.key {
            unmask(*key, &mut self.bytes[end..][..len]);
            key.rotate_left(len % 4);
        }
        self.len += len;
        self.remaining -= len;
        let is_complete = self.is_final && self.remaining == 0;
        if self.kind == Some(MessageKind::Text) && self.coding == Coding::Plain {
            self.check(is_complete)?;
        }
        if !is_complete {
            return Ok(None);
        }
        let end = self.end();
        self.bytes[end] = 0;
        Ok(self.kind.take().map(|kind| Complete { kind, coding: self.coding }))
    }

    /// How much memory is needed for so many bytes more, and for the zero byte behind the message. The first
    /// ones need a line more, to be placed in.
    fn needed(&self, len: usize) -> usize {
        let spare = if self.len == 0 { LINE } else { 0 };
        self.end() + len + 1 + spare
    }

    /// Where in the memory the next byte goes.
    fn end(&self) -> usize {
        self.start + self.len
    }

    /// Makes room for so much in all.
    fn make_room(&mut self, needed: usize) -> Result<(), TryReserveError> {
        if needed > self.bytes.capacity() {
            self.bytes.try_reserve_exact(self.wanted(needed) - self.bytes.len())?;
        }
        if needed > self.bytes.len() {
            self.bytes.resize(needed, 0);
        }
        Ok(())
    }

    /// How much memory is taken where so much is needed: twice as much as there was, so that a byte is
    /// moved a few times at most, in however many pieces its message comes (CONTRACT S20); but no more than
    /// the last frame needs.
    fn wanted(&self, needed: usize) -> usize {
        let end = if self.is_final { self.needed(self.remaining) } else { usize::MAX };
        needed.max((2 * self.bytes.capacity()).min(end))
    }

    /// Checks the text that has come since the last time (RFC 6455 8.1).
    fn check(&mut self, is_complete: bool) -> Result<(), Violation> {
        match simdutf8::compat::from_utf8(&self.bytes[self.start..][self.checked..self.len]) {
            Ok(_) => self.checked = self.len,
            Err(error) if is_complete || error.error_len().is_some() => {
                return Err(Violation::NotUtf8);
            }
            Err(error) => self.checked += error.valid_up_to(),
        }
        Ok(())
    }

    /// Copies a whole message, which has come in one piece, and is unmasked: then [`Incoming::message`] has
    /// it.
    pub fn set(&mut self, payload: &[u8]) -> Result<(), TryReserveError> {
        (self.start, self.len) = (0, 0);
        self.make_room(payload.len() + 1)?;
        self.bytes[..payload.len()].copy_from_slice(payload);
        self.bytes[payload.len()] = 0;
        self.len = payload.len();
        Ok(())
    }

    /// The payload of the message that was completed last, with a zero byte behind it. It may be written to.
    pub fn message(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..][..=self.len]
    }

    /// How much more memory, in bytes, the message takes when so many bytes more of its frame come, at most.
    pub fn growth(&self, len: usize) -> usize {
        let needed = self.needed(len.min(self.remaining));
        let capacity = self.bytes.capacity();
        if needed > capacity { self.wanted(needed) - capacity } else { 0 }
    }

    /// How much memory the message has, in bytes.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Where fewer bytes of a message have come, no room is made for more of them: it would cost the peer
/// nothing to have it made.
const MIN_IN_PLACE: usize = 64 * 1024;
/// No more room than so many bytes is made at a time: others are to have their turns (CONTRACT S20).
const MAX_IN_PLACE: usize = 1 << 20;
/// A cache line, in bytes.
const LINE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::OpCode;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    fn start(kind: Option<MessageKind>, payload_len: usize, is_final: bool) -> FrameStart {
        let opcode = kind.map_or(OpCode::Continuation, OpCode::from);
        FrameStart {
            header: FrameHeader {
                is_final,
                coding: Coding::Plain,
                opcode,
                key: Some(KEY),
                len: 6,
                payload_len,
            },
            kind,
        }
    }

    fn masked(payload: &[u8]) -> Vec<u8> {
        let mut payload = payload.to_vec();
        unmask(KEY, &mut payload);
        payload
    }

    /// Fragments at every place, each in pieces cut at every place.
    #[test]
    fn joined_whatever_the_cuts() {
        let text = "zażółć gęślą jaźń \u{1f600}".as_bytes();
        for fragment in 0..=text.len() {
            for cut in 0..=text.len() {
                let mut incoming = Incoming::new();
                let (first, second) = text.split_at(fragment);
                incoming.begin(start(Some(MessageKind::Text), first.len(), false));
                let (one, two) = (masked(first), masked(second));
                let (a, b) = one.split_at(cut.min(one.len()));
                assert_eq!(incoming.receive(a), Ok((a.len(), None)));
                assert_eq!(incoming.receive(b), Ok((b.len(), None)));
                assert!(incoming.is_under_way() && !incoming.is_in_frame());
                incoming.begin(start(None, second.len(), true));
                let (a, b) = two.split_at(cut.min(two.len()));
                let behind = [b, b"behind"].concat();
                if !b.is_empty() {
                    assert_eq!(incoming.receive(a), Ok((a.len(), None)));
                }
                let rest = if b.is_empty() { a } else { &behind };
                let len = if b.is_empty() { a.len() } else { b.len() };
                let complete = Complete { kind: MessageKind::Text, coding: Coding::Plain };
                assert_eq!(incoming.receive(rest), Ok((len, Some(complete))));
                assert!(!incoming.is_under_way());
                assert_eq!(incoming.message(), [text, b"\0"].concat());
            }
        }
    }

    /// A byte that cannot be is told when it comes, in whichever frame.
    #[test]
    fn text_is_checked_as_it_comes() {
        for (good, bad) in
            [("abc", &b"\xff"[..]), ("é", b"\xf4\x90"), ("", b"\xc0"), ("x", b"\xe2\x28")]
        {
            let mut incoming = Incoming::new();
            incoming.begin(start(Some(MessageKind::Text), 100, false));
            assert!(incoming.receive(&masked(good.as_bytes())).is_ok());
            let all = masked(&[good.as_bytes(), bad].concat());
            let received = incoming.receive(&all[good.len()..]);
            assert_eq!(received, Err(Violation::NotUtf8.into()));
        }
        let mut incoming = Incoming::new();
        incoming.begin(start(Some(MessageKind::Text), 1, true));
        assert_eq!(incoming.receive(&masked(b"\xc3")), Err(Violation::NotUtf8.into()));
    }

    /// ADVISORIES T7: what is announced takes no memory.
    #[test]
    fn memory_grows_with_what_has_come() {
        let mut incoming = Incoming::new();
        incoming.begin(start(Some(MessageKind::Binary), 1 << 30, true));
        assert_eq!(incoming.receive(&[1; 100]), Ok((100, None)));
        assert!(incoming.bytes.capacity() < 1000);
        assert_eq!(incoming.room().map(|room| room.len()), Ok(0));
        assert!(incoming.capacity() < 1000);
        assert_eq!(incoming.receive(&vec![1; 100_000]), Ok((100_000, None)));
        assert!((100_000..300_000).contains(&incoming.room().unwrap().len()));
        assert!(incoming.capacity() < 300_000);
    }

    /// CONTRACT S20: a message that comes byte by byte, in frames of a byte or in one, is moved as seldom as
    /// one that comes in large pieces.
    #[test]
    fn memory_grows_in_few_steps() {
        for frames in [1, 100_000] {
            let mut incoming = Incoming::new();
            let mut steps = 0;
            for i in 0..100_000 {
                if i % (100_000 / frames) == 0 {
                    let kind = (i == 0).then_some(MessageKind::Binary);
                    incoming.begin(start(kind, 100_000 / frames, frames == 1));
                }
                let before = incoming.capacity();
                incoming.receive(&[1]).unwrap();
                steps += usize::from(incoming.capacity() != before);
            }
            assert!(steps <= 20, "{steps} steps in {frames} frames");
            assert!(incoming.capacity() <= 200_010);
        }
    }

    /// The first part lies in a line as in the input, and what is read in place goes on there.
    #[test]
    fn placed_as_in_the_input() {
        let wire = vec![1; MIN_IN_PLACE + 2 * LINE];
        let mut incoming = Incoming::new();
        for cut in 0..2 * LINE {
            let (part, behind) = wire[cut..].split_at(MIN_IN_PLACE);
            incoming.begin(start(Some(MessageKind::Binary), 10 * MIN_IN_PLACE, true));
            assert_eq!(incoming.receive(part), Ok((MIN_IN_PLACE, None)));
            let place = incoming.bytes[incoming.start..].as_ptr().addr();
            assert_eq!(place % LINE, part.as_ptr().addr() % LINE);
            // Memory that has moved begins where malloc has it begin, at a multiple of 16.
            let place = incoming.room().unwrap().as_ptr().addr();
            assert_eq!(place % 16, behind.as_ptr().addr() % 16);
        }
    }

    #[test]
    fn received_in_place() {
        let payload: Vec<u8> = (0..1_000_003).map(|i| i as u8 % 127).collect();
        let wire = masked(&payload);
        for (kind, step) in [(MessageKind::Text, 70_001), (MessageKind::Binary, 1_000_000)] {
            let mut incoming = Incoming::new();
            incoming.begin(start(Some(kind), payload.len(), true));
            let mut pos = MIN_IN_PLACE;
            assert_eq!(incoming.receive(&wire[..pos]), Ok((pos, None)));
            let complete = loop {
                let room = incoming.room().unwrap();
                let len = room.len().min(step);
                assert!(len > 0);
                room[..len].copy_from_slice(&wire[pos..pos + len]);
                pos += len;
                if let Some(complete) = incoming.receive_in_place(len).unwrap() {
                    break complete;
                }
            };
            assert_eq!((complete.kind, pos), (kind, payload.len()));
            assert!(incoming.message() == [&payload[..], b"\0"].concat());
        }
    }
}
