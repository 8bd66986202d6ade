//! What the loop does without memory: it makes room, at the cost of who holds most.

use std::time::Duration;

use crate::ConnId;
use crate::accept::SHORT_PAUSE;
use crate::conn::{Conn, Phase};
use crate::engine::Engine;
use crate::event::{DropCause, Event};
use crate::message::Message;

/// There is memory again where so much can be had at once, in bytes.
const ENOUGH: usize = 64 * 1024;
/// Nobody is dropped for less, in bytes: it would not help.
const MUCH: usize = 64 * 1024;

impl Engine {
    /// Makes room where memory could not be had, step by step until there is enough: gives back what is
    /// kept for later, drops the client that holds most, and where nobody holds much accepts nobody for a
    /// moment, after which it looks again.
    pub(crate) fn shed(&mut self) {
        if has_enough() {
            return;
        }
        self.drop_kept();
        if has_enough() {
            return;
        }
        let holder = self.holder();
        if let Some(id) = holder {
            self.drop_holder(id);
            self.drop_kept();
        }
        if has_enough() {
            return;
        }
        self.pause_accepting();
        let pause = if holder.is_some() { Duration::ZERO } else { SHORT_PAUSE };
        self.shed_at = Some(self.clock.now() + pause);
    }

    /// Gives back what no connection needs, and the caller does not look at.
    pub(crate) fn drop_kept(&mut self) {
        self.incoming.reset_vacant();
        self.memory.change(std::mem::take(&mut self.kept), 0);
        if !self.turn.as_ref().is_some_and(|turn| matches!(turn.message, Message::Inflated)) {
            self.memory.change(self.inflated.capacity(), 0);
            self.inflated = Vec::new();
        }
        self.spare = Vec::new();
        self.body = Vec::new();
    }

    /// The connection that holds most, if that is much.
    fn holder(&self) -> Option<ConnId> {
        let mut most = (MUCH, None);
        let mut next = self.table.first_from(0);
        while let Some(id) = next {
            let held = self.table.get(id).map_or(0, |conn| self.held(id, conn));
            if held > most.0 {
                most = (held, Some(id));
            }
            next = self.table.first_from(id.index() + 1);
        }
        most.1
    }

    /// How much memory is held for a connection, in bytes.
    fn held(&self, id: ConnId, conn: &Conn) -> usize {
        let queue = conn.queue.map_or(0, |key| self.queues[key].held());
        let incoming = conn.incoming.map_or(0, |key| self.incoming[key].capacity());
        let start = conn.input.map_or(0, |key| self.starts[key].bytes.capacity());
        queue + incoming + start + self.inflating(id)
    }

    /// Drops that client: told so, where what it must be sent before is not what takes the memory.
    fn drop_holder(&mut self, id: ConnId) {
        self.stats.dropped_memory += 1;
        if let Some(key) = self.table.get(id).and_then(|conn| conn.queue) {
            self.queues[key].keep_first(&mut self.messages);
        }
        self.drop_inflation(id);
        self.drop_incoming(id);
        if self.phase(id) == Phase::Open && self.unsent_bytes(id) <= MUCH {
            self.end_for_memory(id);
        } else {
            self.close_now(id);
        }
        self.report(Event::Dropped(id, DropCause::NoMemory));
    }
}

/// Whether memory can be had.
fn has_enough() -> bool {
    Vec::<u8>::new().try_reserve_exact(ENOUGH).is_ok()
}
