//! Operations on connections, and what follows from them: in one place, for all.

use super::Engine;
use crate::conn::{Conn, Context, Standing, Wants};
use crate::conns::Conns;
use crate::id::ConnId;
use crate::reactor::{Interest, SHORT_PAUSE};
use crate::timers::{Deadline, Moment};

/// How many deadlines are dealt with before connections have their turns (CONTRACT S20).
const EXPIRED: usize = 64;
/// There is memory again where so much can be had at once, in bytes.
const ENOUGH: usize = 64 * 1024;
/// Nobody is dropped for less, in bytes: it would not help.
const MUCH: usize = 64 * 1024;

impl Engine {
    /// Acts on a connection, and settles what follows; `None` where it is not there.
    #[inline(always)]
    pub(crate) fn with<R>(
        &mut self,
        id: ConnId,
        act: impl FnOnce(&mut Conn, &mut Context) -> R,
    ) -> Option<R> {
        let (acted, wants) = self.act(id, act)?;
        if !wants.is_none() {
            self.settle(id, wants);
        }
        Some(acted)
    }

    /// Acts on a connection. Returns what is to follow.
    #[inline(always)]
    fn act<R>(
        &mut self,
        id: ConnId,
        act: impl FnOnce(&mut Conn, &mut Context) -> R,
    ) -> Option<(R, Wants)> {
        let conn = self.conns.get_mut(id)?;
        let cx = self.cx.lend(id);
        let acted = act(conn, cx);
        if let Some(turn) = &mut cx.turn
            && turn.conn == id
        {
            turn.ways = conn.ways(&cx.config);
        }
        Some((acted, cx.wants))
    }

    /// Does what is to follow from an operation on a connection: alone registers what its socket is watched for, arms
    /// its deadlines, lists it for another turn, reports its end, and removes it.
    #[inline(never)]
    fn settle(&mut self, id: ConnId, mut wants: Wants) {
        while !wants.is_none() {
            let is_done = wants.is_end() || (self.watch_socket(id, wants) && self.arm(id, wants));
            if wants.is_turn() {
                self.ready.push_next(id, &mut self.conns);
            }
            if wants.is_flush() && self.conns.get_mut(id).is_some_and(Conn::note_dirty) {
                self.ready.push_dirty(id, &self.conns);
            }
            if wants.is_drained() {
                let conns = &self.conns;
                self.cx.pending.push_drained(id, |id| conns.has(*id));
            }
            if wants.is_end() {
                self.settle_end(id);
            }
            let rest = (!is_done).then(|| self.act(id, Conn::end)).flatten();
            wants = rest.map_or(Wants::default(), |((), wants)| wants);
        }
    }

    /// Watches a connection's socket for what is wanted. Returns whether that can be.
    fn watch_socket(&mut self, id: ConnId, wants: Wants) -> bool {
        let Some(is_blocked) = wants.is_blocked() else { return true };
        let Some(conn) = self.conns.get_mut(id) else { return true };
        let Some(fd) = conn.fd() else { return true };
        // Whose decision is put off is watched for its client's end.
        let is_reading = conn.is_reading() || conn.standing == Standing::Deferred;
        let interest = match (is_reading, is_blocked) {
            (true, true) => Interest::Both,
            (false, true) => Interest::Write,
            (_, false) => Interest::Read,
        };
        let was = std::mem::replace(&mut conn.interest, interest);
        was == interest || self.reactor.reregister(fd, id, interest).is_ok()
    }

    /// Arms the deadlines of a connection that are wanted. Returns whether there is memory for them.
    fn arm(&mut self, id: ConnId, wants: Wants) -> bool {
        if !wants.is_timed() {
            return true;
        }
        wants.deadlines().all(|kind| {
            let deadline = self.act(id, |conn, cx| conn.deadline(cx, kind));
            let deadline = deadline.and_then(|(deadline, _)| deadline);
            deadline.is_none_or(|deadline| self.timers.deadlines.push(deadline).is_ok())
        })
    }

