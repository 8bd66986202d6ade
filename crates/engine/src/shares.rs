//! Whose share of a round comes next.

/// Who has a share of each round. Where one of them uses up the time until the next look at the poll (CONTRACT S20), the
/// next round begins with the one that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// The caller's timers that are due.
    Timers,
    /// The caller's descriptors that are ready.
    Watches,
    /// The calls that the caller has asked for.
    Calls,
    /// The turns of connections.
    Turns,
}

/// How many timers, and how many calls, are told in a round (CONTRACT S20).
const TOLD: u32 = 64;

/// The shares of a round.
#[derive(Debug)]
pub(crate) struct Shares {
    /// The caller may have timers, descriptors or calls to be told of, now or later.
    pub(crate) is_used: bool,
    /// There is such a thing to be told in this round.
    pub(crate) is_asked: bool,
    /// A connection had a turn in this round.
    pub(crate) has_turned: bool,
    /// The one that comes next, or that has begun.
    next: Share,
    /// How many there are left in this round, that one included.
    left: u8,
    /// How much was told in it.
    told: u32,
}

impl Share {
    fn following(self) -> Self {
        match self {
            Self::Timers => Self::Watches,
            Self::Watches => Self::Calls,
            Self::Calls => Self::Turns,
            Self::Turns => Self::Timers,
        }
    }
}

impl Shares {
    /// Those of no round yet.
    pub(crate) fn new() -> Self {
        Self {
            is_used: false,
            is_asked: false,
            has_turned: false,
            next: Share::Timers,
            left: 0,
            told: 0,
        }
    }

    /// Begins a round.
    pub(crate) fn begin_round(&mut self, is_asked: bool) {
        (self.is_asked, self.has_turned, self.left, self.told) = (is_asked, false, 4, 0);
    }

    /// Whose share it is; `None` where all had theirs.
    pub(crate) fn current(&self) -> Option<Share> {
        (self.left > 0).then_some(self.next)
    }

    /// Counts what is told in the share that has begun. Returns whether it may be.
    pub(crate) fn count(&mut self) -> bool {
        let most = if self.next == Share::Watches { u32::MAX } else { TOLD };
        let may_tell = self.told < most;
        self.told += u32::from(may_tell);
        may_tell
    }

    /// Ends the share that has begun, or that nobody needs.
    pub(crate) fn end(&mut self) {
        (self.next, self.told) = (self.next.following(), 0);
        self.left = self.left.saturating_sub(1);
    }

    /// Ends the round, as it is time for a look at the poll. A share that has not begun comes first in the next one.
    pub(crate) fn end_round(&mut self) {
        let has_begun = if self.next == Share::Turns { self.has_turned } else { self.told > 0 };
        if self.left > 0 && has_begun {
            self.end();
        }
        (self.is_asked, self.left) = (false, 0);
    }
}
