//! Frames that wait in queues: each is kept once, for all the queues in which it stands.

use std::collections::TryReserveError;

use crate::pool::{Pool, PoolKey};

/// Names a message whose frames are kept.
pub(crate) type FrameId = PoolKey;

/// The frames of messages, with a count of the references to each message (CONTRACT D14).
#[derive(Default)]
pub(crate) struct Frames {
    pool: Pool<Framed>,
    /// How much memory they take, in bytes.
    held: usize,
    /// The most memory that they took since that was reset, in bytes.
    peak: usize,
}

/// The frames of a message, one behind the other.
#[derive(Default)]
struct Framed {
    bytes: Vec<u8>,
    frames: u32,
    refs: u32,
}

/// What a message takes besides its bytes: its place here, the one in a queue, and what an allocation costs.
pub(crate) const OVERHEAD: usize = size_of::<Framed>() + 4 * size_of::<PoolKey>() + 16;
/// Frames that are joined become one of at most so many bytes.
pub(crate) const JOINED: usize = 16 * 1024;

impl Frames {
    /// Makes room for one more, so that the next [`Frames::insert`] takes no memory.
    pub(crate) fn reserve(&mut self) -> Result<(), TryReserveError> {
        self.pool.reserve()
    }

    /// Keeps a message of this many frames. The caller has the first reference, which it must release.
    pub(crate) fn insert(&mut self, bytes: Vec<u8>, frames: u32) -> FrameId {
        let id = self.pool.take();
        self.pool[id] = Framed { bytes, frames, refs: 1 };
        self.hold(self.weight(id));
        id
    }

    fn hold(&mut self, more: usize) {
        self.held += more;
        self.peak = self.peak.max(self.held);
    }

    pub(crate) fn bytes(&self, id: FrameId) -> &[u8] {
        &self.pool[id].bytes
    }

    pub(crate) fn frames(&self, id: FrameId) -> u32 {
        self.pool[id].frames
    }

    /// How much memory a message takes, in bytes.
    pub(crate) fn weight(&self, id: FrameId) -> usize {
        self.pool[id].bytes.capacity() + OVERHEAD
    }

    /// How much memory all of them take, in bytes.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// The most memory that all of them took since [`Frames::reset_peak`], in bytes.
    pub(crate) fn peak(&self) -> usize {
        self.peak
    }

    /// Begins to note anew what is the most memory that they take.
    pub(crate) fn reset_peak(&mut self) {
        self.peak = self.held;
    }

    pub(crate) fn retain(&mut self, id: FrameId) {
        self.pool[id].refs += 1;
    }

    /// Gives back a reference; the last one frees the message.
    pub(crate) fn release(&mut self, id: FrameId) {
        self.pool[id].refs -= 1;
        if self.pool[id].refs == 0 {
            self.held -= self.weight(id);
            self.pool[id].bytes = Vec::new();
            self.pool.give_back(id);
        }
    }

    /// Whether so many bytes may be joined to a message that stands in one queue alone.
    pub(crate) fn is_joinable(&self, id: FrameId, len: usize) -> bool {
        let Framed { bytes, refs, .. } = &self.pool[id];
        *refs == 1 && bytes.len() + len <= JOINED
    }

    /// Joins frames to a message for which [`Frames::is_joinable`] holds.
    pub(crate) fn join(
        &mut self,
        id: FrameId,
        parts: [&[u8]; 2],
        frames: u32,
    ) -> Result<(), TryReserveError> {
        let before = self.weight(id);
        let message = &mut self.pool[id];
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        let needed = message.bytes.len() + len;
        if needed > message.bytes.capacity() {
            let capacity = needed.max(2 * message.bytes.capacity()).min(JOINED);
            message.bytes.try_reserve_exact(capacity - message.bytes.len())?;
        }
        parts.iter().for_each(|part| message.bytes.extend_from_slice(part));
        message.frames += frames;
        self.hold(self.weight(id) - before);
        Ok(())
    }

    /// Puts other bytes in the place of a message of which nothing was sent.
    pub(crate) fn replace(&mut self, id: FrameId, bytes: Vec<u8>) {
        self.held -= self.weight(id);
        self.pool[id].bytes = bytes;
        self.hold(self.weight(id));
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.pool.in_use()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(frames: &mut Frames, bytes: &[u8], count: u32) -> FrameId {
        frames.reserve().unwrap();
        frames.insert(bytes.to_vec(), count)
    }

    #[test]
    fn the_last_reference_frees() {
        let mut frames = Frames::default();
        let one = insert(&mut frames, b"one", 1);
        let two = insert(&mut frames, b"two", 2);
        frames.retain(one);
        frames.release(one);
        assert_eq!((frames.bytes(one), frames.frames(two)), (&b"one"[..], 2));
        frames.release(one);
        assert_eq!(frames.len(), 1);
        assert_eq!(insert(&mut frames, b"three", 1), one);
    }

    /// CONTRACT S22: what is held is counted, also while it grows.
    #[test]
    fn memory_is_counted() {
        let mut frames = Frames::default();
        let one = insert(&mut frames, &[1; 100], 1);
        assert_eq!(frames.held(), 100 + OVERHEAD);
        let mut joined = 100;
        while frames.is_joinable(one, 10) {
            frames.join(one, [&[2; 4], &[3; 6]], 1).unwrap();
            joined += 10;
            assert_eq!(frames.held(), frames.weight(one));
        }
        assert!(joined > JOINED - 10 && frames.weight(one) <= JOINED + OVERHEAD);
        assert_eq!(frames.frames(one) as usize, 1 + (joined - 100) / 10);
        frames.retain(one);
        assert!(!frames.is_joinable(one, 0), "it stands in two queues");
        frames.release(one);
        frames.replace(one, vec![0; 5]);
        assert_eq!(frames.held(), 5 + OVERHEAD);
        frames.release(one);
        assert_eq!(frames.held(), 0);
    }
}
