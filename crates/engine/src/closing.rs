//! The beginnings and ends of connections: the caller's, the client's, by the clock, and all of them.

use std::time::Duration;

use dorrit_proto::{CloseCode, OpCode, Refusal, Request, Violation, encode_accept};

use crate::ConnId;
use crate::clock::Moment;
use crate::conn::{Phase, Then};
use crate::deadlines::{Deadline, Kind};
use crate::engine::{Engine, STOP};
use crate::event::{DropCause, Event, OutOfMemory};
use crate::table::Table;

/// How a connection that is open is ended.
pub(crate) struct Ending<'a> {
    /// What follows when all is sent.
    pub(crate) then: Then,
    /// Of the close frame.
    pub(crate) code: Option<CloseCode>,
    pub(crate) reason: &'a str,
    pub(crate) deadline: Kind,
}

/// How many deadlines are dealt with before connections have their turns (CONTRACT S20).
const EXPIRED: usize = 64;
/// After so long a connection whose time is over, and which waits for its turn, is looked at again.
pub(crate) const LOOK: Duration = Duration::from_millis(10);
/// In the mark of a deadline for which nothing counts that moves: it was due before, and the connection waited for
/// its turn.
const LOOKED_AT: u64 = 1 << 63;
/// The longest reason of a close frame, in bytes (RFC 6455 5.5).
const MAX_REASON: usize = 123;

impl Engine {
    /// The request of the connection that [`Event::Opened`] told last, until it is accepted or refused.
    pub fn request(&self, id: ConnId) -> Option<&Request> {
        (self.opening == Some(id)).then_some(&self.request)
    }

    /// Accepts the connection that [`Event::Opened`] told, with a sub-protocol where one of those was
    /// chosen that [`Engine::request`] offers.
    pub fn accept(&mut self, id: ConnId, protocol: Option<&[u8]>) {
        if self.opening != Some(id) {
            return;
        }
        self.opening = None;
        self.drop_response(id);
        let Some(conn) = self.table.get_mut(id) else { return };
        // From here on the caller is owed its end, also where the answer cannot be sent (CONTRACT S5).
        conn.is_accepted = true;
        self.open += 1;
        self.stats.accepted += 1;
        if self.answer(id, protocol).is_err() {
            return self.kill(id);
        }
        let Some(conn) = self.table.get_mut(id) else { return };
        match conn.phase {
            Phase::Opening => {
                conn.phase = Phase::Open;
                self.watch_idle(id);
                if self.stop_at.is_some() {
                    self.close(id, CloseCode::SERVICE_RESTART, "");
                }
            }
            Phase::Dead => self.closed.push_back(id),
            _ => {}
        }
    }

    fn answer(&mut self, id: ConnId, protocol: Option<&[u8]>) -> Result<(), OutOfMemory> {
        let Some(conn) = self.table.get_mut(id) else { return Ok(()) };
        if conn.phase == Phase::Dead {
            return Ok(());
        }
        let mut answer = Vec::new();
        answer.try_reserve_exact(512 + protocol.map_or(0, <[u8]>::len))?;
        encode_accept(self.request.key(), protocol, conn.deflate, &mut answer);
        self.queue_answer(id, answer)
    }

    /// Answers a request without a connection. Nothing that was sent before goes out.
    pub fn refuse(&mut self, id: ConnId, refusal: Refusal) {
        self.opening = self.opening.filter(|opening| *opening != id);
        let Some(conn) = self.table.get_mut(id).filter(|conn| !conn.is_accepted) else { return };
        self.stats.refuse(refusal);
        if conn.phase == Phase::Dead {
            return self.retire(id);
        }
        conn.phase = Phase::Flushing(Then::Discard);
        self.drop_response(id);
        self.drop_queue(id);
        if self.is_turn_of(id) {
            self.output.clear();
        }
        let answer = refusal.encode().map_err(OutOfMemory::from);
        if answer.and_then(|answer| self.queue_answer(id, answer)).is_err() {
            return self.kill(id);
        }
        self.set_deadline(id, Kind::Flush, Kind::CLOSE);
    }

