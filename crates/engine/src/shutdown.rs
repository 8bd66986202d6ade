//! The end of a server: when its clients have left, or now.

use std::time::Duration;

use dorrit_proto::{CloseCode, Refusal};

use crate::conn::{Phase, Standing};
use crate::engine::Engine;
use crate::timers::Lifecycle;

impl Engine {
    /// Leaves the listening sockets to others who have them: accepts nothing more, and serves those who
    /// are there until [`Event::Stopped`](crate::Event::Stopped) says that they have left, or
    /// [`Event::DrainExpired`](crate::Event::DrainExpired) that `patience` is over.
    pub fn drain(&mut self, patience: Duration) {
        if self.cx.lifecycle.is_ending() {
            return;
        }
        self.reactor.listeners.share();
        self.reactor.unlisten(&mut self.cx.descriptors);
        self.cx.lifecycle = Lifecycle::Draining;
        self.timers.drain(patience);
    }

    /// Ends the server: accepts nothing more, and tells every client so with this code (CONTRACT S10),
    /// with [`CloseCode::SERVICE_RESTART`] also those whose request comes within that time.
    /// The loop goes on until [`Event::Stopped`](crate::Event::Stopped).
    pub fn stop(&mut self, code: CloseCode) {
        if self.cx.lifecycle.is_stopping() {
            return;
        }
        let is_restart = code == CloseCode::SERVICE_RESTART;
        self.reactor.unlisten(&mut self.cx.descriptors);
        self.cx.lifecycle = Lifecycle::Stopping;
        self.timers.stop();
        self.each(|conn, cx| match conn.phase {
            Phase::Open | Phase::Paused => conn.close(cx, code, ""),
            // No connect is lost to a restart: who has not asked yet may, and is told then.
            Phase::Proxied | Phase::Handshake if is_restart && conn.exchange.is_none() => {}
            Phase::Proxied | Phase::Handshake | Phase::Body => conn.end(cx),
            Phase::Opening if conn.standing == Standing::Deferred => {
                conn.refuse(cx, Refusal::Status(503));
            }
            _ => {}
        });
    }
}
