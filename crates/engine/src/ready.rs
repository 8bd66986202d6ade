//! Whose turn is next.

use std::collections::{TryReserveError, VecDeque};

use crate::conn::{Conn, Listed};
use crate::conns::Conns;
use crate::id::ConnId;

/// The connections that wait for a turn. Each stands in each list once, so that they never grow.
pub(crate) struct Ready {
    /// Connections whose turn comes in this round.
    now: VecDeque<ConnId>,
    /// Connections whose queue has grown: their turn comes at the round's end.
    dirty: Vec<ConnId>,
    /// Connections whose turn comes in the next round, when the others were looked at, too.
    next: Vec<ConnId>,
}

impl Ready {
    /// Empty lists, with all the memory that so many connections will ever need.
    pub(crate) fn new(conns: usize) -> Result<Self, TryReserveError> {
        let mut ready = Self { now: VecDeque::new(), dirty: Vec::new(), next: Vec::new() };
        ready.now.try_reserve_exact(conns + 1)?;
        ready.dirty.try_reserve_exact(conns + 1)?;
        ready.next.try_reserve_exact(conns + 1)?;
        Ok(ready)
    }

    /// Whether nobody waits for the poll to be looked at.
    pub(crate) fn is_next_empty(&self) -> bool {
        self.next.is_empty()
    }

    /// Whether nobody has a turn in this round any more.
    pub(crate) fn is_round_over(&self) -> bool {
        self.now.is_empty() && self.dirty.is_empty()
    }

    /// Gives a connection that has noted that it stands in [`Listed::NOW`] a turn in this round, at its end.
    pub(crate) fn push_listed(&mut self, id: ConnId, conns: &Conns) {
        if self.now.len() == self.now.capacity() {
            // Those that have ended since are in the way.
            self.now.retain(|id| conns.has(*id));
        }
        self.now.push_back(id);
    }

    /// Gives a connection whose queue has grown, and which has noted that it stands in [`Listed::DIRTY`], a
    /// turn when all others had theirs.
    pub(crate) fn push_dirty(&mut self, id: ConnId, conns: &Conns) {
        if self.dirty.len() == self.dirty.capacity() {
            self.dirty.retain(|id| conns.has(*id));
        }
        self.dirty.push(id);
    }

    /// Gives a connection a turn in the next round.
    pub(crate) fn push_next(&mut self, id: ConnId, conns: &mut Conns) {
        if self.next.len() == self.next.capacity() {
            self.next.retain(|id| conns.has(*id));
        }
        if conns.get_mut(id).is_some_and(|conn| conn.listed.enter(Listed::NEXT)) {
            self.next.push(id);
        }
    }

    /// The connection whose turn it is, which must note that it has left [`Listed::NOW`].
    pub(crate) fn pop(&mut self, conns: &mut Conns) -> Option<ConnId> {
        if self.now.is_empty() && !self.dirty.is_empty() {
            self.take_dirty(conns);
        }
        self.now.pop_front()
    }

    /// Begins the next round. Who is in this one still comes first.
    #[inline(always)]
    pub(crate) fn begin_round(&mut self, conns: &mut Conns) {
        if !self.dirty.is_empty() {
            self.take_dirty(conns);
        }
        if !self.next.is_empty() {
            let mut next = std::mem::take(&mut self.next);
            self.take(&mut next, Listed::NEXT, conns, |_| {});
            self.next = next;
        }
    }

    fn take_dirty(&mut self, conns: &mut Conns) {
        let mut dirty = std::mem::take(&mut self.dirty);
        self.take(&mut dirty, Listed::DIRTY, conns, |conn| conn.can_write = true);
        self.dirty = dirty;
    }

    fn take(
        &mut self,
        list: &mut Vec<ConnId>,
        name: u8,
        conns: &mut Conns,
        mut note: impl FnMut(&mut Conn),
    ) {
        for id in list.drain(..) {
            if let Some(conn) = conns.get_mut(id) {
                conn.listed.leave(name);
                note(conn);
                if conn.listed.enter(Listed::NOW) {
                    self.push_listed(id, conns);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::conn::tests::conn;

    fn pop_all(ready: &mut Ready, conns: &mut Conns) -> Vec<ConnId> {
        let pop = || {
            let id = ready.pop(conns)?;
            if let Some(conn) = conns.get_mut(id) {
                conn.listed.leave(Listed::NOW);
            }
            Some(id)
        };
        std::iter::from_fn(pop).collect()
    }

    fn push(ready: &mut Ready, id: ConnId, conns: &mut Conns) {
        if conns.get_mut(id).is_some_and(|conn| conn.listed.enter(Listed::NOW)) {
            ready.push_listed(id, conns);
        }
    }

    fn push_dirty(ready: &mut Ready, id: ConnId, conns: &mut Conns) {
        if conns.get_mut(id).is_some_and(|conn| conn.listed.enter(Listed::DIRTY)) {
            ready.push_dirty(id, conns);
        }
    }

    #[test]
    fn each_has_one_turn_a_round() {
        let mut conns = Conns::new(0, NonZeroU32::MIN, 3).unwrap();
        let mut ready = Ready::new(3).unwrap();
        let [a, b, c] = [(); 3].map(|()| conns.insert(conn()).unwrap());
        for id in [b, a, b, a] {
            push(&mut ready, id, &mut conns);
            ready.push_next(id, &mut conns);
            push_dirty(&mut ready, c, &mut conns);
        }
        assert_eq!(pop_all(&mut ready, &mut conns), [b, a, c]);
        assert!(ready.is_round_over() && !ready.is_next_empty());
        assert!(conns.get(c).unwrap().can_write && !conns.get(c).unwrap().listed.is_any());
        push(&mut ready, c, &mut conns);
        ready.begin_round(&mut conns);
        assert_eq!(pop_all(&mut ready, &mut conns), [c, b, a]);
        assert!(ready.is_next_empty());
    }

    /// Connections that have ended leave their places when these are needed.
    #[test]
    fn the_lists_never_grow() {
        let mut conns = Conns::new(0, NonZeroU32::MIN, 1).unwrap();
        let mut ready = Ready::new(1).unwrap();
        let capacity = (ready.now.capacity(), ready.dirty.capacity(), ready.next.capacity());
        for _ in 0..100 {
            let id = conns.insert(conn()).unwrap();
            push(&mut ready, id, &mut conns);
            push_dirty(&mut ready, id, &mut conns);
            ready.push_next(id, &mut conns);
            conns.remove(id, 0);
        }
        assert_eq!((ready.now.capacity(), ready.dirty.capacity(), ready.next.capacity()), capacity);
        ready.begin_round(&mut conns);
        assert!(pop_all(&mut ready, &mut conns).len() <= capacity.0);
    }
}
