//! Deadlines, in one queue for each kind: all of a kind are equally far away, so each queue is in
//! order by itself.

use std::collections::{TryReserveError, VecDeque};
use std::time::{Duration, Instant};

use crate::ConnId;

/// What must have happened by a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The request is complete (CONTRACT S17).
    Handshake,
    /// The connection has ended, since it was told to (CONTRACT S8).
    Close,
    /// A part of the queue was taken by a peer that is to be closed when all of it is.
    Drain,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Handshake, Self::Close, Self::Drain];

    fn after(self) -> Duration {
        Duration::from_secs(match self {
            Self::Handshake => 10,
            Self::Close => 5,
            Self::Drain => 30,
        })
    }
}

/// A deadline of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) conn: ConnId,
    pub(crate) kind: Kind,
    /// How many bytes were queued when it was set.
    pub(crate) bytes: usize,
}

#[derive(Default)]
pub(crate) struct Deadlines {
    queues: [VecDeque<(Instant, Deadline)>; Kind::ALL.len()],
}

impl Deadlines {
    /// Sets a deadline from now on.
    pub(crate) fn push(&mut self, now: Instant, deadline: Deadline) -> Result<(), TryReserveError> {
        let queue = &mut self.queues[deadline.kind as usize];
        queue.try_reserve(1)?;
        queue.push_back((now + deadline.kind.after(), deadline));
        Ok(())
    }

    /// The next deadline that is due and that still `is_live`.
    pub(crate) fn pop(
        &mut self,
        now: Instant,
        is_live: impl Fn(&Deadline) -> bool,
    ) -> Option<Deadline> {
        self.next_at(is_live).filter(|at| *at <= now)?;
        let due = self.queues.iter_mut().find(|q| q.front().is_some_and(|(at, _)| *at <= now));
        due?.pop_front().map(|(_, deadline)| deadline)
    }

    /// When the next deadline is due that still `is_live`. Those before it are forgotten.
    pub(crate) fn next_at(&mut self, is_live: impl Fn(&Deadline) -> bool) -> Option<Instant> {
        for queue in &mut self.queues {
            while queue.front().is_some_and(|(_, deadline)| !is_live(deadline)) {
                queue.pop_front();
            }
        }
        self.queues.iter().filter_map(|queue| queue.front()).map(|(at, _)| *at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_and_only_the_living() {
        let mut deadlines = Deadlines::default();
        let start = Instant::now();
        let conn = |n: u64| ConnId::from_bits(n << 32).unwrap();
        let mut push = |after: u64, n, kind| {
            let at = start + Duration::from_secs(after);
            deadlines.push(at, Deadline { conn: conn(n), kind, bytes: 0 }).unwrap();
        };
        push(0, 1, Kind::Handshake);
        push(1, 2, Kind::Handshake);
        push(2, 3, Kind::Close);
        let is_live = |deadline: &Deadline| deadline.conn != conn(1);
        let at = |secs| start + Duration::from_secs(secs);
        assert_eq!(deadlines.next_at(is_live), Some(at(7)));
        assert!(deadlines.pop(at(6), is_live).is_none());
        assert_eq!(deadlines.pop(at(12), is_live).unwrap().kind, Kind::Handshake);
        assert_eq!(deadlines.pop(at(12), is_live).unwrap().kind, Kind::Close);
        assert!(deadlines.pop(at(12), is_live).is_none());
        assert_eq!(deadlines.next_at(is_live), None);
    }
}
