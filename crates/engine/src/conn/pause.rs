//! Holding a client back: what comes from it waits, in its socket.

use super::{Conn, Context, Phase};

impl Conn {
    /// Has what comes from the client wait, and what was read of it already. Returns whether that is so.
    pub(crate) fn pause(&mut self) -> bool {
        if self.phase == Phase::Open {
            self.phase = Phase::Paused;
        }
        self.phase == Phase::Paused
    }

    /// Goes on with what comes from the client. It is not taken for one that was silent.
    pub(crate) fn unpause(&mut self, cx: &mut Context) -> bool {
        if self.phase == Phase::Paused {
            self.phase = Phase::Open;
            cx.clock.refresh();
            self.received_at = cx.clock.loop_time().nanos();
            self.resume(cx);
        }
        self.phase == Phase::Open
    }
}
