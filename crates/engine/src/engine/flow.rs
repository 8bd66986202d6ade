//! What goes on with connections that are open: holding them back, and looking at them all.

use super::Engine;
use crate::conn::{Conn, Phase};
use crate::id::ConnId;

impl Engine {
    /// Has nothing more told of a connection, nor read from it, until [`Engine::resume`]; it is closed, and sent
    /// messages, all the same. Meanwhile its client is asked for no sign of life. One that is not there any more ends
    /// at once; its close frame, and the end of its side alone, wait. Returns whether it is paused: it must be open.
    pub fn pause(&mut self, id: ConnId) -> bool {
        self.with_known(id, |conn, _| conn.pause()).unwrap_or(false)
    }

    /// Goes on with a connection after [`Engine::pause`]. Returns whether it is open.
    pub fn resume(&mut self, id: ConnId) -> bool {
        self.with_known(id, Conn::unpause).unwrap_or(false)
    }

    /// Has [`Event::Drained`](crate::Event::Drained) told once, when all that is queued for a connection is sent, or soon
    /// where nothing is. Returns whether that will be: it must not be being closed, nor be a plain request.
    pub fn want_drain(&mut self, id: ConnId) -> bool {
        self.with_known(id, Conn::want_drain).unwrap_or(false)
    }

    /// Whether a connection asks to be accepted: it is being decided on, and not being closed.
    pub fn is_opening(&self, id: ConnId) -> bool {
        let known = self.known(id);
        known.is_some_and(|(_, conn)| conn.phase == Phase::Opening && !conn.is_plain(&self.cx))
    }

    /// Whether a connection was accepted, and is not being closed.
    pub fn is_open(&self, id: ConnId) -> bool {
        self.known(id).is_some_and(|(_, conn)| conn.is_open())
    }

    /// How many connections were accepted, and are not being closed.
    pub fn count_open(&self) -> usize {
        self.cx.live
    }

    /// The first connection behind this one, in an order of the engine's own, that was accepted and is not being closed;
    /// the first of all behind none.
    pub fn next_open(&self, last: Option<ConnId>) -> Option<ConnId> {
        let mut index = last.map_or(0, |last| self.conns.index(last).saturating_add(1));
        loop {
            let id = self.conns.first_from(index)?;
            if self.is_open(id) {
                return Some(id);
            }
            index = self.conns.index(id) + 1;
        }
    }
}
