//! The deadlines of a connection.

use std::time::Duration;

use dorrit_proto::Refusal;

use super::{Conn, Context, Phase, Standing, Then};
use crate::event::{DropCause, Event};
use crate::timers::{Deadline, Kind};

/// After so long a connection whose time is over, and which waits for its turn, is looked at again.
pub(super) const LOOK: Duration = Duration::from_millis(10);
/// In the mark of a deadline for which nothing counts that moves: it was due before, and the connection waited for
/// its turn.
const LOOKED_AT: u64 = 1 << 63;

impl Conn {
    /// Whether a connection still does what a deadline of this kind is for.
    pub(crate) fn awaits(&self, kind: Kind) -> bool {
        match (kind, self.phase) {
            (Kind::Handshake, phase) => {
                matches!(phase, Phase::Proxied | Phase::Handshake) && self.exchange.is_none()
            }
            (Kind::Page, phase) => {
                let has_requests = self.exchange.is_some();
                // While it is decided on a request the deadline is none, but it is there.
                let is_under_way = matches!(phase, Phase::Handshake | Phase::Body | Phase::Opening);
                has_requests && (is_under_way || phase == Phase::Flushing(Then::Respond))
            }
            (Kind::Decision, _) => self.standing == Standing::Deferred,
            (Kind::Drain, phase) => phase == Phase::Flushing(Then::AwaitClose),
            (Kind::Flush, phase) => {
                matches!(phase, Phase::Flushing(Then::Discard | Then::Close))
            }
            (Kind::Close, phase) => matches!(phase, Phase::AwaitingClose | Phase::Discarding),
            (Kind::Idle | Kind::Pong, _) => self.is_open(),
            (Kind::Hold, _) => self.is_open() && self.is_hold_watched,
            (Kind::Retry, phase) => phase != Phase::Ended,
        }
    }

    /// A connection's deadline of this kind, reckoned from now (CONTRACT S21).
    pub(crate) fn deadline(&self, cx: &mut Context, kind: Kind) -> Option<Deadline> {
        let mark = self.mark(cx, kind);
        let at = match kind {
            Kind::Handshake => cx.clock.deadline(Kind::HANDSHAKE),
            Kind::Page => cx.exchanges[self.exchange?].watched?,
            Kind::Flush | Kind::Close => cx.clock.deadline(Kind::CLOSE),
            Kind::Drain => cx.clock.deadline(Kind::DRAIN),
            Kind::Hold => cx.clock.deadline(Kind::HOLD),
            Kind::Retry => cx.clock.deadline(Kind::RETRY),
            Kind::Idle => {
                let idle = cx.config.keepalive?.idle;
                cx.clock.refresh();
                let silent = cx.clock.loop_time().nanos().saturating_sub(mark);
                cx.clock.deadline(idle.saturating_sub(Duration::from_nanos(silent)))
            }
            Kind::Pong => cx.clock.deadline(cx.config.keepalive?.timeout),
            Kind::Decision => cx.clock.deadline(cx.config.decision_timeout),
        };
        Some(Deadline { at, kind, conn: cx.id, mark })
    }

    /// What a connection has reached of what a deadline is for.
    fn mark(&self, cx: &Context, kind: Kind) -> u64 {
        match kind {
            Kind::Drain | Kind::Hold => self.unsent_bytes(cx) as u64,
            Kind::Page => 0,
            // An upgrade makes no plain request: it is another one than the last of those.
            Kind::Decision => u64::from(self.requests(cx)) << 1 | u64::from(self.is_plain(cx)),
            _ => self.received_at,
        }
    }

    /// Has the client asked for a sign of life when it has been silent for long.
    pub(super) fn watch_idle(&mut self, cx: &mut Context) {
        cx.wants.deadline(Kind::Idle);
    }

    /// Does what follows where a connection's time is over. Returns a deadline that takes the place of this one.
    pub(crate) fn expire(&mut self, cx: &mut Context, due: Deadline) -> Option<Deadline> {
        let has_moved = self.mark(cx, due.kind) != due.mark;
        match due.kind {
            Kind::Drain if has_moved => cx.wants.deadline(due.kind),
            Kind::Idle | Kind::Pong if self.phase == Phase::Paused || self.is_held(cx) => {
                // Its input waits for us.
                cx.clock.refresh();
                self.received_at = cx.clock.loop_time().nanos();
                self.watch_idle(cx);
            }
            Kind::Idle | Kind::Pong if has_moved => self.watch_idle(cx),
            Kind::Hold if has_moved => self.watch_hold(cx),
            Kind::Idle => self.ask(cx),
            Kind::Retry => self.resume(cx),
            Kind::Page => self.expire_page(cx, due),
            // That is the deadline of an earlier request.
            Kind::Decision if has_moved => {}
            Kind::Decision => cx.pending.report(Event::Overdue(self.public_id(cx))),
            _ => match self.wait_for_turn(cx, due) {
                Some(later) => return Some(later),
                None => self.expire_now(cx, due.kind),
            },
        }
        None
    }

    fn expire_now(&mut self, cx: &mut Context, kind: Kind) {
        match kind {
            Kind::Handshake => self.refuse_and_report(cx, Refusal::TooSlow),
            Kind::Hold => self.stop_holding(cx),
            Kind::Pong => {
                cx.stats.dropped_silent += 1;
                cx.pending.report(Event::Dropped(cx.id, DropCause::Silent));
                self.end(cx);
            }
            _ => self.end(cx),
        }
    }

    /// When a connection whose time is over is looked at again, because it waits for its turn, in which that what its
    /// client has done is noticed (CONTRACT S21). One that was read since then has had it, however much more it sends.
    fn wait_for_turn(&self, cx: &mut Context, due: Deadline) -> Option<Deadline> {
        let mark = match due.kind {
            Kind::Handshake | Kind::Flush | Kind::Close => LOOKED_AT | self.received_at,
            _ => due.mark,
        };
        let has_had_turn = due.mark & LOOKED_AT != 0 && due.mark != mark;
        if !self.listed.is_any() || has_had_turn {
            return None;
        }
        Some(Deadline { at: cx.clock.deadline(LOOK), mark, ..due })
    }

    /// Sends a ping to a client that has been silent.
    fn ask(&mut self, cx: &mut Context) {
        // Without memory for the ping the client is cut off unless it speaks by itself.
        let _ = self.queue_control(cx, dorrit_proto::OpCode::Ping, b"");
        cx.wants.deadline(Kind::Pong);
    }
}
