//! What waits to be sent on one connection.

use std::collections::{TryReserveError, VecDeque};
use std::io::IoSlice;

use dorrit_proto::frame_len;

use super::frames::{FrameId, Frames};

/// References to messages, in the order in which they go out.
#[derive(Default)]
pub(crate) struct Queue {
    entries: VecDeque<FrameId>,
    /// How many bytes of the first message are sent.
    sent: usize,
    /// Where in the first message the frame ends that is being sent.
    frame_end: usize,
    frames: u32,
    bytes: usize,
    /// How much memory its messages take.
    held: usize,
    /// A pong of which nothing is sent: a later one takes its place (RFC 6455 5.5.3).
    pong: Option<FrameId>,
    /// How many pushes there is room for.
    reserved: usize,
}

/// More messages than this in a queue, and its memory is given back when it is empty.
const KEPT_ENTRIES: usize = 64;
/// A queue of so many messages is one that waits: small ones are joined in its tail.
const WAITING: usize = 4;
/// How many bytes those take at least that are joined.
const MIN_JOINED: usize = 256;

impl Queue {
    /// Makes room for one more push, which then takes no memory.
    pub(crate) fn reserve(&mut self) -> Result<(), TryReserveError> {
        self.entries.try_reserve(self.reserved + 1)?;
        self.reserved += 1;
        Ok(())
    }

