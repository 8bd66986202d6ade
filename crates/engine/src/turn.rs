//! The turn of a connection: its budget, and the short ways that are right in it.

use std::ops::Range;

use dorrit_proto::{MessageKind, Rules, receive_whole};

use crate::event::Told;
use crate::id::ConnId;
use crate::payload::Payload;

/// How many messages and frames of a connection are dealt with in a turn (CONTRACT S20).
const MESSAGES: u32 = 64;

/// The connection whose input is in the engine's input buffer.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) conn: ConnId,
    /// How much of the input is dealt with.
    pub(crate) pos: usize,
    /// How much of it was looked at before.
    pub(crate) seen: usize,
    /// The buffer is the connection's own, and the shared one is set aside.
    pub(crate) is_own: bool,
    /// There may be more to read.
    pub(crate) more: bool,
    /// How many messages and frames it may deal with yet.
    pub(crate) left: u32,
    /// Where the message stands that the caller deals with.
    pub(crate) payload: Payload,
    pub(crate) ways: Ways,
}

/// Which short ways are right for a connection, as it is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ways {
    /// Whole messages may be told from where they stand in the input.
    pub(crate) tells_whole: bool,
    /// Whole messages may be framed into the output of the turn.
    pub(crate) frames_whole: bool,
}

/// How a turn goes on.
pub(crate) enum Step {
    Next,
    Event(Told),
    /// More of the input must come.
    End,
    /// What is left of the input is not to be dealt with now.
    Pause,
}

impl Turn {
    /// A turn in which the input is dealt with from `pos` on, of which what stands before `seen` was looked at
    /// before.
    pub(crate) fn new(conn: ConnId, pos: usize, seen: usize, is_own: bool, more: bool) -> Self {
        let (payload, ways) = (Payload::None, Ways::default());
        Self { conn, pos, seen, is_own, more, left: MESSAGES, payload, ways }
    }

    /// Takes the next message by the shortest way, where that is a whole one of less than 64 KiB. Returns where
    /// in the input its payload stands with its zero byte; `None` says nothing.
    #[inline(always)]
    pub(crate) fn take_whole(
        &mut self,
        input: &mut [u8],
        rules: &Rules,
    ) -> Option<(MessageKind, Range<usize>)> {
        if !self.ways.tells_whole || self.left == 0 || !self.payload.is_dealt_with() {
            return None;
        }
        let rest = input.get_mut(self.pos..).filter(|rest| !rest.is_empty())?;
        let whole = receive_whole(rules.max_payload, rules.binary, rest)?;
        let payload = self.pos + whole.payload.start..self.pos + whole.payload.end;
        self.pos += whole.frame_len();
        self.left -= 1;
        self.payload = Payload::Input(payload.clone());
        Some((whole.kind, payload.start..payload.end + 1))
    }
}
