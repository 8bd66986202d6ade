//! What waits to be sent on one connection.

use std::collections::{TryReserveError, VecDeque};
use std::io::IoSlice;

use dorrit_proto::frame_len;

use crate::messages::{MessageId, Messages};

/// References to messages, in the order in which they go out.
#[derive(Default)]
pub(crate) struct Queue {
    entries: VecDeque<MessageId>,
    /// How many bytes of the first message are sent.
    sent: usize,
    /// Where in the first message the frame ends that is being sent.
    frame_end: usize,
    frames: u32,
    bytes: usize,
    /// A pong of which nothing is sent: a later one takes its place (RFC 6455 5.5.3).
    pong: Option<MessageId>,
    /// How many pushes there is room for.
    reserved: usize,
}

/// More messages than this in a queue, and its memory is given back when it is empty.
const KEPT_ENTRIES: usize = 64;

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

    /// Puts a message at the end. Takes no memory after [`Queue::reserve`].
    pub(crate) fn push(&mut self, id: MessageId, messages: &mut Messages) {
        messages.retain(id);
        self.entries.push_back(id);
        self.reserved = self.reserved.saturating_sub(1);
        self.frames = self.frames.saturating_add(messages.frames(id));
        self.bytes += messages.bytes(id).len();
    }

    /// Puts a message in an empty queue, of which `sent` bytes are sent and whose first `skip` bytes
    /// are no frame.
    pub(crate) fn push_rest(
        &mut self,
        id: MessageId,
        skip: usize,
        sent: usize,
        messages: &mut Messages,
    ) {
        self.push(id, messages);
        self.sent = 0;
        self.frame_end = skip;
        self.advance(sent, messages);
    }

    /// Puts bytes that are no frame before all else, of which nothing must be sent yet.
    pub(crate) fn push_answer(&mut self, id: MessageId, messages: &mut Messages) {
        self.push(id, messages);
        self.entries.rotate_right(1);
        self.frame_end = messages.bytes(id).len();
    }

    /// Puts a pong at the end, or in the place of one that waits. Takes no memory after
    /// [`Queue::reserve`].
    pub(crate) fn push_pong(&mut self, frame: Vec<u8>, messages: &mut Messages) {
        if let Some(waiting) = self.pong {
            self.reserved = self.reserved.saturating_sub(1);
            self.bytes = self.bytes - messages.bytes(waiting).len() + frame.len();
            return messages.replace(waiting, frame);
        }
        let id = messages.insert(frame, 1);
        self.push(id, messages);
        self.pong = Some(id);
    }

    /// What goes out next of a single message, at most `budget` bytes; `None` where there are several.
    pub(crate) fn only<'a>(&self, messages: &'a Messages, budget: usize) -> Option<&'a [u8]> {
        if self.entries.len() != 1 {
            return None;
        }
        let rest = &messages.bytes(*self.entries.front()?)[self.sent..];
        Some(&rest[..rest.len().min(budget)])
    }

    /// Fills `slices` with what goes out next, at most `budget` bytes. Returns how many slices and
    /// how many bytes that is.
    pub(crate) fn slices<'a>(
        &self,
        messages: &'a Messages,
        budget: usize,
        slices: &mut [IoSlice<'a>],
    ) -> (usize, usize) {
        let (mut count, mut total, mut skip) = (0, 0, self.sent);
        for (slice, &id) in slices.iter_mut().zip(&self.entries) {
            let rest = &messages.bytes(id)[skip..];
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
    pub(crate) fn advance(&mut self, mut count: usize, messages: &mut Messages) {
        self.bytes -= count;
        while let Some(&id) = self.entries.front() {
            let bytes = messages.bytes(id);
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
            messages.release(id);
            self.entries.pop_front();
            (self.sent, self.frame_end) = (0, 0);
        }
    }

    /// How many frames of the first message, whose bytes these are, were finished by what was sent
    /// last.
    fn finished_frames(&mut self, bytes: &[u8]) -> u32 {
        let mut finished = 0;
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
    pub(crate) fn keep_first(&mut self, messages: &mut Messages) {
        while self.entries.len() > 1 {
            let Some(id) = self.entries.pop_back() else { return };
            self.frames -= messages.frames(id);
            self.bytes -= messages.bytes(id).len();
            if self.pong == Some(id) {
                self.pong = None;
            }
            messages.release(id);
        }
    }

    /// Gives back all references.
    pub(crate) fn clear(&mut self, messages: &mut Messages) {
        while let Some(id) = self.entries.pop_front() {
            messages.release(id);
        }
        if self.entries.capacity() > KEPT_ENTRIES {
            self.entries = VecDeque::new();
        }
        *self = Self { entries: std::mem::take(&mut self.entries), ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(messages: &mut Messages, bytes: &[u8], frames: u32) -> MessageId {
        messages.reserve().unwrap();
        messages.insert(bytes.to_vec(), frames)
    }

    fn next(queue: &Queue, messages: &Messages, budget: usize) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 3];
        let (count, total) = queue.slices(messages, budget, &mut slices);
        let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
        assert_eq!(bytes.len(), total);
        bytes
    }

    /// CONTRACT D11: a frame counts until its last byte is sent.
    #[test]
    fn frames_are_counted_until_they_are_sent_whole() {
        let mut messages = Messages::default();
        let mut queue = Queue::default();
        let fragments = insert(&mut messages, b"\x01\x02ab\x00\x01c\x80\x00", 3);
        let whole = insert(&mut messages, b"\x82\x01z", 1);
        queue.push(fragments, &mut messages);
        queue.push(whole, &mut messages);
        let all = b"\x01\x02ab\x00\x01c\x80\x00\x82\x01z";
        let left = [4, 4, 4, 4, 3, 3, 3, 2, 2, 1, 1, 1];
        for (sent, left) in left.into_iter().enumerate() {
            assert_eq!((queue.frames(), queue.bytes()), (left, all.len() - sent), "{sent}");
            assert_eq!(next(&queue, &messages, 100), all[sent..]);
            assert_eq!(next(&queue, &messages, 1), all[sent..=sent]);
            queue.advance(1, &mut messages);
        }
        assert!(queue.is_empty() && queue.frames() == 0 && queue.bytes() == 0);
    }

    #[test]
    fn a_rest_starts_where_the_socket_stopped() {
        for sent in 0..11 {
            let mut messages = Messages::default();
            let mut queue = Queue::default();
            let id = insert(&mut messages, b"HTTP\x81\x01a\x81\x02bb", 2);
            queue.push_rest(id, 4, sent, &mut messages);
            assert_eq!(queue.frames(), if sent < 7 { 2 } else { 1 }, "{sent}");
            queue.advance(11 - sent, &mut messages);
            assert!(queue.is_empty() && queue.frames() == 0);
        }
    }

    #[test]
    fn an_answer_goes_first() {
        let mut messages = Messages::default();
        let mut queue = Queue::default();
        for bytes in [b"\x81\x01a", b"\x81\x01b"] {
            let id = insert(&mut messages, bytes, 1);
            queue.push(id, &mut messages);
        }
        let answer = insert(&mut messages, b"HTTP", 0);
        queue.push_answer(answer, &mut messages);
        assert_eq!(next(&queue, &messages, 100), b"HTTP\x81\x01a\x81\x01b");
        queue.advance(6, &mut messages);
        assert_eq!(queue.frames(), 2);
        queue.advance(1, &mut messages);
        assert_eq!(queue.frames(), 1);
    }

    /// A flood of pings costs one pong (RFC 6455 5.5.3).
    #[test]
    fn one_pong_waits() {
        let mut messages = Messages::default();
        let mut queue = Queue::default();
        let first = insert(&mut messages, b"\x81\x01a", 1);
        queue.push(first, &mut messages);
        for byte in b'a'..=b'z' {
            messages.reserve().unwrap();
            let frame = [&b"\x8a"[..], &[byte - b'a'], &vec![byte; usize::from(byte - b'a')]];
            queue.push_pong(frame.concat(), &mut messages);
        }
        assert_eq!((queue.frames(), queue.bytes()), (2, 3 + 27));
        queue.advance(4, &mut messages);
        messages.reserve().unwrap();
        queue.push_pong(b"\x8a\x00".to_vec(), &mut messages);
        assert_eq!((queue.frames(), queue.bytes()), (2, 26 + 2));
    }

    /// CONTRACT S22: a flood of pings takes room for one pong.
    #[test]
    fn a_pong_in_the_place_of_another_takes_no_room() {
        let mut messages = Messages::default();
        let mut queue = Queue::default();
        for _ in 0..10_000 {
            messages.reserve().unwrap();
            queue.reserve().unwrap();
            queue.push_pong(b"\x8a\x00".to_vec(), &mut messages);
        }
        assert!(queue.entries.capacity() <= KEPT_ENTRIES, "{}", queue.entries.capacity());
    }

    #[test]
    fn the_first_message_is_kept() {
        let mut messages = Messages::default();
        let mut queue = Queue::default();
        for _ in 0..3 {
            let id = insert(&mut messages, b"\x01\x01a\x80\x01b", 2);
            queue.push(id, &mut messages);
        }
        queue.advance(4, &mut messages);
        queue.keep_first(&mut messages);
        assert_eq!((queue.frames(), queue.bytes(), messages.len()), (1, 2, 1));
        assert_eq!(next(&queue, &messages, 100), b"\x01b");
    }

    #[test]
    fn clear_gives_all_back() {
        let mut messages = Messages::default();
        let mut queue = Queue::default();
        let id = insert(&mut messages, b"\x81\x01a", 1);
        queue.push(id, &mut messages);
        queue.push(id, &mut messages);
        queue.advance(1, &mut messages);
        queue.clear(&mut messages);
        assert!(queue.is_empty() && queue.frames() == 0 && queue.bytes() == 0);
        assert_eq!(messages.len(), 0);
    }
}
