//! The body of a plain request, as it comes in (RFC 9112 6, 7.1).

use std::ops::Range;

use crate::fields::{is_token_byte, is_value_byte};
use crate::plain::BodyLength;
use crate::response::Refusal;

/// The most digits of a chunk's size, leading zeros included.
const MAX_DIGITS: u8 = 16;
/// The most bytes of a chunk's extensions.
const MAX_EXTENSIONS: u16 = 256;
/// The longest trailer section, in bytes.
const MAX_TRAILER: u16 = 8192;
/// The most lines of a trailer section.
const MAX_TRAILER_LINES: u8 = 64;
/// How many bytes of a chunked body may be no data, whatever data there is; and how many more there may be for
/// each byte of data. One byte a chunk takes 5; what takes much more has no end in view, or makes work for
/// nothing.
const FREE_OVERHEAD: u64 = 65536;
const OVERHEAD_PER_BYTE: u64 = 16;

const TOO_LONG: Refusal = Refusal::Malformed("there is too much between the body's data");

/// A body that is coming in. It has no memory of its own: what is data of the input is told, and the rest of
/// it is not needed again. How much data there may be in all is the caller's to watch.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    state: State,
    /// What is left of the body, or of a chunk's data; while the size of a chunk comes in, that.
    left: u64,
    /// The data of all chunks until now, in bytes.
    data: u64,
    /// The bytes of a chunked body until now that are no data.
    overhead: u64,
}

/// What is at the start of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// So many bytes are done with, the data among them.
    pub consumed: usize,
    /// Where the next data of the body is in the input; empty where there is none.
    pub data: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a body whose length is known.
    Known,
    /// In the size of a chunk, behind so many digits.
    Size(u8),
    /// In what a chunk's size has behind it, behind so many bytes of that, white space alone.
    Space(u16),
    /// In a chunk's extensions, behind so many bytes.
    Extensions(u16),
    /// Behind the CR of a chunk's size.
    SizeEnd,
    /// In a chunk's data.
    Data,
    /// Behind a chunk's data.
    DataEnd,
    /// Behind the CR that follows a chunk's data.
    DataLineEnd,
    /// In the trailer section.
    Trailer {
        len: u16,
        lines: u8,
        place: Place,
    },
    Complete,
}

/// Where a trailer section is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the start of a line.
    Start,
    Name,
    Value,
    /// Behind the CR of a line.
    LineEnd,
    /// Behind the CR of the empty line.
    End,
}

impl Body {
    /// A body of such a length, of which nothing has come in.
    pub fn new(length: BodyLength) -> Self {
        let (state, left) = match length {
            BodyLength::None | BodyLength::Known(0) => (State::Complete, 0),
            BodyLength::Known(len) => (State::Known, len),
            BodyLength::Chunked => (State::Size(0), 0),
        };
        Self { state, left, data: 0, overhead: 0 }
    }

    /// Takes what is at the start of `input`, up to the end of the first data there. It is to be called again
    /// for the rest while it consumes something and the body is not complete. Each byte is looked at once. A
    /// body that was refused is of no more use.
    pub fn receive(&mut self, input: &[u8]) -> Result<Piece, Refusal> {
        let mut at = 0;
        while !matches!(self.state, State::Known | State::Data | State::Complete) {
            let Some(&byte) = input.get(at) else {
                return Ok(Piece { consumed: at, data: at..at });
            };
            self.state = self.next(byte)?;
            self.count()?;
            at += 1;
        }
        let len = self.left.min((input.len() - at) as u64);
        if self.state == State::Complete || len == 0 {
            return Ok(Piece { consumed: at, data: at..at });
        }
        self.left -= len;
        self.data = self.data.saturating_add(len);
        if self.left == 0 {
            let is_known = self.state == State::Known;
            self.state = if is_known { State::Complete } else { State::DataEnd };
        }
        let end = at + len as usize;
        Ok(Piece { consumed: end, data: at..end })
    }

    /// Whether the body has come in to its end.
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Counts a byte that is no data.
    fn count(&mut self) -> Result<(), Refusal> {
        self.overhead += 1;
        let most = self.data.saturating_mul(OVERHEAD_PER_BYTE).saturating_add(FREE_OVERHEAD);
        if self.overhead > most {
            return Err(Refusal::Malformed("the chunks are too small for what they carry"));
        }
        Ok(())
    }

    /// Where a byte leads that is no data.
    fn next(&mut self, byte: u8) -> Result<State, Refusal> {
        let next = match (self.state, byte) {
            (State::Size(digits), _) if byte.is_ascii_hexdigit() => {
                if digits == MAX_DIGITS {
                    return Err(TOO_LONG);
                }
                // 16 digits are the most that there is room for.
                self.left = self.left << 4 | hex_digit(byte);
                State::Size(digits + 1)
            }
            (State::Size(1..), b'\r') | (State::Extensions(_), b'\r') => State::SizeEnd,
            (State::Size(1..), b' ' | b'\t') => State::Space(1),
            (State::Size(1..), b';') => State::Extensions(1),
            (State::Space(len), b' ' | b'\t') => State::Space(within(len, MAX_EXTENSIONS)?),
            (State::Space(len), b';') => State::Extensions(within(len, MAX_EXTENSIONS)?),
            (State::Extensions(len), _) if is_value_byte(byte) => {
                State::Extensions(within(len, MAX_EXTENSIONS)?)
            }
            (State::SizeEnd, b'\n') if self.left > 0 => State::Data,
            (State::SizeEnd, b'\n') => State::Trailer { len: 0, lines: 0, place: Place::Start },
            (State::DataEnd, b'\r') => State::DataLineEnd,
            (State::DataLineEnd, b'\n') => State::Size(0),
            (State::Trailer { place: Place::End, .. }, b'\n') => State::Complete,
            (State::Trailer { len, lines, place }, _) => next_in_trailer(len, lines, place, byte)?,
            _ => return Err(Refusal::Malformed("a chunk of the body is bad")),
        };
        Ok(next)
    }
}

/// Where a byte of a trailer section leads. Its lines are as those of a head, and mean nothing here.
fn next_in_trailer(len: u16, lines: u8, place: Place, byte: u8) -> Result<State, Refusal> {
    let (place, more) = match (place, byte) {
        (Place::Start, b'\r') => (Place::End, 0),
        (Place::Start, _) if is_token_byte(byte) => (Place::Name, 1),
        (Place::Name, b':') => (Place::Value, 0),
        (Place::Name, _) if is_token_byte(byte) => (Place::Name, 0),
        (Place::Value, b'\r') => (Place::LineEnd, 0),
        (Place::Value, _) if is_value_byte(byte) => (Place::Value, 0),
        (Place::LineEnd, b'\n') => (Place::Start, 0),
        _ => return Err(Refusal::Malformed("the trailer of the body is bad")),
    };
    let lines = lines + more;
    if lines > MAX_TRAILER_LINES {
        return Err(TOO_LONG);
    }
    Ok(State::Trailer { len: within(len, MAX_TRAILER)?, lines, place })
}

/// One more, where that is not above `most`.
fn within(len: u16, most: u16) -> Result<u16, Refusal> {
    if len < most { Ok(len + 1) } else { Err(TOO_LONG) }
}

fn hex_digit(byte: u8) -> u64 {
    char::from(byte).to_digit(16).unwrap_or(0).into()
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
