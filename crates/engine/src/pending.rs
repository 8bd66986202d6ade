//! What the caller is still to be told.

use std::collections::{TryReserveError, VecDeque};

use dorrit_proto::{Refusal, Request};

use crate::event::{Event, Told};
use crate::id::ConnId;

/// A request that was refused.
pub(crate) struct Refused {
    /// The connection that has made it.
    pub(crate) id: ConnId,
    /// The request, where it is not the one that was received last.
    pub(crate) kept: Option<Request>,
}

/// What the caller is still to be told, and to decide.
pub(crate) struct Pending {
    /// Connections whose end the caller is owed.
    closed: VecDeque<ConnId>,
    /// Connections whose queue has become empty, as the caller is to be told.
    drained: VecDeque<ConnId>,
    /// How many of those are told in this round: none of those that it adds itself.
    drained_due: usize,
    /// What else the caller is to be told.
    reports: VecDeque<Told>,
    /// The connection that is to be accepted or refused.
    pub(crate) opening: Option<ConnId>,
    /// The request of which the caller was told last that it was refused.
    pub(crate) refused: Option<Refused>,
    /// Requests that were refused before all of them had come, as the caller is still to be told, in its order.
    slow: VecDeque<Refused>,
    /// The connection whose end the caller was told last: its id is good until the next event.
    pub(crate) last_closed: Option<ConnId>,
    /// Something was written to a pipe that is watched.
    pub(crate) is_controlled: bool,
    /// The caller has asked for a call.
    pub(crate) is_call_wanted: bool,
    /// What happens between the turns of connections was not dealt with since the last look at the poll.
    pub(crate) is_looking: bool,
}

impl Pending {
    /// A list of nothing yet, with the memory that so many connections will ever need.
    pub(crate) fn new(conns: usize) -> Result<Self, TryReserveError> {
        let mut pending = Self {
            closed: VecDeque::new(),
            drained: VecDeque::new(),
            drained_due: 0,
            reports: VecDeque::new(),
            opening: None,
            refused: None,
            slow: VecDeque::new(),
            last_closed: None,
            is_controlled: false,
            is_call_wanted: false,
            is_looking: false,
        };
        // Each connection stands there once, so that they never grow.
        pending.closed.try_reserve_exact(conns)?;
        pending.drained.try_reserve_exact(conns + 1)?;
        Ok(pending)
    }

    /// Whether there is anything to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.closed.is_empty() && self.drained.is_empty()
    }

    /// Owes the caller a report. Without memory for it there is none.
    pub(crate) fn report(&mut self, event: Told) {
        if self.reports.try_reserve(1).is_ok() {
            self.reports.push_back(event);
        }
    }

    /// Owes the caller the news that a request was refused, with what was kept of it. Without memory for that it is told
    /// without it.
    pub(crate) fn report_refused(&mut self, id: ConnId, refusal: Refusal, kept: Option<Request>) {
        if kept.is_some() && self.slow.try_reserve(1).is_ok() {
            self.slow.push_back(Refused { id, kept });
        }
        self.report(Event::Refused(id, refusal));
    }

    pub(crate) fn next_report(&mut self) -> Option<Told> {
        let report = self.reports.pop_front()?;
        if let Event::Refused(id, _) = report
            && self.slow.front().is_some_and(|refused| refused.id == id)
        {
            self.refused = self.slow.pop_front();
        }
        Some(report)
    }

    /// Owes the caller the end of a connection.
    pub(crate) fn push_closed(&mut self, id: ConnId) {
        self.closed.push_back(id);
    }

    /// The next connection whose end is told, which is gone when the next event is.
    pub(crate) fn next_closed(&mut self) -> Option<ConnId> {
        self.last_closed = Some(self.closed.pop_front()?);
        self.last_closed
    }

    /// Owes the caller the news that a connection's queue is empty. Those of which `is_there` is not true have
    /// ended, and leave their places when these are needed.
    pub(crate) fn push_drained(&mut self, id: ConnId, is_there: impl Fn(&ConnId) -> bool) {
        if self.drained.len() == self.drained.capacity() {
            self.drained.retain(is_there);
        }
        self.drained.push_back(id);
    }

    /// The next connection of which it is told. Once a round: who sends more each time, or asks again, must not keep
    /// the others waiting.
    pub(crate) fn next_drained(&mut self) -> Option<ConnId> {
        self.drained_due = self.drained_due.checked_sub(1)?;
        self.drained.pop_front()
    }

    /// Begins a round: what happens between the turns of connections is to be dealt with.
    pub(crate) fn begin_round(&mut self) {
        self.is_looking = true;
        self.drained_due = self.drained.len();
    }
}
