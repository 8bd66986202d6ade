//! What comes by the clock: the deadlines of connections, ticks, the caller's timers, and the ends of times to drain and
//! to stop.

mod clock;
mod deadlines;
mod one_shots;

use std::time::Duration;

pub(crate) use clock::{Clock, Moment, nanos};
pub(crate) use deadlines::{Deadline, Deadlines, Kind};
pub(crate) use one_shots::OneShots;

/// After [`Engine::stop`](crate::Engine::stop), how long what is queued may take to be sent (CONTRACT S10).
const STOP: Duration = Duration::from_secs(2);

/// What is awaited by the clock.
pub(crate) struct Timers {
    pub(crate) deadlines: Deadlines,
    pub(crate) one_shots: OneShots,
    /// The period of the caller's ticks, and when the next one is due.
    tick: Option<(Duration, Moment)>,
    /// When room is made next, where memory lacked.
    shed_at: Option<Moment>,
    /// When clients have had long enough to leave.
    drain_expires_at: Option<Moment>,
    /// When what is queued has had long enough to be sent.
    stop_at: Option<Moment>,
    /// Which of the tick, the time to make room and the end of the time to drain comes first.
    next: Option<Moment>,
}

/// How far a server is on the way to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lifecycle {
    #[default]
    Running,
    /// The server ends when its clients have left.
    Draining,
    /// The server ends now.
    Stopping,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Tick,
    /// Room is to be made.
    Shed,
    DrainExpired,
}

impl Lifecycle {
    /// Whether the server is to end, now or when its clients have left.
    pub(crate) fn is_ending(self) -> bool {
        self != Self::Running
    }

    /// Whether the server ends now.
    pub(crate) fn is_stopping(self) -> bool {
        self == Self::Stopping
    }
}

impl Timers {
    /// Timers that await nothing yet, before which so many of the caller's were set.
    pub(crate) fn new(earlier: u64) -> Self {
        Self {
            deadlines: Deadlines::default(),
            one_shots: OneShots::new(earlier),
            tick: None,
            shed_at: None,
            drain_expires_at: None,
            stop_at: None,
            next: None,
        }
    }

    /// Awaits ticks with this period, or none.
    pub(crate) fn set_tick(&mut self, period: Option<Duration>) {
        self.tick = period.map(|period| (period, Moment::now() + period));
        self.set_next();
    }

    /// Awaits the time to make room: now, unless it is awaited already.
    pub(crate) fn shed_soon(&mut self, now: Moment) {
        self.shed_at.get_or_insert(now);
        self.set_next();
    }

    /// Awaits the time to make room again.
    pub(crate) fn shed_at(&mut self, at: Moment) {
        self.shed_at = Some(at);
        self.set_next();
    }

    /// Awaits the end of the time that clients have to leave.
    pub(crate) fn drain(&mut self, patience: Duration) {
        self.drain_expires_at = Some(Moment::now() + patience);
        self.set_next();
    }

    /// Awaits the end of the time in which what is queued is sent, and no tick any more.
    pub(crate) fn stop(&mut self) {
        self.drain_expires_at = None;
        self.stop_at = Some(Moment::now() + STOP);
        self.set_next();
    }

    /// Whether a server that ends now has had long enough to send what is queued.
    pub(crate) fn is_stop_over(&self, now: Moment) -> bool {
        self.stop_at.is_some_and(|at| at <= now)
    }

    /// The first moment for which the loop must wake, but for deadlines and the caller's timers.
    pub(crate) fn next_at(&self) -> Option<Moment> {
        earlier(self.next, self.stop_at)
    }

    fn set_next(&mut self) {
        let tick = self.tick.map(|(_, at)| at).filter(|_| self.stop_at.is_none());
        self.next = earlier(earlier(tick, self.drain_expires_at), self.shed_at);
    }

    /// What is due now, one after the other.
    pub(crate) fn poll(&mut self, now: Moment) -> Option<Due> {
        if self.next.is_none_or(|at| at > now) {
            return None;
        }
        let due = match self.tick {
            // Before a tick, which may always be due.
            _ if self.shed_at.take_if(|at| *at <= now).is_some() => Some(Due::Shed),
            _ if self.drain_expires_at.take_if(|at| *at <= now).is_some() => {
                Some(Due::DrainExpired)
            }
            Some((period, at)) if at <= now && self.stop_at.is_none() => {
                self.tick = Some((period, at.next(period, now)));
                Some(Due::Tick)
            }
            _ => None,
        };
        self.set_next();
        due
    }
}

/// The first of two, as far as they are there.
#[inline(always)]
pub(crate) fn earlier<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
