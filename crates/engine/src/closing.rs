//! The ends of connections: the caller's, the client's, by the clock, and all of them.

use std::time::Instant;

use dorrit_proto::{CloseCode, OpCode, Refusal, Violation, encode_accept};

use crate::ConnId;
use crate::conn::{Phase, Then};
use crate::deadlines::{Deadline, Kind};
use crate::engine::{Engine, OutOfMemory, STOP};
use crate::table::Table;

impl Engine {
    /// Accepts the connection that [`Event::Opened`](crate::Event::Opened) told, with a sub-protocol
    /// where one of those was chosen that [`Engine::request`] offers.
    pub fn accept(&mut self, id: ConnId, protocol: Option<&[u8]>) {
        if self.opening != Some(id) {
            return;
        }
        self.opening = None;
        if self.answer(id, protocol).is_err() {
            return self.kill(id);
        }
        let Some(conn) = self.table.get_mut(id) else { return };
        conn.is_accepted = true;
        self.open += 1;
        match conn.phase {
            Phase::Opening => conn.phase = Phase::Open,
            Phase::Dead => self.closed.push_back(id),
            _ => {}
        }
    }

    /// Answers a request without a connection. Nothing that was sent before goes out.
    pub fn refuse(&mut self, id: ConnId, refusal: Refusal) {
        self.opening = self.opening.filter(|opening| *opening != id);
        let Some(conn) = self.table.get_mut(id).filter(|conn| !conn.is_accepted) else { return };
        if conn.phase == Phase::Dead {
            return self.retire(id);
        }
        conn.phase = Phase::Flushing(Then::Discard);
        self.drop_queue(id);
        if self.is_turn_of(id) {
            self.output.clear();
        }
        if self.queue_answer(id, refusal.encode().into_bytes()).is_err() {
            return self.kill(id);
        }
        self.set_deadline(id, Kind::Close);
    }

    fn answer(&mut self, id: ConnId, protocol: Option<&[u8]>) -> Result<(), OutOfMemory> {
        if self.phase(id) == Phase::Dead {
            return Ok(());
        }
        let mut answer = Vec::new();
        answer.try_reserve_exact(256 + protocol.map_or(0, <[u8]>::len))?;
        encode_accept(self.request.key(), protocol, &mut answer);
        self.queue_answer(id, answer)
    }

    /// Closes a connection when its queue is sent, with this code. Nothing more is read from it.
    pub fn close(&mut self, id: ConnId, code: CloseCode) {
        if self.table.get(id).is_some_and(|conn| conn.is_mute) {
            return self.kill(id);
        }
        self.end(id, Then::AwaitClose, Some(code), "", Kind::Drain);
    }

    /// Closes a connection now, and throws its queue away.
    pub fn close_now(&mut self, id: ConnId) {
        self.drop_queue(id);
        self.kill(id);
    }

    /// Drops a client that broke the protocol (CONTRACT S8).
    pub(crate) fn fail(&mut self, id: ConnId, violation: Violation) {
        if self.phase(id) == Phase::AwaitingClose {
            // Where its next frame starts is not known any more, and our close frame is out.
            return self.set_phase(id, Phase::Flushing(Then::Discard));
        }
        let code = violation.close_code();
        self.end(id, Then::Discard, Some(code), violation.reason(), Kind::Close);
    }

    /// Answers a client's close frame with its own code (RFC 6455 5.5.1), unless it is an answer itself.
    pub(crate) fn answer_close(&mut self, id: ConnId, code: Option<CloseCode>) {
        if self.phase(id) == Phase::AwaitingClose {
            return self.kill(id);
        }
        self.end(id, Then::Close, code, "", Kind::Close);
    }

    /// Queues a close frame as the last one of a connection that is open.
    fn end(
        &mut self,
        id: ConnId,
        then: Then,
        code: Option<CloseCode>,
        reason: &str,
        deadline: Kind,
    ) {
        if !matches!(self.phase(id), Phase::Open | Phase::Opening) {
            return;
        }
        let mut payload = [0; 125];
        let len = if code.is_some() { 2 + reason.len().min(123) } else { 0 };
        if let Some(code) = code {
            payload[..2].copy_from_slice(&code.number().to_be_bytes());
            payload[2..len].copy_from_slice(&reason.as_bytes()[..len - 2]);
        }
        if self.queue_control(id, OpCode::Close, &payload[..len]).is_err() {
            return self.kill(id);
        }
        self.set_phase(id, Phase::Flushing(then));
        self.set_deadline(id, deadline);
    }

    /// Closes a connection for its client. The caller learns of it by an event of its own.
    pub(crate) fn kill(&mut self, id: ConnId) {
        let is_turn = self.is_turn_of(id);
        let Some(conn) = self.table.get_mut(id).filter(|conn| conn.phase != Phase::Dead) else {
            return;
        };
        conn.phase = Phase::Dead;
        conn.socket = None;
        conn.input = Vec::new();
        if is_turn {
            self.output.clear();
        }
        if conn.is_accepted {
            self.closed.push_back(id);
        } else if self.opening != Some(id) {
            self.retire(id);
        }
    }

    /// Ends the server: accepts nothing more, and tells every client so (CONTRACT S10). The loop goes
    /// on until [`Event::Stopped`](crate::Event::Stopped).
    pub fn stop(&mut self) {
        if self.stop_at.is_some() {
            return;
        }
        self.acceptors.clear();
        self.stop_at = Some(Instant::now() + STOP);
        self.each(|engine, id| match engine.phase(id) {
            Phase::Open => engine.close(id, CloseCode::GOING_AWAY),
            Phase::Handshake => engine.kill(id),
            _ => {}
        });
    }

    fn each(&mut self, mut act: impl FnMut(&mut Self, ConnId)) {
        let mut index = 0;
        while let Some(id) = self.table.first_from(index) {
            index = id.index() + 1;
            act(self, id);
        }
    }

    /// Ends the connections whose time is over.
    pub(crate) fn expire(&mut self) {
        let now = self.now;
        if self.stop_at.is_some_and(|at| at <= now) {
            self.each(Self::kill);
        }
        while let Some(due) = self.deadlines.pop(now, |deadline| deadline.is_live(&self.table)) {
            match due.kind {
                Kind::Handshake => self.refuse(due.conn, Refusal::TooSlow),
                Kind::Close => self.kill(due.conn),
                Kind::Drain => {
                    let queue = self.table.get(due.conn).and_then(|conn| conn.queue);
                    let bytes = queue.map_or(0, |key| self.queues[key].bytes());
                    if bytes < due.bytes {
                        self.set_deadline(due.conn, Kind::Drain);
                    } else {
                        self.kill(due.conn);
                    }
                }
            }
        }
    }
}

impl Deadline {
    /// Whether the connection still does what the deadline is for.
    pub(crate) fn is_live(&self, table: &Table) -> bool {
        let Some(conn) = table.get(self.conn) else { return false };
        match (self.kind, conn.phase) {
            (Kind::Handshake, phase) => phase == Phase::Handshake,
            (Kind::Drain, phase) => phase == Phase::Flushing(Then::AwaitClose),
            (Kind::Close, Phase::AwaitingClose | Phase::Discarding) => true,
            (Kind::Close, Phase::Flushing(then)) => then != Then::AwaitClose,
            (Kind::Close, _) => false,
        }
    }
}
