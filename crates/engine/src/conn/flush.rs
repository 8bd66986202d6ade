//! Sending: the answers of a turn at once, and queues in turns.

use std::io::IoSlice;

use super::{Conn, Context, Drain, Listed, Phase, Then};
use crate::event::OutOfMemory;
use crate::outbox::Rest;
use crate::pool::PoolKey;
use crate::reactor::Interest;
use crate::stats::Stats;
use crate::sys::Sent;
use crate::timers::Kind;

/// How many messages of a queue are sent with one call.
const SLICES: usize = 64;

impl Conn {
    /// Sends what the client takes at once: all bytes of a connection go out here. Where there is no way to the
    /// client any more, nothing is to be sent.
    #[inline(always)]
    pub(super) fn write(&self, slices: &[IoSlice<'_>], stats: &mut Stats) -> Sent {
        let Some(transport) = &self.transport else { return Sent::Failed };
        let sent = transport.send(slices);
        stats.bytes_out += sent.bytes() as u64;
        sent
    }

    /// Sends what the turn of a connection produced.
    pub(super) fn send_output(&mut self, cx: &mut Context) {
        let is_flushing = matches!(self.phase, Phase::Flushing(_));
        let owes_drain = self.drain == Drain::Owed;
        let has_queue = self.queue.is_some();
        let all = cx.outbox.output.len();
        if all > 0 {
            if self.transport.is_some() && !self.is_write_closed {
                let sent = self.write(&[IoSlice::new(cx.outbox.output.bytes())], &mut cx.stats);
                if sent != Sent::Bytes(all) {
                    return self.queue_unsent(cx, sent, all);
                }
            }
            cx.outbox.output.clear();
        }
        if has_queue {
            self.flush_after_turn(cx);
        }
        if owes_drain {
            self.note_drained(cx);
        }
        if is_flushing {
            self.proceed(cx);
        }
    }

    /// Queues what was not sent of a turn's output. Where the peer takes nothing more, it is counted as queued
    /// until the connection's end.
    #[inline(never)]
    fn queue_unsent(&mut self, cx: &mut Context, sent: Sent, all: usize) {
        let queued = self.spill_output(cx, sent.bytes());
        cx.outbox.output.clear();
        match queued {
            Ok(()) => self.note_sent(cx, sent, all),
            Err(OutOfMemory) => self.end(cx),
        }
        self.proceed(cx);
    }

    /// Does what follows from a call that was to send so many bytes, of which the rest is queued.
    pub(super) fn note_sent(&mut self, cx: &mut Context, sent: Sent, all: usize) {
        match sent {
            Sent::Bytes(len) if len == all => {}
            Sent::Bytes(_) => {
                self.owe_drain();
                cx.wants.watch(true);
            }
            Sent::Later => {
                self.owe_drain();
                self.retry(cx);
            }
            Sent::Refused => self.note_write_closed(cx),
            Sent::Failed => self.end(cx),
        }
    }

    /// Moves the output of a turn, of which this much is sent, into the connection's queue.
    pub(super) fn spill_output(
        &mut self,
        cx: &mut Context,
        sent: usize,
    ) -> Result<(), OutOfMemory> {
        let output = &cx.outbox.output;
        let len = output.len();
        if len == 0 {
            return Ok(());
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len)?;
        bytes.extend_from_slice(output.bytes());
        let rest = Rest { bytes, frames: output.frames(), skip: output.skip(), sent };
        self.queue = Some(cx.outbox.queue_rest(rest)?);
        cx.outbox.output.clear();
        cx.outbox.output.charge(len);
        Ok(())
    }

    /// Has a connection's queue, which has grown, be sent. In its turn, the end of the turn does.
    pub(super) fn flush_soon(&mut self, cx: &mut Context) {
        if !cx.is_turn() {
            cx.wants.flush();
        }
    }

    /// Has what a turn has queued be sent: in this round where it is not more than the turn may still send, else
    /// in the next (CONTRACT D16).
    #[inline(never)]
    fn flush_after_turn(&mut self, cx: &mut Context) {
        if cx.outbox.output.is_used_up() && self.interest == Interest::Read {
            self.resume_sending(cx);
        } else {
            cx.wants.flush();
        }
    }

    /// Notes that what is queued is to be sent in this round, unless it waits for the socket, or its turn comes in
    /// the next one anyway. Returns whether that is news.
    pub(crate) fn note_dirty(&mut self) -> bool {
        if self.interest != Interest::Read {
            return false;
        }
        if self.listed.is_in(Listed::NEXT) {
            self.can_write = true;
            return false;
        }
        self.listed.enter(Listed::DIRTY)
    }

    /// Sends from a connection's queue what the socket takes, as much as a turn allows. Returns how many
    /// bytes that was.
    #[inline(never)]
    pub(super) fn flush(&mut self, cx: &mut Context) -> usize {
        let (Some(key), true, false) = (self.queue, self.transport.is_some(), self.is_write_closed)
        else {
            self.proceed(cx);
            return 0;
        };
        let (queue, frames) = (&cx.outbox.queues[key], &cx.outbox.frames);
        let budget = cx.config.turn();
        let (sent, total) = match queue.only(frames, budget) {
            Some(bytes) => (self.write(&[IoSlice::new(bytes)], &mut cx.stats), bytes.len()),
            None => {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let (count, total) = queue.slices(frames, budget, &mut slices);
                (self.write(&slices[..count], &mut cx.stats), total)
            }
        };
        let len = sent.bytes();
        self.is_stalled &= len == 0;
        if len == cx.outbox.queues[key].bytes() {
            self.finish_flush(cx, key);
        } else {
            cx.outbox.queues[key].advance(len, &mut cx.outbox.frames);
            self.note_sent(cx, sent, total);
            if sent == Sent::Bytes(total) {
                self.owe_drain();
                self.resume_sending(cx);
            }
        }
        len
    }

    /// Goes on where all that was queued for a connection is sent.
    fn finish_flush(&mut self, cx: &mut Context, key: PoolKey) {
        cx.outbox.drop_queue(key);
        self.queue = None;
        self.note_drained(cx);
        if self.interest != Interest::Read {
            cx.wants.watch(false);
        }
        if matches!(self.phase, Phase::Flushing(_)) {
            self.proceed(cx);
        }
    }

    /// The peer takes nothing more. What it has sent is still read, to its end.
    fn note_write_closed(&mut self, cx: &mut Context) {
        self.is_write_closed = true;
        if self.is_open() { self.resume(cx) } else { self.end(cx) }
    }

    /// Has the loop try again soon what the system had no memory for.
    pub(super) fn retry(&mut self, cx: &mut Context) {
        cx.wants.deadline(Kind::Retry);
    }

    /// Frees a connection's queue.
    pub(crate) fn drop_queue(&mut self, cx: &mut Context) {
        if let Some(key) = self.queue.take() {
            cx.outbox.drop_queue(key);
        }
    }

    /// Goes on with a connection that waited for its queue to be empty, where it is.
    pub(super) fn proceed(&mut self, cx: &mut Context) {
        let Phase::Flushing(then) = self.phase else { return };
        if self.queue.is_some() && !self.is_write_closed {
            return;
        }
        match then {
            Then::AwaitClose => {
                self.phase = Phase::AwaitingClose;
                cx.wants.deadline(Kind::Close);
                self.resume(cx);
            }
            Then::Discard => {
                self.phase = Phase::Discarding;
                match self.transport.as_ref().map(|transport| transport.shutdown()) {
                    Some(Ok(())) => {
                        cx.wants.deadline(Kind::Close);
                        self.resume(cx);
                    }
                    _ => self.end(cx),
                }
            }
            Then::Close => self.end(cx),
            Then::Respond => self.send_body(cx),
        }
    }
}
