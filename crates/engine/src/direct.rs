//! Answers that are sent from where the caller has them, without a copy.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd};

use dorrit_proto::{Coding, FrameHead, MessageKind, OpCode, fragments};

use crate::engine::Engine;
use crate::event::OutOfMemory;
use crate::output::Rest;
use crate::sys::Sent;
use crate::{ConnId, sys};

/// Shorter answers are copied: several of them go out with one call.
pub(crate) const MIN_DIRECT: usize = 8192;
/// The most fragments that go out with one call.
const MAX_FRAGMENTS: usize = 31;

impl Engine {
    /// Sends the output of a turn, and a plain message behind it, now; false where that is more than the turn
    /// may still send. What the socket does not take is queued. Without memory for that, the connection is cut
    /// where a part of it is sent: a frame of which a part is lost cannot be made up for.
    pub(crate) fn send_directly(
        &mut self,
        id: ConnId,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<bool, OutOfMemory> {
        let max = self.config.max_fragment;
        let count = payload.len().div_ceil(max);
        let most = count.saturating_mul(FrameHead::MAX).saturating_add(payload.len());
        if count > MAX_FRAGMENTS || most > self.output.room() {
            return Ok(false);
        }
        let Some(socket) = self.table.get(id).and_then(|conn| conn.socket.as_ref()) else {
            return Ok(false);
        };
        let (socket, output) = (socket.as_fd(), self.output.bytes());
        let (sent, len) = match count {
            1 => send_frame(socket, output, FrameHead::new(kind.into(), payload.len()), payload),
            _ => send_fragments(socket, output, kind, payload, max),
        };
        self.stats.bytes_out += sent.bytes() as u64;
        if sent != Sent::Bytes(len) {
            let rest = self.rest(kind, payload, sent.bytes(), len);
            let queued = rest.and_then(|rest| self.queue_rest(id, rest));
            if let Err(OutOfMemory) = queued {
                if sent.bytes() > 0 {
                    self.kill(id);
                }
                return Err(OutOfMemory);
            }
        }
        self.output.clear();
        self.output.charge(len);
        self.note_sent(id, sent, len);
        Ok(true)
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

/// Sends one frame behind some bytes. Returns how many bytes were sent, and should have been.
fn send_frame(
    socket: BorrowedFd<'_>,
    output: &[u8],
    head: FrameHead,
    payload: &[u8],
) -> (Sent, usize) {
    let parts = [output, head.as_bytes(), payload];
    let slices = parts.map(IoSlice::new);
    let first = usize::from(output.is_empty());
    (sys::send(socket, &slices[first..]), parts.iter().map(|part| part.len()).sum())
}

/// Sends a message in fragments behind some bytes, likewise.
fn send_fragments(
    socket: BorrowedFd<'_>,
    output: &[u8],
    kind: MessageKind,
    payload: &[u8],
    max: usize,
) -> (Sent, usize) {
    let mut heads = [FrameHead::new(OpCode::Continuation, 0); MAX_FRAGMENTS];
    let frames = fragments(kind, Coding::Plain, payload.len(), max);
    for (head, (found, _)) in heads.iter_mut().zip(frames.clone()) {
        *head = found;
    }
    let mut slices = [IoSlice::new(&[]); 1 + 2 * MAX_FRAGMENTS];
    slices[0] = IoSlice::new(output);
    let (mut count, mut len) = (1, output.len());
    for (head, (_, part)) in heads.iter().zip(frames) {
        len += head.as_bytes().len() + part.len();
        slices[count] = IoSlice::new(head.as_bytes());
        slices[count + 1] = IoSlice::new(&payload[part]);
        count += 2;
    }
    (sys::send(socket, &slices[..count]), len)
}
