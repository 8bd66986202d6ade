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
    /// How much memory its messages take.
    held: usize,
    /// A pong of which nothing is sent: a later one takes its place (RFC 6455 5.5.3).
    pong: Option<MessageId>,
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
    pub(crate) fn push(&mut self, id: MessageId, messages: &mut Messages) {
        messages.retain(id);
        self.entries.push_back(id);
        self.reserved = self.reserved.saturating_sub(1);
        self.frames = self.frames.saturating_add(messages.frames(id));
        self.bytes += messages.bytes(id).len();
        self.held += messages.weight(id);
    }

    /// Puts a message that is in nobody else's queue yet at the end, and gives the caller's reference back.
    pub(crate) fn push_new(&mut self, id: MessageId, messages: &mut Messages) {
        self.push(id, messages);
        messages.release(id);
    }

    /// Whether so many bytes more would be joined to what waits already.
    pub(crate) fn is_joinable(&self, len: usize, messages: &Messages) -> bool {
        let tail = self.entries.back();
        tail.is_some_and(|&id| self.pong != Some(id) && messages.is_joinable(id, len))
    }

    /// Copies a small message of one frame behind what waits already: such ones are held many in one.
    /// Returns whether it could: else the queue is as it was.
    pub(crate) fn join(&mut self, frame: [&[u8]; 2], messages: &mut Messages) -> bool {
        let len = frame[0].len() + frame[1].len();
        if !self.is_joinable(len, messages) && !self.begin_joined(len, messages) {
            return false;
        }
        let Some(&id) = self.entries.back() else { return false };
        let before = messages.weight(id);
        if messages.join(id, frame, 1).is_err() {
            return false;
        }
        self.frames = self.frames.saturating_add(1);
        self.bytes += len;
        self.held += messages.weight(id) - before;
        true
    }

    /// Puts an empty message at the end of a queue that waits, for others to be joined in.
    fn begin_joined(&mut self, len: usize, messages: &mut Messages) -> bool {
        let mut bytes = Vec::new();
        let has_room = self.entries.len() >= WAITING
            && messages.reserve().is_ok()
            && self.entries.try_reserve(self.reserved + 1).is_ok()
            && bytes.try_reserve_exact(len.max(MIN_JOINED)).is_ok();
        if !has_room {
            return false;
        }
        let id = messages.insert(bytes, 0);
        self.entries.push_back(id);
        self.held += messages.weight(id);
        true
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
        self.push_new(id, messages);
        self.sent = 0;
        self.frame_end = skip;
        self.advance(sent, messages);
    }

    /// Puts bytes that are no frame before all else, of which nothing must be sent yet.
    pub(crate) fn push_answer(&mut self, id: MessageId, messages: &mut Messages) {
        self.push_new(id, messages);
        self.entries.rotate_right(1);
        self.frame_end = messages.bytes(id).len();
    }

    /// Puts a pong at the end, or in the place of one that waits. Takes no memory after
    /// [`Queue::reserve`].
    pub(crate) fn push_pong(&mut self, frame: Vec<u8>, messages: &mut Messages) {
        if let Some(waiting) = self.pong {
            self.reserved = self.reserved.saturating_sub(1);
            self.bytes = self.bytes - messages.bytes(waiting).len() + frame.len();
            self.held -= messages.weight(waiting);
            messages.replace(waiting, frame);
            self.held += messages.weight(waiting);
            return;
        }
        let id = messages.insert(frame, 1);
        self.push_new(id, messages);
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
            self.entries.pop_front();
            self.held -= messages.weight(id);
            messages.release(id);
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
            self.held -= messages.weight(id);
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
    use crate::messages::JOINED;

    fn insert(messages: &mut Messages, bytes: &[u8], frames: u32) -> MessageId {
        messages.reserve().unwrap();
        messages.insert(bytes.to_vec(), frames)
    }

    /// Puts a message in a queue, and none elsewhere.
    fn push(queue: &mut Queue, messages: &mut Messages, bytes: &[u8], frames: u32) {
        let id = insert(messages, bytes, frames);
        queue.push_new(id, messages);
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
        push(&mut queue, &mut messages, b"\x01\x02ab\x00\x01c\x80\x00", 3);
        push(&mut queue, &mut messages, b"\x82\x01z", 1);
        let all = b"\x01\x02ab\x00\x01c\x80\x00\x82\x01z";
        let left = [4, 4, 4, 4, 3, 3, 3, 2, 2, 1, 1, 1];
        for (sent, left) in left.into_iter().enumerate() {
            assert_eq!((queue.frames(), queue.bytes()), (left, all.len() - sent), "{sent}");
            assert_eq!(next(&queue, &messages, 100), all[sent..]);
            assert_eq!(next(&queue, &messages, 1), all[sent..=sent]);
            queue.advance(1, &mut messages);
        }
        assert!(queue.is_empty() && queue.frames() == 0 && queue.bytes() == 0);
        assert_eq!((queue.held(), messages.held()), (0, 0));
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
            assert_eq!(messages.len(), 0);
        }
    }

    #[test]
    fn an_answer_goes_first() {
        let mut messages = Messages::default();
        let mut queue = Queue::default();
        push(&mut queue, &mut messages, b"\x81\x01a", 1);
        push(&mut queue, &mut messages, b"\x81\x01b", 1);
        let answer = insert(&mut messages, b"HTTP", 0);
        queue.push_answer(answer, &mut messages);
        assert_eq!(next(&queue, &messages, 100), b"HTTP\x81\x01a\x81\x01b");
        queue.advance(6, &mut messages);
        assert_eq!(queue.frames(), 2);
        queue.advance(1, &mut messages);
        assert_eq!(queue.frames(), 1);
    }

    /// A flood of pings costs one pong (RFC 6455 5.5.3), and no room for more.
    #[test]
    fn one_pong_waits() {
        let mut messages = Messages::default();
        let mut queue = Queue::default();
        push(&mut queue, &mut messages, b"\x81\x01a", 1);
        for byte in b'a'..=b'z' {
            messages.reserve().unwrap();
            queue.reserve().unwrap();
            let frame = [&b"\x8a"[..], &[byte - b'a'], &vec![byte; usize::from(byte - b'a')]];
            queue.push_pong(frame.concat(), &mut messages);
            assert_eq!(queue.reserved, 0);
        }
        assert_eq!((queue.frames(), queue.bytes()), (2, 3 + 27));
        assert_eq!(queue.held(), messages.held());
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
        (0..3).for_each(|_| push(&mut queue, &mut messages, b"\x01\x01a\x80\x01b", 2));
        queue.advance(4, &mut messages);
        queue.keep_first(&mut messages);
        assert_eq!((queue.frames(), queue.bytes(), messages.len()), (1, 2, 1));
        assert_eq!(next(&queue, &messages, 100), b"\x01b");
        assert_eq!(queue.held(), messages.held());
    }

    #[test]
    fn clear_gives_all_back() {
        let mut messages = Messages::default();
        let mut queue = Queue::default();
        let id = insert(&mut messages, b"\x81\x01a", 1);
        queue.push(id, &mut messages);
        queue.push(id, &mut messages);
        messages.release(id);
        queue.advance(1, &mut messages);
        queue.clear(&mut messages);
        assert!(queue.is_empty() && queue.frames() == 0 && queue.bytes() == 0);
        assert_eq!((messages.len(), messages.held()), (0, 0));
    }

    /// CONTRACT S22: what small messages take, of which many wait, is little more than their bytes.
    #[test]
    fn small_messages_are_joined() {
        let mut messages = Messages::default();
        let mut queue = Queue::default();
        let shared = insert(&mut messages, b"\x81\x01s", 1);
        queue.push(shared, &mut messages);
        assert!(!queue.join([b"\x81\x01", b"a"], &mut messages), "others have that one, too");
        for _ in 1..WAITING {
            push(
                &mut queue,
                &mut messages,
                &[b"\x82\x7e\x3f\xfc", &[b'l'; JOINED - 4][..]].concat(),
                1,
            );
        }
        let before = (queue.held(), queue.bytes(), messages.len());
        for i in 0..100_000 {
            assert!(queue.join([b"\x81\x01", &[i as u8]], &mut messages), "{i}");
        }
        let (held, bytes) = (queue.held() - before.0, queue.bytes() - before.1);
        assert_eq!((bytes, queue.frames() as usize), (300_000, 100_000 + WAITING));
        assert!(held < bytes * 11 / 10, "{held}");
        queue.advance(before.1, &mut messages);
        assert_eq!(queue.frames(), 100_000);
        for i in 0..100_000 {
            assert_eq!(next(&queue, &messages, 3), [0x81, 1, i as u8], "{i}");
            queue.advance(3, &mut messages);
        }
        assert!(queue.is_empty() && queue.held() == 0);
        messages.release(shared);
        assert_eq!((messages.len(), messages.held()), (0, 0));
    }

    /// Behind a pong, which may yet be replaced, nothing is joined to it.
    #[test]
    fn nothing_is_joined_to_a_pong() {
        let mut messages = Messages::default();
        let mut queue = Queue::default();
        messages.reserve().unwrap();
        queue.push_pong(b"\x8a\x01p".to_vec(), &mut messages);
        assert!(!queue.join([b"\x81\x01", b"a"], &mut messages));
    }
}
