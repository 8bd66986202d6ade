//! Compression of messages: permessage-deflate (RFC 7692).
//!
//! Every message is compressed by itself: the answer to an offer always asks both sides for no context
//! takeover. So a connection keeps no state, one compressor serves all that have the same window, and a
//! message for many is compressed once.

use std::collections::TryReserveError;
use std::panic::UnwindSafe;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::{IncomingError, MessageKind, Violation};

/// What was agreed with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// The base-2 logarithm of the window that our messages may use, in bytes: 8 to 15.
    pub window_bits: u8,
    has_server_bits: bool,
    client_bits: Option<u8>,
}

impl Deflate {
    /// Accepts the first offer in a client's Sec-WebSocket-Extensions headers that can be; one that
    /// cannot be is passed over (RFC 7692 5.1, 7.1).
    pub fn negotiate<'a>(headers: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut offers = headers.flat_map(|list| list.split(|&byte| byte == b','));
        offers.find_map(Self::accept)
    }

    fn accept(offer: &[u8]) -> Option<Self> {
        let mut parts = offer.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        parts.next().filter(|name| name.eq_ignore_ascii_case(b"permessage-deflate"))?;
        let mut deflate = Self { window_bits: 15, has_server_bits: false, client_bits: None };
        let mut seen = [false; 4];
        for part in parts {
            let (name, value) = match part.iter().position(|&byte| byte == b'=') {
                Some(at) => (part[..at].trim_ascii(), Some(unquote(part[at + 1..].trim_ascii()))),
                None => (part, None),
            };
            let parameter = match (name, value) {
                (b"server_no_context_takeover", None) => 0,
                (b"client_no_context_takeover", None) => 1,
                (b"server_max_window_bits", Some(value)) => {
                    deflate.window_bits = window_bits(value)?;
                    deflate.has_server_bits = true;
                    2
                }
                (b"client_max_window_bits", None) => 3,
                (b"client_max_window_bits", Some(value)) => {
                    deflate.client_bits = Some(window_bits(value)?);
                    3
                }
                _ => return None,
            };
            if std::mem::replace(&mut seen[parameter], true) {
                return None;
            }
        }
        Some(deflate)
    }

    /// Appends the value of our Sec-WebSocket-Extensions header.
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        );
        if self.has_server_bits {
            encode_bits("; server_max_window_bits=", self.window_bits, out);
        }
        if let Some(bits) = self.client_bits {
            encode_bits("; client_max_window_bits=", bits, out);
        }
    }
}

fn encode_bits(name: &str, bits: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(if bits < 10 { b"" } else { b"1" });
    out.push(b'0' + bits % 10);
}

fn unquote(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// RFC 7692 7.1.2: 8 to 15, without leading zeros (ADVISORIES T21).
fn window_bits(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

/// What every compressed message ends with, and what is not sent (RFC 7692 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Compresses messages for one size of the window.
#[derive(Debug)]
pub struct Deflater(Compress);

impl Deflater {
    /// How much memory one takes, in bytes.
    pub const MEMORY: usize = DEFLATER;

    /// A compressor of this level, 1 to 9, for this window; `None` where there is no memory for it.
    pub fn new(level: u32, window_bits: u8) -> Option<Self> {
        // zlib takes no window of 8 bits. With one of 9 it looks back 250 bytes at most, which fits.
        let bits = window_bits.clamp(9, 15);
        let make = || Compress::new_with_window_bits(Compression::new(level), false, bits);
        with_room(DEFLATER, make).map(Self)
    }

    /// Compresses a message into `out`, in place of what is there.
    pub fn deflate(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), TryReserveError> {
        out.clear();
        // Bytes that cannot be compressed grow by 5 for each block, and there is the tail.
        out.try_reserve(message.len() + message.len() / 64 + 64)?;
        self.0.reset();
        loop {
            let rest = &message[self.0.total_in() as usize..];
            // No input can make a compressor fail.
            let _ = self.0.compress_vec(rest, out, FlushCompress::Sync);
            if out.len() < out.capacity() {
                break;
            }
            out.try_reserve(out.len() / 2)?;
        }
        if out.ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
        }
        Ok(())
    }
}

/// Decompresses messages, each of them a piece at a time.
#[derive(Debug)]
pub struct Inflater {
    stream: Decompress,
    /// Where bytes come out before they join the message. It has a fixed size, so that a block costs
    /// what it takes in and gives out, and an empty one next to nothing (CONTRACT S20).
    room: Box<[u8]>,
    /// How much of the message is taken, and of the tail behind it.
    taken: usize,
    /// How many bytes of the decompressed message are known to be whole characters; of text only.
    checked: usize,
}

/// How far [`Inflater::inflate`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inflated {
    /// All of the message is there.
    pub is_complete: bool,
    /// How many bytes were taken and given, which is what it has cost.
    pub work: usize,
}

/// The size of [`Inflater`]'s room, in bytes.
const ROOM: usize = 16 * 1024;
/// What a step costs besides its bytes, in bytes: those of tiny blocks are many.
const STEP: usize = 64;

