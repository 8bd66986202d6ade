//! What is to follow from an operation on a connection.

use crate::timers::Kind;

/// What is to follow from an operation on a connection, when it is over: the engine settles it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wants(u32);

const TURN: u32 = 1;
const FLUSH: u32 = 2;
const DRAINED: u32 = 4;
const ENDED: u32 = 8;
const BLOCKED: u32 = 16;
const UNBLOCKED: u32 = 32;
/// The bit of the first kind of deadline.
const FIRST: u32 = 6;

impl Wants {
    /// Whether nothing is to follow.
    #[inline(always)]
    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether it is any of these.
    fn is_any(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    /// Wants a turn in the next round.
    pub(crate) fn turn(&mut self) {
        self.0 |= TURN;
    }

    pub(crate) fn is_turn(self) -> bool {
        self.is_any(TURN)
    }

    /// Wants what is queued to be sent in this round, unless it waits for the socket.
    pub(crate) fn flush(&mut self) {
        self.0 |= FLUSH;
    }

    pub(crate) fn is_flush(self) -> bool {
        self.is_any(FLUSH)
    }

    /// Wants the caller to be told that the queue is empty.
    pub(crate) fn drained(&mut self) {
        self.0 |= DRAINED;
    }

    pub(crate) fn is_drained(self) -> bool {
        self.is_any(DRAINED)
    }

    /// The connection has ended, and is to be removed, where it was accepted once the caller was told.
    pub(crate) fn end(&mut self) {
        self.0 |= ENDED;
    }

    pub(crate) fn is_end(self) -> bool {
        self.is_any(ENDED)
    }

    /// Wants the socket to be watched for room for output, or no more.
    pub(crate) fn watch(&mut self, is_blocked: bool) {
        self.0 &= !(BLOCKED | UNBLOCKED);
        self.0 |= if is_blocked { BLOCKED } else { UNBLOCKED };
    }

    /// Whether the socket is to be watched for room for output; `None` where that stays as it is.
    pub(crate) fn is_blocked(self) -> Option<bool> {
        self.is_any(BLOCKED | UNBLOCKED).then(|| self.is_any(BLOCKED))
    }

    /// Wants a deadline of this kind, from now on.
    pub(crate) fn deadline(&mut self, kind: Kind) {
        self.0 |= 1 << (FIRST + kind as u32);
    }

    /// Whether any deadline is wanted.
    pub(crate) fn is_timed(self) -> bool {
        self.0 >> FIRST != 0
    }

    /// The kinds of deadlines that are wanted.
    pub(crate) fn deadlines(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.is_any(1 << (FIRST + *kind as u32)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_apart() {
        let mut wants = Wants::default();
        assert!(wants.is_none() && wants.is_blocked().is_none() && !wants.is_timed());
        wants.watch(true);
        wants.watch(false);
        assert_eq!(wants.is_blocked(), Some(false), "the last one counts");
        wants.deadline(Kind::Pong);
        wants.deadline(Kind::Handshake);
        assert!(wants.deadlines().eq([Kind::Handshake, Kind::Pong]) && wants.is_timed());
        assert!(!(wants.is_turn() || wants.is_flush() || wants.is_drained() || wants.is_end()));
        wants.turn();
        wants.flush();
        wants.drained();
        wants.end();
        assert!(wants.is_turn() && wants.is_flush() && wants.is_drained() && wants.is_end());
    }
}
