//! Decompression of messages (RFC 7692 7.2.2).

use std::collections::TryReserveError;

use flate2::{Decompress, FlushDecompress, Status};

use crate::deflater::{TAIL, with_room};
use crate::frame::MessageKind;
use crate::incoming::IncomingError;
use crate::violation::Violation;

/// Decompresses messages, each of them a piece at a time.
#[derive(Debug)]
pub struct Inflater {
    stream: Decompress,
    /// Where bytes come out before they join the message. It has a fixed size, so that a block costs
    /// what it takes in and gives out, and an empty one next to nothing (CONTRACT S20).
    room: Box<[u8]>,
    /// How many bytes are taken of the message and of the tail behind it.
    taken: usize,
    /// How many bytes of the decompressed message are known to be whole characters; of text only.
    checked: usize,
}

/// How far [`Inflater::inflate`] has come with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inflated {
    /// All of the message is there.
    pub is_complete: bool,
    /// How many bytes were taken and given, which is what it has cost.
    pub work: usize,
}

/// The size of [`Inflater`]'s room, in bytes.
const ROOM: usize = 16 * 1024;
/// What a step of [`Inflater::inflate`] costs besides its bytes, in bytes: those of tiny blocks are many.
const STEP: usize = 64;

/// What zlib takes for a decompressor, in bytes, rounded up.
const INFLATER: usize = 64 * 1024;

impl Inflater {
    /// How much memory a decompressor takes, in bytes.
    pub const MEMORY: usize = INFLATER + ROOM;

    /// A decompressor; `None` where there is no memory for it.
    pub fn new() -> Option<Self> {
        let mut room = Vec::new();
        room.try_reserve_exact(ROOM).ok()?;
        room.resize(ROOM, 0);
        let stream = with_room(INFLATER, || Decompress::new(false))?;
        Some(Self { stream, room: room.into(), taken: 0, checked: 0 })
    }

    /// Decompresses a message, however long that takes, into `out`, in place of what is there, with a zero
    /// byte behind it.
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

    /// Goes on with the message that was begun, until it is complete, with a zero byte behind it, or so
    /// many bytes were taken and given: then it is to be called again, with the same message and the same
    /// `out`. The limit holds while the message grows: no more memory is taken than a message may have
    /// (ADVISORIES T19).
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
#[path = "inflater_tests.rs"]
mod tests;
