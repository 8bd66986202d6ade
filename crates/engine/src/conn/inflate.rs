//! Compressed messages, decompressed in pieces of a turn each (CONTRACT S20).

use dorrit_proto::{IncomingError, Inflated, Inflater, MessageKind};

use super::{Conn, Context, Phase};
use crate::event::Told;
use crate::inbox::{Inflation, Source};
use crate::payload::Payload;
use crate::turn::{Step, Turn};

/// So many bytes that are decompressed count as one message of a turn's.
const MESSAGE: usize = 16 * 1024;

impl Conn {
    /// Decompresses a message, and tells it where that does not take more than a turn.
    pub(super) fn deliver_deflated(
        &mut self,
        cx: &mut Context,
        kind: MessageKind,
        source: Source,
    ) -> Step {
        let Some(inflater) = take_inflater(cx) else {
            self.drop_source(cx, source);
            return self.drop_for_memory(cx);
        };
        let out = cx.inbox.inflations.take_memory();
        self.inflate_on(cx, Inflation::new(cx.id, kind, source, inflater, out))
    }

    /// Gives a connection's message that is being decompressed its turn; `None` where there is none. Returns
    /// what there is to tell already.
    pub(super) fn go_on_inflating(&mut self, cx: &mut Context) -> Option<Option<Told>> {
        let inflation = cx.inbox.inflations.take(cx.id)?;
        self.has_rest = false;
        let more = std::mem::take(&mut self.can_read);
        let (pos, is_own) = cx.inbox.take_partial(&mut self.partial, &mut cx.memory);
        cx.turn = Some(Turn::new(cx.id, pos, pos, is_own, more));
        if self.phase != Phase::Open {
            // What comes behind our close frame is passed over.
            self.end_inflation(cx, inflation);
            return Some(None);
        }
        Some(match self.inflate_on(cx, inflation) {
            Step::Event(told) => Some(told),
            Step::Pause => self.end_turn(cx, true),
            Step::Next | Step::End => None,
        })
    }

    /// Frees what a connection's message takes that is being decompressed.
    pub(super) fn drop_inflation(&mut self, cx: &mut Context) {
        if let Some(inflation) = cx.inbox.inflations.take(cx.id) {
            self.end_inflation(cx, inflation);
        }
    }

    fn inflate_on(&mut self, cx: &mut Context, mut inflation: Inflation) -> Step {
        let kind = inflation.kind;
        match inflate(cx, &mut inflation) {
            Ok(Inflated { is_complete: false, .. }) => {
                if cx.inbox.ready_to_suspend(&mut inflation, &mut cx.memory).is_err() {
                    self.end_inflation(cx, inflation);
                    return self.drop_for_memory(cx);
                }
                cx.inbox.inflations.suspend(inflation);
                self.has_rest = true;
                cx.wants.turn();
                Step::Pause
            }
            Ok(_) => {
                self.end_inflation(cx, inflation);
                self.tell_message(cx, kind, Payload::Inflated)
            }
            Err(error) => {
                self.end_inflation(cx, inflation);
                self.failed(cx, error)
            }
        }
    }

    fn end_inflation(&mut self, cx: &mut Context, inflation: Inflation) {
        let source = cx.inbox.inflations.end(inflation, &mut cx.memory);
        self.drop_source(cx, source);
    }

    fn drop_source(&mut self, cx: &mut Context, source: Source) {
        match source {
            Source::Input(_) => {}
            Source::Copy(bytes) => cx.memory.change(bytes.capacity(), 0),
            Source::Incoming(key) => self.release_incoming(cx, key),
        }
    }
}

/// Decompresses as much as a turn may, and counts it as work of the turn.
fn inflate(cx: &mut Context, inflation: &mut Inflation) -> Result<Inflated, IncomingError> {
    let max = cx.config.rules.max_payload;
    if cx.is_memory_full(inflation.growth(max)) {
        return Err(IncomingError::OutOfMemory);
    }
    let inflated = cx.inbox.inflate(inflation, max, &mut cx.memory);
    let messages = inflated.as_ref().map_or(0, |inflated| inflated.work / MESSAGE) as u32;
    let is_due = cx.clock.count(messages);
    if let Some(turn) = &mut cx.turn {
        turn.left = if is_due { 0 } else { turn.left.saturating_sub(messages) };
    }
    inflated
}

fn take_inflater(cx: &mut Context) -> Option<Inflater> {
    if let Some(inflater) = cx.inbox.inflations.take_inflater() {
        return Some(inflater);
    }
    if cx.is_memory_full(Inflater::MEMORY) {
        return None;
    }
    let inflater = Inflater::new()?;
    cx.memory.change(0, Inflater::MEMORY);
    Some(inflater)
}