    /// Owes the caller the end of a connection that it has accepted, or has put off, and removes another one, unless it
    /// is to be decided on, or its turn is not over.
    fn settle_end(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.standing == Standing::Accepted {
            return self.cx.pending.push_closed(id);
        }
        if self.cx.pending.opening == Some(id) {
            return;
        }
        match conn.standing {
            Standing::Deferred => conn.end_deferral(self.cx.lend(id)),
            // It is removed when the caller was told.
            Standing::Over | Standing::Accepted => {}
            Standing::Asking if self.cx.is_turn_of(id) => {}
            Standing::Asking => self.remove(id),
        }
    }

    /// Forgets what the caller was told the end of.
    pub(crate) fn forget(&mut self, told: ConnId) {
        let Some(id) = self.resolve(told) else { return };
        if self.conns.get(id).is_some_and(|conn| conn.is_accepted()) {
            return self.remove(id);
        }
        self.with(id, Conn::forget_request);
    }

    /// Frees the place of a connection that has ended.
    fn remove(&mut self, id: ConnId) {
        let mut requests = 0;
        self.act(id, |conn, cx| {
            conn.drop_queue(cx);
            conn.drop_incoming(cx);
            requests = conn.give_exchange_back(cx);
        });
        if let Some(conn) = self.conns.remove(id, requests)
            && conn.is_accepted()
        {
            self.cx.open -= 1;
            self.cx.connections.remove();
        }
    }

    /// Acts on each connection.
    pub(crate) fn each(&mut self, mut act: impl FnMut(&mut Conn, &mut Context)) {
        let mut index = 0;
        while let Some(id) = self.conns.first_from(index) {
            index = self.conns.index(id) + 1;
            self.with(id, &mut act);
        }
    }

    /// Ends the connections whose time is over, as many as may be at a time.
    #[inline(always)]
    pub(super) fn expire(&mut self) {
        if self.timers.is_stop_over(self.cx.clock.now()) {
            self.each(Conn::end);
        }
        let now = self.cx.clock.loop_time();
        for _ in 0..EXPIRED {
            let conns = &self.conns;
            let Some(due) = self.timers.deadlines.pop(now, |deadline| is_live(conns, deadline))
            else {
                return;
            };
            let later = self.with(due.conn, |conn, cx| conn.expire(cx, due)).flatten();
            if let Some(later) = later
                && self.timers.deadlines.push(later).is_err()
            {
                self.with(due.conn, Conn::end);
            }
        }
    }

    /// When the next deadline is due.
    #[inline(always)]
    pub(super) fn next_deadline(&mut self) -> Option<Moment> {
        let conns = &self.conns;
        self.timers.deadlines.tidy(conns.len(), |deadline| is_live(conns, deadline));
        self.timers.deadlines.next_at(|deadline| is_live(conns, deadline))
    }

    /// Makes room where memory could not be had, step by step until there is enough: gives back what is
    /// kept for later, drops the client that holds most, and where nobody holds much accepts nobody for a
    /// moment, after which it looks again.
    pub(super) fn shed(&mut self) {
        if has_enough() {
            return;
        }
        self.cx.drop_kept();
        if has_enough() {
            return;
        }
        let holder = self.holder();
        if let Some(id) = holder {
            self.with(id, |conn, cx| conn.drop_holder(cx, MUCH));
            self.cx.drop_kept();
        }
        if has_enough() {
            return;
        }
        let now = self.cx.clock.now();
        self.reactor.listeners.pause(now + SHORT_PAUSE);
        self.timers.shed_at(if holder.is_some() { now } else { now + SHORT_PAUSE });
    }

    /// The connection that holds most memory, if that is much.
    fn holder(&self) -> Option<ConnId> {
        let mut most = (MUCH, None);
        let mut next = self.conns.first_from(0);
        while let Some(id) = next {
            let held = self.conns.get(id).map_or(0, |conn| conn.held(&self.cx));
            let held = held + self.cx.inbox.inflations.held(id);
            if held > most.0 {
                most = (held, Some(id));
            }
            next = self.conns.first_from(self.conns.index(id) + 1);
        }
        most.1
    }
}

/// Whether a connection still does what a deadline is for.
fn is_live(conns: &Conns, deadline: &Deadline) -> bool {
    conns.get(deadline.conn).is_some_and(|conn| conn.awaits(deadline.kind))
}

/// Whether memory can be had.
fn has_enough() -> bool {
    Vec::<u8>::new().try_reserve_exact(ENOUGH).is_ok()
}
