//! Answers that are sent from where the caller has them, without a copy.

use std::io::IoSlice;
use std::os::fd::AsFd;

use dorrit_proto::{Coding, FrameHead, MessageKind, OpCode, fragments};

use crate::engine::Engine;
use crate::event::OutOfMemory;
use crate::output::Rest;
use crate::{ConnId, sys};

/// Shorter answers are copied: several of them go out with one call.
pub(crate) const MIN_DIRECT: usize = 8192;
/// The most fragments that go out with one call.
const MAX_FRAGMENTS: usize = 31;

impl Engine {
    /// Sends the output of a turn, and a plain message behind it, now; false where that is more than a turn
    /// sends. What the socket does not take is queued; that it has failed is acted on when the turn ends.
    pub(crate) fn send_directly(&mut self, id: ConnId, kind: MessageKind, payload: &[u8]) -> bool {
        let max = self.config.max_fragment;
        let count = payload.len().div_ceil(max);
        let most = self.output.len() + count.saturating_mul(FrameHead::MAX) + payload.len();
        if count > MAX_FRAGMENTS || most > self.config.turn() {
            return false;
        }
        let Some(socket) = self.table.get(id).and_then(|conn| conn.socket.as_ref()) else {
            return false;
        };
        let mut heads = [FrameHead::new(OpCode::Continuation, 0); MAX_FRAGMENTS];
        let frames = fragments(kind, Coding::Plain, payload.len(), max);
        for (head, (found, _)) in heads.iter_mut().zip(frames.clone()) {
            *head = found;
        }
        let mut slices = [IoSlice::new(&[]); 1 + 2 * MAX_FRAGMENTS];
        slices[0] = IoSlice::new(self.output.bytes());
        let mut len = self.output.len();
        for ((pair, head), (_, part)) in slices[1..].chunks_exact_mut(2).zip(&heads).zip(frames) {
            len += head.as_bytes().len() + part.len();
            pair[0] = IoSlice::new(head.as_bytes());
            pair[1] = IoSlice::new(&payload[part]);
        }
        let sent = sys::send(socket.as_fd(), &slices[..1 + 2 * count]);
        if sent.as_ref().is_ok_and(|sent| *sent == len) {
            self.output.clear();
            return true;
        }
        let rest = self.rest(kind, payload, *sent.as_ref().unwrap_or(&0), len);
        match (rest.and_then(|rest| self.queue_rest(id, rest)), sent) {
            (Ok(()), Ok(_)) => self.block(id),
            (Ok(()), Err(_)) => self.mute(id),
            // A frame of which a part is lost cannot be made up for.
            (Err(OutOfMemory), _) => self.kill(id),
        }
        self.output.clear();
        true
    }

    /// What is left of the output and the message behind it, `len` bytes altogether, when so many are sent.
    fn rest(
        &self,
        kind: MessageKind,
        payload: &[u8],
        sent: usize,
        len: usize,
    ) -> Result<Rest, OutOfMemory> {
        let max = self.config.max_fragment;
        let mut rest = Rest { bytes: Vec::new(), frames: 0, skip: 0, sent };
        rest.bytes.try_reserve_exact((len - sent + max + FrameHead::MAX).min(len))?;
        if rest.sent < self.output.len() {
            rest.bytes.extend_from_slice(self.output.bytes());
            (rest.frames, rest.skip) = (self.output.frames(), self.output.skip());
        } else {
            rest.sent -= self.output.len();
        }
        for (head, part) in fragments(kind, Coding::Plain, payload.len(), max) {
            let frame_len = head.as_bytes().len() + part.len();
            if rest.bytes.is_empty() && rest.sent >= frame_len {
                rest.sent -= frame_len;
                continue;
            }
            rest.bytes.extend_from_slice(head.as_bytes());
            rest.bytes.extend_from_slice(&payload[part]);
            rest.frames += 1;
        }
        Ok(rest)
    }
}
