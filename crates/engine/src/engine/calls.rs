//! What the caller asks of the engine, and of one of its connections.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use dorrit_proto::CloseCode;

use super::Engine;
use crate::conn::Conn;
use crate::id::ConnId;
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

    /// Whether the engine is to end: after [`Engine::drain`] or [`Engine::stop`].
    pub fn is_ending(&self) -> bool {
        self.cx.lifecycle.is_ending()
    }

    /// Whether the engine ends now: after [`Engine::stop`].
    pub fn is_stopping(&self) -> bool {
        self.cx.lifecycle.is_stopping()
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

    /// What the caller keeps with a connection or a request; 0 where nothing was set or it has ended.
    pub fn tag(&self, id: ConnId) -> usize {
        self.known(id).map_or(0, |(_, conn)| conn.tag)
    }

    /// Keeps a number with a connection, or with a request that is to be decided on, until it has ended.
    pub fn set_tag(&mut self, id: ConnId, tag: usize) {
        self.with_known(id, |conn, _| conn.tag = tag);
    }

    /// Closes a connection when its queue is sent, with this code and reason, of which 123 bytes are
    /// sent at most. Nothing more is read from it. A request on which the decision was put off is refused.
    pub fn close(&mut self, id: ConnId, code: CloseCode, reason: &str) {
        self.with_known(id, |conn, cx| conn.close(cx, code, reason));
    }

    /// Closes a connection now, and throws its queue away.
    pub fn close_now(&mut self, id: ConnId) {
        self.with_known(id, Conn::close_now);
    }

    /// The code of the close frame that ended this connection, the peer's or ours, whichever came first;
    /// [`CloseCode::NO_STATUS`] where it had none, [`CloseCode::ABNORMAL`] where there was none.
    pub fn close_code(&self, id: ConnId) -> CloseCode {
        self.known(id).map_or(CloseCode::ABNORMAL, |(_, conn)| conn.closing.code())
    }

    /// How many frames wait for this connection (CONTRACT D11). Where that is not 0, the caller is told
    /// when it is (CONTRACT S25).
    pub fn queued_frames(&mut self, id: ConnId) -> u32 {
        self.with_known(id, |conn, cx| conn.queued_frames(cx)).unwrap_or(0)
    }

    /// How many bytes wait for this connection, their frames' headers included. Where that is not 0, the
    /// caller is told when it is (CONTRACT S25).
    pub fn queued_bytes(&mut self, id: ConnId) -> usize {
        self.with_known(id, |conn, cx| conn.queued_bytes(cx)).unwrap_or(0)
    }
}