    /// Closes a connection when its queue is sent, with this code and reason, of which 123 bytes are
    /// sent at most. Nothing more is read from it.
    pub fn close(&mut self, id: ConnId, code: CloseCode, reason: &str) {
        if self.table.get(id).is_some_and(|conn| conn.is_mute) {
            return self.kill(id);
        }
        let then = Then::AwaitClose;
        self.end(id, Ending { then, code: Some(code), reason, deadline: Kind::Drain });
    }

    /// Closes a connection now, and throws its queue away.
    pub fn close_now(&mut self, id: ConnId) {
        self.drop_queue(id);
        self.kill(id);
    }

    /// The code of the close frame that ended this connection, the peer's or ours, whichever came first;
    /// [`CloseCode::NO_STATUS`] where it had none, [`CloseCode::ABNORMAL`] where there was none.
    pub fn close_code(&self, id: ConnId) -> CloseCode {
        self.table.get(id).map_or(CloseCode::ABNORMAL, |conn| conn.close_code)
    }

    /// Drops a client that broke the protocol (CONTRACT S8).
    pub(crate) fn fail(&mut self, id: ConnId, violation: Violation) {
        if self.phase(id) == Phase::AwaitingClose {
            // Where its next frame starts is not known any more, and our close frame is out.
            return self.set_phase(id, Phase::Flushing(Then::Discard));
        }
        let code = Some(violation.close_code());
        let (then, reason) = (Then::Discard, violation.reason());
        self.end(id, Ending { then, code, reason, deadline: Kind::Flush });
    }

    /// Answers a client's close frame with its own code (RFC 6455 5.5.1), unless it is an answer itself.
    pub(crate) fn answer_close(&mut self, id: ConnId, code: Option<CloseCode>) {
        if self.phase(id) == Phase::AwaitingClose {
            return self.kill(id);
        }
        self.end(id, Ending { then: Then::Close, code, reason: "", deadline: Kind::Flush });
    }

    /// Queues a close frame as the last one of a connection that is open.
    pub(crate) fn end(&mut self, id: ConnId, ending: Ending<'_>) {
        let Ending { then, code, reason, deadline } = ending;
        if !matches!(self.phase(id), Phase::Open | Phase::Opening) {
            return;
        }
        let mut payload = [0; 2 + MAX_REASON];
        let mut len = 0;
        if let Some(code) = code {
            let end = (0..=MAX_REASON).rev().find(|&end| reason.is_char_boundary(end));
            let reason = &reason.as_bytes()[..end.unwrap_or(0)];
            len = 2 + reason.len();
            payload[..2].copy_from_slice(&code.number().to_be_bytes());
            payload[2..len].copy_from_slice(reason);
        }
        if self.queue_control(id, OpCode::Close, &payload[..len]).is_err() {
            return self.kill(id);
        }
        if let Some(conn) = self.table.get_mut(id) {
            conn.phase = Phase::Flushing(then);
            conn.close_code = code.unwrap_or(CloseCode::NO_STATUS);
        }
        let after = if deadline == Kind::Drain { Kind::DRAIN } else { Kind::CLOSE };
        self.set_deadline(id, deadline, after);
    }

    /// Closes a connection for its client. The caller learns of it by an event of its own.
    pub(crate) fn kill(&mut self, id: ConnId) {
        let is_turn = self.is_turn_of(id);
        let Some(conn) = self.table.get_mut(id).filter(|conn| conn.phase != Phase::Dead) else {
            return;
        };
        conn.phase = Phase::Dead;
        conn.socket = None;
        let is_accepted = conn.is_accepted;
        self.drop_start(id);
        self.drop_response(id);
        self.drop_inflation(id);
        if is_turn {
            self.output.clear();
        }
        if is_accepted {
            self.closed.push_back(id);
        } else if self.opening != Some(id) {
            self.retire(id);
        }
    }