/// What zlib takes for a compressor and for a decompressor, in bytes, rounded up.
const DEFLATER: usize = 512 * 1024;
const INFLATER: usize = 64 * 1024;

/// Makes what takes so much memory, and panics where there is none for it.
fn with_room<T>(len: usize, make: impl FnOnce() -> T + UnwindSafe) -> Option<T> {
    // So that it is found out without a panic, as far as that can be.
    Vec::<u8>::new().try_reserve_exact(len).ok()?;
    std::panic::catch_unwind(make).ok()
}

impl Inflater {
    /// How much memory one takes, in bytes.
    pub const MEMORY: usize = INFLATER + ROOM;

    /// A decompressor; `None` where there is no memory for it.
    pub fn new() -> Option<Self> {
        let mut room = Vec::new();
        room.try_reserve_exact(ROOM).ok()?;
        room.resize(ROOM, 0);
        let stream = with_room(INFLATER, || Decompress::new(false))?;
        Some(Self { stream, room: room.into(), taken: 0, checked: 0 })
    }

    /// Decompresses a message into `out`, in place of what is there, with a zero byte behind it.
    pub fn inflate_whole(
        &mut self,
        kind: MessageKind,
        message: &[u8],
        max_payload: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), IncomingError> {
        self.begin(out);
        self.inflate(kind, message, max_payload, usize::MAX, out).map(|_| ())
    }

    /// Begins a message, which is to be in `out` in place of what is there.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        out.clear();
        self.stream.reset(false);
        (self.taken, self.checked) = (0, 0);
    }

    /// Goes on with the message that was begun, until it is complete, with a zero byte behind it, or so many
    /// bytes were taken and given: then it is to be called again, with the same message and the same `out`.
    /// The limit holds while it grows: no more memory is taken than a message may have (ADVISORIES T19).
    pub fn inflate(
        &mut self,
        kind: MessageKind,
        message: &[u8],
        max_payload: usize,
        most_work: usize,
        out: &mut Vec<u8>,
    ) -> Result<Inflated, IncomingError> {
        let mut work = 0;
        let is_complete = loop {
            let input = match self.taken.checked_sub(message.len()) {
                None => &message[self.taken..],
                Some(of_tail) => &TAIL[of_tail..],
            };
            let (status, taken, given) = self.step(&input[..input.len().min(ROOM)])?;
            self.taken += taken;
            work += taken + given + STEP;
            if given > max_payload - out.len() {
                return Err(Violation::TooLong.into());
            }
            make_room(out, given, max_payload)?;
            out.extend_from_slice(&self.room[..given]);
            // A full room may be too small for what the last bytes say.
            let is_end = self.taken == message.len() + TAIL.len() && given < self.room.len();
            if status == Status::StreamEnd {
                // RFC 7692 7.2.3.5: a block may say that it is the last one. What follows is a stream of
                // its own, and does not look back.
                self.stream.reset(false);
            } else if !is_end && taken + given == 0 {
                return Err(Violation::NotDeflate.into());
            }
            if is_end || work >= most_work {
                break is_end;
            }
        };
        if kind == MessageKind::Text {
            self.check(out, is_complete)?;
        }
        if is_complete {
            make_room(out, 0, max_payload)?;
            out.push(0);
        }
        Ok(Inflated { is_complete, work })
    }

    /// Checks the text that has come out since the last time (RFC 6455 8.1).
    fn check(&mut self, out: &[u8], is_complete: bool) -> Result<(), Violation> {
        match simdutf8::compat::from_utf8(&out[self.checked..]) {
            Ok(_) => self.checked = out.len(),
            Err(error) if is_complete || error.error_len().is_some() => {
                return Err(Violation::NotUtf8);
            }
            Err(error) => self.checked += error.valid_up_to(),
        }
        Ok(())
    }

    /// Decompresses what fits into the room. Returns how many bytes that took and gave.
    fn step(&mut self, input: &[u8]) -> Result<(Status, usize, usize), Violation> {
        let before = (self.stream.total_in(), self.stream.total_out());
        let status = self.stream.decompress(input, &mut self.room, FlushDecompress::Sync);
        let status = status.map_err(|_| Violation::NotDeflate)?;
        let taken = self.stream.total_in() - before.0;
        let given = self.stream.total_out() - before.1;
        Ok((status, taken as usize, given as usize))
    }
}

/// Makes room for so many bytes more of a message, and for the zero byte behind it: for twice as many
/// as there are, so that each is moved a few times at most, but for no more than a message may have.
fn make_room(out: &mut Vec<u8>, more: usize, max_payload: usize) -> Result<(), TryReserveError> {
    let needed = out.len() + more + 1;
    if needed > out.capacity() {
        let wanted = needed.max((2 * out.capacity()).min(max_payload + 1));
        out.try_reserve_exact(wanted - out.len())?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "deflate_tests.rs"]
mod tests;
