//! What the caller asks of the engine, and of one of its connections.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use dorrit_proto::{CloseCode, Plain, Refusal, Request};

use super::Engine;
use crate::conn::Conn;
use crate::id::ConnId;
use crate::outbox::Response;
use crate::reactor::Listener;
use crate::stats::Stats;

impl Engine {
    /// Accepts connections from this socket too, until [`Engine::drain`] or [`Engine::stop`].
    pub fn listen(&mut self, listener: Arc<Listener>) -> io::Result<()> {
        self.reactor.listen(listener, &mut self.cx.descriptors)
    }

    /// Watches the reading end of a pipe, which must not block, until [`Engine::unwatch_control`]: a
    /// byte in it, or its end, gives [`Event::Control`](crate::Event::Control). The caller then reads until there is
    /// no more. What wakes the loop, from a signal handler for one, writes to the other end.
    pub fn watch_control(&mut self, pipe: impl AsFd) -> io::Result<()> {
        self.reactor.watch_control(pipe.as_fd(), &mut self.cx.descriptors)
    }

    /// Watches a pipe no more that was given to [`Engine::watch_control`]: to be called before it is closed.
    pub fn unwatch_control(&mut self, pipe: impl AsFd) -> io::Result<()> {
        self.reactor.unwatch_control(pipe.as_fd(), &mut self.cx.descriptors)
    }

    /// Asks for [`Event::Tick`](crate::Event::Tick) each time this long after the last one was due; those that come
    /// too late for the next one are left out. `None` ends that.
    pub fn set_tick(&mut self, period: Option<Duration>) {
        self.timers.set_tick(period);
    }

    /// The figures so far. It looks at every queue.
    pub fn stats(&self) -> Stats {
        Stats {
            connections: self.cx.open as u64,
            queued_bytes: self.cx.outbox.unsent() as u64,
            held_bytes: self.cx.memory.held(self.cx.outbox.held()) as u64,
            ..self.cx.stats
        }
    }

    /// What the caller keeps with a connection; 0 where nothing was set or the connection has ended.
    pub fn tag(&self, id: ConnId) -> usize {
        self.conns.get(id).map_or(0, |conn| conn.tag)
    }

    /// Keeps a number with a connection until it has ended.
    pub fn set_tag(&mut self, id: ConnId, tag: usize) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.tag = tag;
        }
    }

    /// The request of the connection that [`Event::Opened`](crate::Event::Opened) told last, until it is accepted or
    /// refused.
    pub fn request(&self, id: ConnId) -> Option<&Request> {
        (self.cx.pending.opening == Some(id)).then_some(&self.cx.inbox.request)
    }

    /// What the plain request asks for that [`Event::Requested`](crate::Event::Requested) told last. A server that is
    /// nearly full, or that is to end, keeps no connection for another request.
    pub fn plain(&self, id: ConnId) -> Option<Plain> {
        let plain = self.request(id)?.judge_plain().ok().flatten()?.without_body();
        let is_ending = self.cx.lifecycle.is_ending();
        let has_room = self.conns.len() <= self.cx.config.max_connections && !is_ending;
        let keeps_alive = plain.keeps_alive && plain.is_current && has_room;
        Some(Plain { keeps_alive, ..plain })
    }

    /// Accepts the connection that [`Event::Opened`](crate::Event::Opened) told, with a sub-protocol where one of
    /// those was chosen that [`Engine::request`] offers.
    pub fn accept(&mut self, id: ConnId, protocol: Option<&[u8]>) {
        if self.cx.pending.opening.take_if(|opening| *opening == id).is_some()
            && self.with(id, |conn, cx| conn.accept(cx, protocol)).is_some()
        {
            self.cx.open += 1;
            self.cx.connections.add();
        }
    }

    /// Answers a request without a connection. Nothing that was sent before goes out.
    pub fn refuse(&mut self, id: ConnId, refusal: Refusal) {
        self.with(id, |conn, cx| conn.refuse(cx, refusal));
    }

    /// Answers the request that [`Event::Requested`](crate::Event::Requested) told. The file is read while it is sent;
    /// where it has become shorter, or cannot be read, the connection is cut.
    pub fn respond(&mut self, id: ConnId, response: Response) {
        if self.cx.pending.opening.take_if(|opening| *opening == id).is_some() {
            self.with(id, |conn, cx| conn.respond(cx, response));
        }
    }

    /// Closes a connection when its queue is sent, with this code and reason, of which 123 bytes are
    /// sent at most. Nothing more is read from it.
    pub fn close(&mut self, id: ConnId, code: CloseCode, reason: &str) {
        self.with(id, |conn, cx| conn.close(cx, code, reason));
    }

    /// Closes a connection now, and throws its queue away.
    pub fn close_now(&mut self, id: ConnId) {
        self.with(id, Conn::close_now);
    }

    /// The code of the close frame that ended this connection, the peer's or ours, whichever came first;
    /// [`CloseCode::NO_STATUS`] where it had none, [`CloseCode::ABNORMAL`] where there was none.
    pub fn close_code(&self, id: ConnId) -> CloseCode {
        self.conns.get(id).map_or(CloseCode::ABNORMAL, |conn| conn.closing.code())
    }

    /// How many frames wait for this connection (CONTRACT D11). Where that is not 0, the caller is told
    /// when it is (CONTRACT S25).
    pub fn queued_frames(&mut self, id: ConnId) -> u32 {
        self.with(id, |conn, cx| conn.queued_frames(cx)).unwrap_or(0)
    }

    /// How many bytes wait for this connection, their frames' headers included. Where that is not 0, the
    /// caller is told when it is (CONTRACT S25).
    pub fn queued_bytes(&mut self, id: ConnId) -> usize {
        self.with(id, |conn, cx| conn.queued_bytes(cx)).unwrap_or(0)
    }
}