    /// Leaves the listening sockets to others who have them: accepts nothing more, and serves those who
    /// are there until [`Event::Stopped`] says that they have left, or [`Event::Overdue`] that `patience`
    /// is over.
    pub fn wind_down(&mut self, patience: Duration) {
        if self.is_ending() {
            return;
        }
        self.share_listeners();
        self.unlisten();
        self.is_winding_down = true;
        self.overdue_at = Some(Moment::now() + patience);
        self.set_timer();
    }

    /// Ends the server: accepts nothing more, and tells every client so with this code (CONTRACT S10),
    /// with [`CloseCode::SERVICE_RESTART`] also those whose request comes within that time.
    /// The loop goes on until [`Event::Stopped`].
    pub fn stop(&mut self, code: CloseCode) {
        if self.stop_at.is_some() {
            return;
        }
        let is_restart = code == CloseCode::SERVICE_RESTART;
        self.unlisten();
        self.overdue_at = None;
        self.stop_at = Some(Moment::now() + STOP);
        self.set_timer();
        self.each(|engine, id| match engine.phase(id) {
            Phase::Open => engine.close(id, code, ""),
            // No connect is lost to a restart: who has not asked yet may, and is told then.
            Phase::Handshake if is_restart && !engine.has_asked(id) => {}
            Phase::Handshake => engine.kill(id),
            _ => {}
        });
    }

    /// Whether the server is to end, now or when its clients have left.
    pub(crate) fn is_ending(&self) -> bool {
        self.stop_at.is_some() || self.is_winding_down
    }

    /// Whether an answer to an earlier request was sent on this connection.
    fn has_asked(&self, id: ConnId) -> bool {
        self.table.get(id).is_some_and(|conn| conn.response.is_some())
    }

    fn each(&mut self, mut act: impl FnMut(&mut Self, ConnId)) {
        let mut index = 0;
        while let Some(id) = self.table.first_from(index) {
            index = id.index() + 1;
            act(self, id);
        }
    }

    /// Sets a deadline for a connection, so long from now (CONTRACT S21); without memory for one, now is the
    /// time.
    pub(crate) fn set_deadline(&mut self, id: ConnId, kind: Kind, after: Duration) {
        let (at, mark) = (self.clock.deadline(after), self.mark(id, kind));
        let deadline = Deadline { at, kind, conn: id, mark };
        if self.deadlines.push(deadline).is_err() {
            self.kill(id);
        }
    }

    /// What a connection has reached of what a deadline is for.
    fn mark(&self, id: ConnId, kind: Kind) -> u64 {
        match kind {
            Kind::Drain | Kind::Hold => self.unsent_bytes(id) as u64,
            _ => self.table.get(id).map_or(0, |conn| conn.heard_at),
        }
    }

    /// Asks the client for a sign of life when it has been silent for so long.
    fn watch_idle(&mut self, id: ConnId) {
        let Some(keepalive) = self.config.keepalive else { return };
        self.clock.refresh();
        let silent = self.clock.loop_time().nanos().saturating_sub(self.mark(id, Kind::Idle));
        let left = keepalive.idle.saturating_sub(Duration::from_nanos(silent));
        self.set_deadline(id, Kind::Idle, left);
    }

    /// Ends the connections whose time is over, as many as may be at a time.
    pub(crate) fn expire(&mut self) {
        if self.stop_at.is_some_and(|at| at <= self.clock.now()) {
            self.each(Self::kill);
        }
        let now = self.clock.loop_time();
        for _ in 0..EXPIRED {
            let Some(due) = self.deadlines.pop(now, |deadline| deadline.is_live(&self.table))
            else {
                return;
            };
            self.expire_one(due);
        }
    }