    /// Forgets what was reserved.
    pub(crate) fn unreserve(&mut self) {
        self.reserved = 0;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many frames are not sent whole.
    pub(crate) fn frames(&self) -> u32 {
        self.frames
    }

    /// How many bytes are not sent.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How much memory its messages take, in bytes (CONTRACT S22).
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Puts a message at the end. Takes no memory after [`Queue::reserve`].
    pub(crate) fn push(&mut self, id: FrameId, frames: &mut Frames) {
        frames.retain(id);
        self.entries.push_back(id);
        self.reserved = self.reserved.saturating_sub(1);
        self.frames = self.frames.saturating_add(frames.frames(id));
        self.bytes += frames.bytes(id).len();
        self.held += frames.weight(id);
    }

    /// Puts a message that is in nobody else's queue yet at the end, and gives the caller's reference back.
    pub(crate) fn push_new(&mut self, id: FrameId, frames: &mut Frames) {
        self.push(id, frames);
        frames.release(id);
    }

    /// Whether so many bytes more would be joined to what waits already.
    pub(crate) fn is_joinable(&self, len: usize, frames: &Frames) -> bool {
        let tail = self.entries.back();
        tail.is_some_and(|&id| self.pong != Some(id) && frames.is_joinable(id, len))
    }

    /// Copies a small message of one frame behind what waits already: such ones are held many in one.
    /// Returns whether it could: else the queue is as it was.
    pub(crate) fn join(&mut self, frame: [&[u8]; 2], frames: &mut Frames) -> bool {
        let len = frame[0].len() + frame[1].len();
        if !self.is_joinable(len, frames) && !self.begin_joined(len, frames) {
            return false;
        }
        let Some(&id) = self.entries.back() else { return false };
        let before = frames.weight(id);
        if frames.join(id, frame, 1).is_err() {
            return false;
        }
        self.frames = self.frames.saturating_add(1);
        self.bytes += len;
        self.held += frames.weight(id) - before;
        true
    }

    /// Puts an empty message at the end of a queue that waits, for others to be joined in.
    fn begin_joined(&mut self, len: usize, frames: &mut Frames) -> bool {
        let mut bytes = Vec::new();
        let has_room = self.entries.len() >= WAITING
            && frames.reserve().is_ok()
            && self.entries.try_reserve(self.reserved + 1).is_ok()
            && bytes.try_reserve_exact(len.max(MIN_JOINED)).is_ok();
        if !has_room {
            return false;
        }
        let id = frames.insert(bytes, 0);
        self.entries.push_back(id);
        self.held += frames.weight(id);
        true
    }

    /// Puts a message in an empty queue, of which `sent` bytes are sent and whose first `skip` bytes
    /// are no frame.
    pub(crate) fn push_rest(&mut self, id: FrameId, skip: usize, sent: usize, frames: &mut Frames) {
        self.push_new(id, frames);
        self.sent = 0;
        self.frame_end = skip;
        self.advance(sent, frames);
    }

    /// Puts bytes that are no frame before all else, of which nothing must be sent yet.
    pub(crate) fn push_answer(&mut self, id: FrameId, frames: &mut Frames) {
        self.push_new(id, frames);
        self.entries.rotate_right(1);
        self.frame_end = frames.bytes(id).len();
    }

    /// Puts a pong at the end, or in the place of one that waits. Takes no memory after
    /// [`Queue::reserve`].
    pub(crate) fn push_pong(&mut self, frame: Vec<u8>, frames: &mut Frames) {
        if let Some(waiting) = self.pong {
            self.reserved = self.reserved.saturating_sub(1);
            self.bytes = self.bytes - frames.bytes(waiting).len() + frame.len();
            self.held -= frames.weight(waiting);
            frames.replace(waiting, frame);
            self.held += frames.weight(waiting);
            return;
        }
        let id = frames.insert(frame, 1);
        self.push_new(id, frames);
        self.pong = Some(id);
    }

    /// What goes out next of a single message, at most `budget` bytes; `None` where there are several.
    pub(crate) fn only<'a>(&self, frames: &'a Frames, budget: usize) -> Option<&'a [u8]> {
        if self.entries.len() != 1 {
            return None;
        }
        let rest = &frames.bytes(*self.entries.front()?)[self.sent..];
        Some(&rest[..rest.len().min(budget)])
    }

    /// Fills `slices` with what goes out next, at most `budget` bytes. Returns how many slices and
    /// how many bytes that is.
    pub(crate) fn slices<'a>(
        &self,
        frames: &'a Frames,
        budget: usize,
        slices: &mut [IoSlice<'a>],
    ) -> (usize, usize) {
        let (mut count, mut total, mut skip) = (0, 0, self.sent);
        for (slice, &id) in slices.iter_mut().zip(&self.entries) {
            let rest = &frames.bytes(id)[skip..];
            let part = &rest[..rest.len().min(budget - total)];
            *slice = IoSlice::new(part);
            (count, total, skip) = (count + 1, total + part.len(), 0);
            if total == budget {
                break;
            }
        }
        (count, total)
    }

    /// Takes away `count` bytes that were sent.
    pub(crate) fn advance(&mut self, mut count: usize, frames: &mut Frames) {
        self.bytes -= count;
        while let Some(&id) = self.entries.front() {
            let bytes = frames.bytes(id);
            let step = count.min(bytes.len() - self.sent);
            if step > 0 && self.pong == Some(id) {
                self.pong = None;
            }
            self.sent += step;
            count -= step;
            self.frames -= self.finished_frames(bytes);
            if self.sent < bytes.len() {
                return;
            }
            self.entries.pop_front();
            self.held -= frames.weight(id);
            frames.release(id);
            (self.sent, self.frame_end) = (0, 0);
        }
    }

    /// How many frames of the first message, whose bytes these are, were finished by what was sent
    /// last.
    fn finished_frames(&mut self, bytes: &[u8]) -> u32 {
        let mut finished = 0;
        if self.frames == 0 {
            // Answers to requests are none.
            return 0;
        }
        loop {
            let len = frame_len(&bytes[self.frame_end..]).unwrap_or(bytes.len());
            let end = self.frame_end.saturating_add(len);
            if end > self.sent || self.frame_end >= bytes.len() {
                return finished;
            }
            (self.frame_end, finished) = (end, finished + 1);
        }
    }

    /// Gives back all but the first message, of which a part may be sent.
    pub(crate) fn keep_first(&mut self, frames: &mut Frames) {
        while self.entries.len() > 1 {
            let Some(id) = self.entries.pop_back() else { return };
            self.frames -= frames.frames(id);
            self.bytes -= frames.bytes(id).len();
            if self.pong == Some(id) {
                self.pong = None;
            }
            self.held -= frames.weight(id);
            frames.release(id);
        }
    }

    /// Gives back all references.
    pub(crate) fn clear(&mut self, frames: &mut Frames) {
        while let Some(id) = self.entries.pop_front() {
            frames.release(id);
        }
        if self.entries.capacity() > KEPT_ENTRIES {
            self.entries = VecDeque::new();
        }
        *self = Self { entries: std::mem::take(&mut self.entries), ..Self::default() };
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
