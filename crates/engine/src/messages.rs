//! Messages that wait in queues: each is kept once, for all the queues in which it stands.

use std::collections::TryReserveError;

use crate::pool::{Key, Pool};

/// Names a message that is kept.
pub(crate) type MessageId = Key;

/// The messages, framed, with a count of the references to each (CONTRACT D14).
#[derive(Default)]
pub(crate) struct Messages {
    pool: Pool<Message>,
}

#[derive(Default)]
struct Message {
    bytes: Vec<u8>,
    frames: u32,
    refs: u32,
}

impl Messages {
    /// Makes room for one more, so that the next [`Messages::insert`] takes no memory.
    pub(crate) fn reserve(&mut self) -> Result<(), TryReserveError> {
        self.pool.reserve()
    }

    /// Keeps a message of this many frames for its first queue, which must push it.
    pub(crate) fn insert(&mut self, bytes: Vec<u8>, frames: u32) -> MessageId {
        let id = self.pool.take();
        self.pool[id] = Message { bytes, frames, refs: 0 };
        id
    }

    pub(crate) fn bytes(&self, id: MessageId) -> &[u8] {
        &self.pool[id].bytes
    }

    pub(crate) fn frames(&self, id: MessageId) -> u32 {
        self.pool[id].frames
    }

    pub(crate) fn retain(&mut self, id: MessageId) {
        self.pool[id].refs += 1;
    }

    /// Gives back a reference; the last one frees the message.
    pub(crate) fn release(&mut self, id: MessageId) {
        let message = &mut self.pool[id];
        message.refs -= 1;
        if message.refs == 0 {
            message.bytes = Vec::new();
            self.pool.give_back(id);
        }
    }

    /// Frees a message that no queue has taken.
    pub(crate) fn free_unused(&mut self, id: MessageId) {
        if self.pool[id].refs == 0 && !self.pool[id].bytes.is_empty() {
            self.pool[id].bytes = Vec::new();
            self.pool.give_back(id);
        }
    }

    /// Puts other bytes in the place of a message of which nothing was sent.
    pub(crate) fn replace(&mut self, id: MessageId, bytes: Vec<u8>) {
        self.pool[id].bytes = bytes;
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.pool.in_use()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_reference_frees() {
        let mut messages = Messages::default();
        messages.reserve().unwrap();
        let one = messages.insert(b"one".to_vec(), 1);
        messages.reserve().unwrap();
        let two = messages.insert(b"two".to_vec(), 2);
        messages.retain(one);
        messages.retain(one);
        messages.retain(two);
        messages.release(one);
        assert_eq!((messages.bytes(one), messages.frames(two)), (&b"one"[..], 2));
        messages.release(one);
        assert_eq!(messages.len(), 1);
        messages.reserve().unwrap();
        assert_eq!(messages.insert(b"three".to_vec(), 1), one);
    }
}
