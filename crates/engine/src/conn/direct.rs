//! Answers that are sent from where the caller has them, without a copy.

use std::io::IoSlice;

use dorrit_proto::{Coding, FrameHead, MessageKind, OpCode, fragments};

use super::{Conn, Context};
use crate::event::OutOfMemory;
use crate::outbox::{Output, Rest};
use crate::stats::Stats;
use crate::sys::Sent;

/// The most fragments that go out with one call.
const MAX_FRAGMENTS: usize = 31;

impl Conn {
    /// Sends the output of a turn, and a plain message behind it, now; false where that is more than the turn
    /// may still send. What the socket does not take is queued. Without memory for that, the connection is cut
    /// where a part of it is sent: a frame of which a part is lost cannot be made up for.
    #[inline(never)]
    pub(super) fn send_directly(
        &mut self,
        cx: &mut Context,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<bool, OutOfMemory> {
        let max = cx.config.max_fragment;
        let count = payload.len().div_ceil(max);
        let most = count.saturating_mul(FrameHead::MAX).saturating_add(payload.len());
        if count > MAX_FRAGMENTS || most > cx.outbox.output.room() || self.transport.is_none() {
            return Ok(false);
        }
        let output = cx.outbox.output.bytes();
        let (sent, len) = match count {
            1 => {
                let head = FrameHead::new(kind.into(), payload.len());
                self.write_frame(output, head, payload, &mut cx.stats)
            }
            _ => self.write_fragments(output, kind, payload, max, &mut cx.stats),
        };
        if sent != Sent::Bytes(len) {
            let rest = rest(&cx.outbox.output, kind, payload, max, sent.bytes(), len);
            match rest.and_then(|rest| cx.outbox.queue_rest(rest)) {
                Ok(key) => self.queue = Some(key),
                Err(OutOfMemory) => {
                    if sent.bytes() > 0 {
                        self.end(cx);
                    }
                    return Err(OutOfMemory);
                }
            }
        }
        cx.outbox.output.clear();
        cx.outbox.output.charge(len);
        self.note_sent(cx, sent, len);
        Ok(true)
    }

    /// Sends one frame behind some bytes. Returns how many bytes were sent, and should have been.
    fn write_frame(
        &self,
        output: &[u8],
        head: FrameHead,
        payload: &[u8],
        stats: &mut Stats,
    ) -> (Sent, usize) {
        let parts = [output, head.as_bytes(), payload];
        let slices = parts.map(IoSlice::new);
        let first = usize::from(output.is_empty());
        (self.write(&slices[first..], stats), parts.iter().map(|part| part.len()).sum())
    }

    /// Sends a message in fragments behind some bytes. Returns how many bytes were sent, and should have been.
    #[inline(never)]
    fn write_fragments(
        &self,
        output: &[u8],
        kind: MessageKind,
        payload: &[u8],
        max: usize,
        stats: &mut Stats,
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
        (self.write(&slices[..count], stats), len)
    }
}

/// What is left of the output and the message behind it, `len` bytes altogether, when so many are sent.
fn rest(
    output: &Output,
    kind: MessageKind,
    payload: &[u8],
    max: usize,
    sent: usize,
    len: usize,
) -> Result<Rest, OutOfMemory> {
    let mut rest = Rest { bytes: Vec::new(), frames: 0, skip: 0, sent };
    rest.bytes.try_reserve_exact((len - sent + max + FrameHead::MAX).min(len))?;
    if rest.sent < output.len() {
        rest.bytes.extend_from_slice(output.bytes());
        (rest.frames, rest.skip) = (output.frames(), output.skip());
    } else {
        rest.sent -= output.len();
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
