//! Where the payload of a message stands while the caller deals with it.

use std::ops::Range;

use crate::pool::Key;

/// Where a message's payload stands, with a zero byte behind it (CONTRACT D13).
#[derive(Debug)]
pub(crate) enum Payload {
    None,
    /// In the input, and what stood where the zero byte is.
    Input(Range<usize>, Terminator),
    /// Where the message came in parts.
    Incoming(Key),
    /// Where the message was decompressed.
    Inflated,
}

/// What stood where a zero byte was put behind a payload in the input.
#[derive(Debug)]
pub(crate) enum Terminator {
    /// A part of the message's own frame.
    Within,
    /// This byte of what comes next.
    Over(u8),
    /// The end of the input.
    End,
}

impl Payload {
    /// A payload that stands there in the input: puts a zero byte behind it, over what stands there.
    pub(crate) fn in_input(input: &mut Vec<u8>, payload: Range<usize>) -> Self {
        if let Some(behind) = input.get_mut(payload.end) {
            Self::Input(payload, Terminator::Over(std::mem::take(behind)))
        } else if input.len() < input.capacity() {
            input.push(0);
            Self::Input(payload, Terminator::End)
        } else {
            // The buffer is full to its last byte: the payload moves over its own header's end.
            let moved = payload.start - 1..payload.end - 1;
            input.copy_within(payload, moved.start);
            input[moved.end] = 0;
            Self::Input(moved, Terminator::Within)
        }
    }

    /// Puts back in the input what stood where the zero byte is. Returns whether the payload is dealt with then: not
    /// one that stands elsewhere.
    #[inline(always)]
    pub(crate) fn take_back(&mut self, input: &mut Vec<u8>) -> bool {
        match self {
            Self::None => return true,
            Self::Input(range, terminator) => match *terminator {
                Terminator::Within => {}
                Terminator::Over(byte) => input[range.end] = byte,
                Terminator::End => input.truncate(range.end),
            },
            Self::Incoming(_) | Self::Inflated => return false,
        }
        *self = Self::None;
        true
    }
}
