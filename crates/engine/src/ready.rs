//! Whose turn is next.

use std::collections::{TryReserveError, VecDeque};

use crate::conn::{Conn, Listed};
use crate::conns::Conns;
use crate::id::ConnId;
use crate::reactor::{EVENTS, Notice};

/// The connections that wait for a turn. Each stands in each list once, so that they never grow.
pub(crate) struct Ready {
    /// What the poll has told last, of connections whose turn comes first in this round, and which note it then.
    told: Vec<(ConnId, Notice)>,
    /// How many of those have had their turn.
    taken: usize,
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
        let mut ready = Self {
            told: Vec::new(),
            taken: 0,
            now: VecDeque::new(),
            dirty: Vec::new(),
            next: Vec::new(),
        };
        ready.told.try_reserve_exact(EVENTS)?;
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
        self.taken == self.told.len() && self.now.is_empty() && self.dirty.is_empty()
    }

    /// Gives a connection of which the poll tells a turn in the round that begins. What it has told before must have
    /// been noted, so that the list never grows.
    #[inline(always)]
    pub(crate) fn push_told(&mut self, id: ConnId, notice: Notice) {
        self.told.push((id, notice));
    }

    /// Ends the round: those of whom the poll has told, and who had no turn in it, note what it has told, and keep
    /// their places in the next one.
    #[inline(always)]
    pub(crate) fn end_round(&mut self, conns: &mut Conns) {
        if self.taken < self.told.len() {
            self.note_rest(conns, |listed| listed.enter(Listed::NOW));
        }
        self.told.clear();
        self.taken = 0;
    }

    /// Has the connections note what the poll has told of them since the last round: before it tells more, and before
    /// a deadline is judged (CONTRACT S21).
    #[inline(never)]
    pub(crate) fn note_told(&mut self, conns: &mut Conns) {
        self.note_rest(conns, Listed::enter_now);
        self.told.clear();
        self.taken = 0;
    }

    #[inline(never)]
    fn note_rest(&mut self, conns: &mut Conns, enter: fn(&mut Listed) -> bool) {
        while let Some(&(id, notice)) = self.told.get(self.taken) {
            self.taken += 1;
            if let Some(conn) = conns.get_mut(id) {
                conn.note(notice);
                if enter(&mut conn.listed) {
                    self.push_listed(id, conns);
                }
            }
        }
    }

    /// Gives a connection that has noted that it stands in [`Listed::NOW`] a turn in this round, at its end.
    fn push_listed(&mut self, id: ConnId, conns: &Conns) {
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

    /// The connection whose turn it is, which must note that it has left [`Listed::NOW`], and what the poll has told
    /// of it.
    pub(crate) fn pop(&mut self, conns: &mut Conns) -> Option<(ConnId, Notice)> {
        if let Some(&told) = self.told.get(self.taken) {
            self.taken += 1;
            return Some(told);
        }
        if self.now.is_empty() && !self.dirty.is_empty() {
            self.take_dirty(conns);
        }
        self.now.pop_front().map(|id| (id, Notice::default()))
    }

    /// Begins the next round. Who is in this one still comes first, then those of whom the poll has told.
    #[inline(always)]
    pub(crate) fn begin_round(&mut self, conns: &mut Conns) {
        if !(self.now.is_empty() && self.dirty.is_empty() && self.next.is_empty()) {
            self.join_round(conns);
        }
    }

    /// Begins a round for which others than those of whom the poll has told wait: each has one turn in it.
    #[inline(never)]
    fn join_round(&mut self, conns: &mut Conns) {
        self.note_told(conns);
        self.take_dirty(conns);
        let mut next = std::mem::take(&mut self.next);
        self.take(&mut next, Listed::NEXT, conns, |_| {});
        self.next = next;
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
    use crate::reactor::Announced;

    fn pop_all(ready: &mut Ready, conns: &mut Conns) -> Vec<ConnId> {
        let pop = || {
            let (id, notice) = ready.pop(conns)?;
            if let Some(conn) = conns.get_mut(id) {
                conn.note(notice);
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

    fn tell(ready: &mut Ready, ids: &[ConnId], notice: Notice) {
        ids.iter().for_each(|id| ready.push_told(*id, notice));
    }

    const READABLE: Notice =
        Notice { can_read: true, can_write: false, announced: Announced::Nothing };
    const WRITABLE: Notice =
        Notice { can_read: false, can_write: true, announced: Announced::Nothing };

    /// CONTRACT S20: who is told of comes behind those who wait, and before those who have had a turn since.
    #[test]
    fn who_is_told_of_has_one_turn_in_its_place() {
        let mut conns = Conns::new(0, NonZeroU32::MIN, 5).unwrap();
        let mut ready = Ready::new(5).unwrap();
        let [a, b, c, d, e] = [(); 5].map(|()| conns.insert(conn()).unwrap());
        tell(&mut ready, &[b, a], READABLE);
        ready.begin_round(&mut conns);
        assert!(!ready.is_round_over());
        assert_eq!(pop_all(&mut ready, &mut conns), [b, a]);
        assert!(ready.is_round_over() && ready.is_next_empty());
        assert!(conns.get(a).unwrap().can_read && !conns.get(a).unwrap().can_write);

        push(&mut ready, a, &mut conns);
        push_dirty(&mut ready, b, &mut conns);
        ready.push_next(c, &mut conns);
        ready.end_round(&mut conns);
        tell(&mut ready, &[d, c, b, a, e], READABLE);
        ready.begin_round(&mut conns);
        assert_eq!(pop_all(&mut ready, &mut conns), [a, d, b, e, c]);
        assert!(ready.is_round_over() && ready.is_next_empty());
    }

    /// A connection that is told of again before its turn has one turn, in the place that it had, and knows both. What
    /// was told of one that has ended concerns nobody.
    #[test]
    fn told_of_twice() {
        let mut conns = Conns::new(0, NonZeroU32::MIN, 3).unwrap();
        let mut ready = Ready::new(3).unwrap();
        let [a, b, c] = [(); 3].map(|()| conns.insert(conn()).unwrap());
        tell(&mut ready, &[a, b, c], READABLE);
        ready.begin_round(&mut conns);
        assert_eq!(ready.pop(&mut conns), Some((a, READABLE)));
        conns.remove(b, 0);
        let in_its_place = conns.insert(conn()).unwrap();
        ready.push_next(c, &mut conns);
        ready.end_round(&mut conns);
        tell(&mut ready, &[a, c], WRITABLE);
        ready.begin_round(&mut conns);
        assert_eq!(pop_all(&mut ready, &mut conns), [c, a]);
        let told = |id| conns.get(id).map(|conn| (conn.can_read, conn.can_write));
        assert_eq!((told(c), told(in_its_place)), (Some((true, true)), Some((false, false))));

        ready.end_round(&mut conns);
        for notice in [READABLE, WRITABLE] {
            tell(&mut ready, &[c, a], notice);
            ready.note_told(&mut conns);
        }
        assert_eq!(pop_all(&mut ready, &mut conns), [c, a]);
    }

    /// Connections that have ended leave their places when these are needed.
    #[test]
    fn the_lists_never_grow() {
        let mut conns = Conns::new(0, NonZeroU32::MIN, 1).unwrap();
        let mut ready = Ready::new(1).unwrap();
        let capacities = |ready: &Ready| {
            let Ready { told, now, dirty, next, .. } = ready;
            [told.capacity(), now.capacity(), dirty.capacity(), next.capacity()]
        };
        let before = capacities(&ready);
        for _ in 0..100 {
            let id = conns.insert(conn()).unwrap();
            push(&mut ready, id, &mut conns);
            push_dirty(&mut ready, id, &mut conns);
            ready.push_next(id, &mut conns);
            ready.end_round(&mut conns);
            (0..EVENTS).for_each(|_| ready.push_told(id, READABLE));
            conns.remove(id, 0);
        }
        ready.begin_round(&mut conns);
        assert_eq!(capacities(&ready), before);
        assert!(pop_all(&mut ready, &mut conns).len() <= before[1]);
    }
}
