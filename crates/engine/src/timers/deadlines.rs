//! Deadlines of connections. One that has become pointless is forgotten when its turn comes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, TryReserveError};
use std::time::Duration;

use super::clock::Moment;
use crate::id::ConnId;

/// What must have happened by a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The request is complete (CONTRACT S17).
    Handshake,
    /// The next plain request is complete, or more of it has come, or something of the answer to the last one was taken.
    Page,
    /// The caller has decided on a request.
    Decision,
    /// All was taken by a peer that is being dropped or has closed.
    Flush,
    /// The connection has ended, since its close frame, or all that there was for it, went out (CONTRACT S8).
    Close,
    /// A part of the queue was taken by a peer that is to be closed when all of it is.
    Drain,
    /// A part of a long queue was taken by a peer whose input waits for it.
    Hold,
    /// The system has memory again for what could not be sent or read.
    Retry,
    /// The client has sent something, or is asked to.
    Idle,
    /// The client has sent something since it was asked to.
    Pong,
}

impl Kind {
    pub(crate) const ALL: [Self; 10] = [
        Self::Handshake,
        Self::Page,
        Self::Decision,
        Self::Flush,
        Self::Close,
        Self::Drain,
        Self::Hold,
        Self::Retry,
        Self::Idle,
        Self::Pong,
    ];
    /// How far away it is, where that does not depend on the configuration.
    pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);
    pub(crate) const CLOSE: Duration = Duration::from_secs(5);
    pub(crate) const DRAIN: Duration = Duration::from_secs(30);
    pub(crate) const HOLD: Duration = Duration::from_secs(1);
    pub(crate) const RETRY: Duration = Duration::from_millis(10);
}

/// A deadline of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline {
    pub(crate) at: Moment,
    pub(crate) kind: Kind,
    pub(crate) conn: ConnId,
    /// What the connection had reached when it was set: bytes queued, or the time of the last byte received.
    pub(crate) mark: u64,
}

/// The deadlines of all connections.
#[derive(Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<Deadline>>,
}

impl Deadlines {
    pub(crate) fn push(&mut self, deadline: Deadline) -> Result<(), TryReserveError> {
        self.heap.try_reserve(1)?;
        self.heap.push(Reverse(deadline));
        Ok(())
    }

    /// Forgets those that are not live any more, where they are by far the most: connections that come
    /// and go quickly leave them behind.
    #[inline(always)]
    pub(crate) fn tidy(&mut self, conns: usize, is_live: impl Fn(&Deadline) -> bool) {
        if self.heap.len() > 1024 + 8 * conns {
            self.heap.retain(|Reverse(deadline)| is_live(deadline));
        }
    }

    /// Whether one may be due.
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        self.heap.peek().is_some_and(|Reverse(first)| first.at <= now)
    }

    /// The next deadline that is due and that still `is_live`.
    pub(crate) fn pop(
        &mut self,
        now: Moment,
        is_live: impl Fn(&Deadline) -> bool,
    ) -> Option<Deadline> {
        // Most often none is.
        if !self.is_due(now) {
            return None;
        }
        self.next_at(is_live).filter(|at| *at <= now)?;
        self.heap.pop().map(|Reverse(deadline)| deadline)
    }

    /// When the next deadline is due that still `is_live`. Those before it are forgotten.
    #[inline(always)]
    pub(crate) fn next_at(&mut self, is_live: impl Fn(&Deadline) -> bool) -> Option<Moment> {
        while let Some(Reverse(next)) = self.heap.peek() {
            if is_live(next) {
                return Some(next.at);
            }
            self.heap.pop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_and_only_the_living() {
        let mut deadlines = Deadlines::default();
        let start = Moment::now();
        let at = |secs| start + Duration::from_secs(secs);
        let conn = |n: u64| ConnId::from_bits(n << 32).unwrap();
        for (secs, n, kind) in [(11, 2, Kind::Idle), (7, 3, Kind::Close), (5, 1, Kind::Handshake)] {
            deadlines.push(Deadline { at: at(secs), conn: conn(n), kind, mark: 0 }).unwrap();
        }
        let is_live = |deadline: &Deadline| deadline.conn != conn(1);
        assert_eq!(deadlines.next_at(is_live), Some(at(7)));
        assert!(deadlines.pop(at(6), is_live).is_none());
        assert_eq!(deadlines.pop(at(12), is_live).unwrap().kind, Kind::Close);
        assert_eq!(deadlines.pop(at(12), is_live).unwrap().kind, Kind::Idle);
        assert_eq!(deadlines.next_at(is_live), None);
    }

    #[test]
    fn those_left_behind_are_few() {
        let mut deadlines = Deadlines::default();
        let at = Moment::now();
        for n in 1..=100_000 {
            let conn = ConnId::from_bits(n << 32).unwrap();
            deadlines.push(Deadline { at, conn, kind: Kind::Idle, mark: 0 }).unwrap();
            deadlines.tidy(1, |deadline| deadline.conn.to_bits() >> 32 == n);
            assert!(deadlines.heap.len() < 1100);
        }
    }
}
