//! What the loop's caller waits for besides its clients: ticks, and the ends of times to drain.

use std::time::Duration;

use crate::clock::Moment;
use crate::engine::Engine;
use crate::event::{Event, Told};

impl Engine {
    /// Asks for [`Event::Tick`] each time this long after the last one was due; those that come too late
    /// for the next one are left out. `None` ends that.
    pub fn set_tick(&mut self, period: Option<Duration>) {
        self.tick = period.map(|period| (period, Moment::now() + period));
        self.set_timer();
    }

    pub(crate) fn set_timer(&mut self) {
        let tick = self.tick.map(|(_, at)| at).filter(|_| self.stop_at.is_none());
        self.timer = [tick, self.overdue_at, self.shed_at].into_iter().flatten().min();
    }

    pub(crate) fn next_timer(&mut self) -> Option<Told> {
        let now = self.clock.now();
        let event = match self.tick {
            // Before a tick, which may always be due.
            _ if self.shed_at.take_if(|at| *at <= now).is_some() => {
                self.shed();
                Some(Event::ShortOfMemory)
            }
            _ if self.overdue_at.take_if(|at| *at <= now).is_some() => Some(Event::Overdue),
            Some((period, at)) if at <= now && self.stop_at.is_none() => {
                self.tick = Some((period, next_tick(period, at, now)));
                Some(Event::Tick)
            }
            _ => None,
        };
        self.set_timer();
        event
    }
}

/// When a tick is due again that was due `at`: those that come too late for the next one are left out
/// (CONTRACT S21).
fn next_tick(period: Duration, at: Moment, now: Moment) -> Moment {
    let late = now.since(at).as_nanos();
    let next = (late / period.as_nanos().max(1) + 1).saturating_mul(period.as_nanos().max(1));
    at + Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CONTRACT S21: a period counts from the moment at which its last call was due.
    #[test]
    fn ticks() {
        let start = Moment::now();
        let at = |millis| start + Duration::from_millis(millis);
        let next = |due, now| next_tick(Duration::from_millis(100), at(due), at(now));
        for (due, now, expected) in [
            (100, 100, 200),
            (100, 199, 200),
            (100, 200, 300),
            (100, 250, 300),
            (100, 1_099, 1_100),
            (100, 1_000_000_000, 1_000_000_100),
        ] {
            assert_eq!(next(due, now), at(expected), "due {due}, told {now}");
        }
        assert!(next_tick(Duration::ZERO, start, at(5)) > at(5));
        assert!(next_tick(Duration::MAX, start, at(5)) > at(1_000_000_000));
    }
}