    fn expire_one(&mut self, due: Deadline) {
        let id = due.conn;
        let has_moved = self.mark(id, due.kind) != due.mark;
        match due.kind {
            Kind::Drain if has_moved => self.set_deadline(id, due.kind, Kind::DRAIN),
            Kind::Idle | Kind::Pong if self.is_held(id) => self.hear_of(id),
            Kind::Idle | Kind::Pong if has_moved => self.watch_idle(id),
            Kind::Hold if has_moved => self.watch_hold(id),
            Kind::Idle => self.ask(id),
            Kind::Retry => self.resume(id),
            Kind::Page => self.expire_page(id, due),
            _ if self.waits_for_turn(due) => {}
            Kind::Handshake => self.refuse_slow(id),
            Kind::Flush | Kind::Close | Kind::Drain => self.kill(id),
            Kind::Hold => self.stop_holding(id),
            Kind::Pong => {
                self.stats.dropped_silent += 1;
                self.report(Event::Dropped(id, DropCause::Silent));
                self.kill(id);
            }
        }
    }

    /// Whether a connection whose time is over waits for its turn, in which that what its client has done is
    /// noticed: then it is looked at again after that (CONTRACT S21). One that was read since then has had it,
    /// however much more it sends.
    fn waits_for_turn(&mut self, due: Deadline) -> bool {
        let Some(conn) = self.table.get(due.conn) else { return false };
        let mark = match due.kind {
            Kind::Handshake | Kind::Flush | Kind::Close => LOOKED_AT | conn.heard_at,
            _ => due.mark,
        };
        let has_had_turn = due.mark & LOOKED_AT != 0 && due.mark != mark;
        if !conn.listed.is_any() || has_had_turn {
            return false;
        }
        let at = self.clock.deadline(LOOK);
        self.deadlines.push(Deadline { at, mark, ..due }).is_ok()
    }

    /// Counts a client as heard, whose input waits for us.
    fn hear_of(&mut self, id: ConnId) {
        self.clock.refresh();
        let now = self.clock.loop_time().nanos();
        if let Some(conn) = self.table.get_mut(id) {
            conn.heard_at = now;
        }
        self.watch_idle(id);
    }

    /// Has the loop try again soon what the system had no memory for.
    pub(crate) fn retry(&mut self, id: ConnId) {
        self.set_deadline(id, Kind::Retry, Kind::RETRY);
    }

    /// Refuses a client whose request is not complete in time (CONTRACT S17).
    pub(crate) fn refuse_slow(&mut self, id: ConnId) {
        self.refuse(id, Refusal::TooSlow);
        self.report(Event::Refused(id, Refusal::TooSlow));
    }

    /// Sends a ping to a client that has been silent.
    fn ask(&mut self, id: ConnId) {
        let Some(keepalive) = self.config.keepalive else { return };
        // Without memory for the ping the client is cut off unless it speaks by itself.
        let _ = self.queue_control(id, OpCode::Ping, b"");
        self.set_deadline(id, Kind::Pong, keepalive.timeout);
    }
}

impl Deadline {
    /// Whether the connection still does what the deadline is for.
    pub(crate) fn is_live(&self, table: &Table) -> bool {
        let Some(conn) = table.get(self.conn) else { return false };
        match (self.kind, conn.phase) {
            (Kind::Handshake, phase) => phase == Phase::Handshake && conn.response.is_none(),
            (Kind::Page, _) => conn.response.is_some(),
            (Kind::Drain, phase) => phase == Phase::Flushing(Then::AwaitClose),
            (Kind::Flush, phase) => {
                matches!(phase, Phase::Flushing(Then::Discard | Then::Close))
            }
            (Kind::Close, phase) => matches!(phase, Phase::AwaitingClose | Phase::Discarding),
            (Kind::Idle | Kind::Pong, phase) => phase == Phase::Open,
            (Kind::Hold, phase) => phase == Phase::Open && conn.is_hold_watched,
            (Kind::Retry, phase) => phase != Phase::Dead,
        }
    }
}
