//! Compressed messages, decompressed in pieces of a turn each (CONTRACT S20).

use std::collections::TryReserveError;
use std::ops::Range;

use dorrit_proto::{IncomingError, Inflated, Inflater, MessageKind};

use crate::ConnId;
use crate::conn::Phase;
use crate::engine::Engine;
use crate::event::Told;
use crate::message::Message;
use crate::pool::Key;
use crate::turn::{Step, Turn};

/// How many bytes are taken and given in a turn.
const WORK: usize = 1 << 20;
/// So many of them count as one message of a turn's.
const MESSAGE: usize = 16 * 1024;

/// A message that is being decompressed.
pub(crate) struct Inflation {
    conn: ConnId,
    kind: MessageKind,
    source: Source,
    inflater: Inflater,
    /// What has come out.
    out: Vec<u8>,
}

/// Where a compressed message is.
pub(crate) enum Source {
    /// In the input.
    Input(Range<usize>),
    /// Copied from there, so that the input can go on.
    Copy(Vec<u8>),
    /// Where it came in parts.
    Incoming(Key),
}

impl Engine {
    /// Decompresses a message, and tells it where that does not take more than a turn.
    pub(crate) fn deliver_deflated(
        &mut self,
        id: ConnId,
        kind: MessageKind,
        source: Source,
    ) -> Step {
        let Some(mut inflater) = self.take_inflater() else {
            self.drop_source(id, source);
            return self.drop_for_memory(id);
        };
        let mut out = std::mem::take(&mut self.inflated);
        inflater.begin(&mut out);
        self.go_on_with(Inflation { conn: id, kind, source, inflater, out })
    }

    /// Gives a connection's message that is being decompressed its turn; `None` where there is none. Returns
    /// what there is to tell already.
    pub(crate) fn go_on_inflating(&mut self, id: ConnId) -> Option<Option<Told>> {
        let at = self.inflations.iter().position(|inflation| inflation.conn == id)?;
        let inflation = self.inflations.swap_remove(at);
        let conn = self.table.get_mut(id)?;
        conn.has_rest = false;
        let (phase, more) = (conn.phase, std::mem::take(&mut conn.can_read));
        let (pos, is_own) = self.take_kept(id);
        self.turn = Some(Turn::new(id, pos, pos, is_own, more));
        if phase != Phase::Open {
            // What comes behind our close frame is passed over.
            self.end_inflation(inflation);
            return Some(None);
        }
        Some(match self.go_on_with(inflation) {
            Step::Event(event) => Some(event),
            Step::Pause => self.end_turn(true),
            Step::Next | Step::End => None,
        })
    }

    /// How much memory a connection's message takes that is being decompressed, in bytes.
    pub(crate) fn inflating(&self, id: ConnId) -> usize {
        let mut all = self.inflations.iter();
        all.find(|inflation| inflation.conn == id).map_or(0, |inflation| {
            let copy =
                if let Source::Copy(bytes) = &inflation.source { bytes.capacity() } else { 0 };
            copy + inflation.out.capacity()
        })
    }

    /// Frees what a connection's message takes that is being decompressed.
    pub(crate) fn drop_inflation(&mut self, id: ConnId) {
        if let Some(at) = self.inflations.iter().position(|inflation| inflation.conn == id) {
            let inflation = self.inflations.swap_remove(at);
            self.end_inflation(inflation);
        }
    }

    fn go_on_with(&mut self, mut inflation: Inflation) -> Step {
        let (id, kind) = (inflation.conn, inflation.kind);
        let inflated = self.inflate(&mut inflation);
        match inflated {
            Ok(Inflated { is_complete: false, .. }) => {
                match self.ready_to_suspend(&mut inflation) {
                    Ok(()) => {
                        self.suspend(inflation);
                        Step::Pause
                    }
                    Err(_) => {
                        self.end_inflation(inflation);
                        self.drop_for_memory(id)
                    }
                }
            }
            Ok(_) => {
                self.end_inflation(inflation);
                self.tell_message(id, kind, Message::Inflated)
            }
            Err(error) => {
                self.end_inflation(inflation);
                self.failed(id, error)
            }
        }
    }

    /// Decompresses as much as a turn may.
    fn inflate(&mut self, inflation: &mut Inflation) -> Result<Inflated, IncomingError> {
        let Inflation { kind, source, inflater, out, .. } = inflation;
        let max = self.config.rules.max_payload;
        let before = out.capacity();
        let most = (out.len() + WORK).max(2 * before).min(max + 1);
        if self.is_memory_full(most.saturating_sub(before)) {
            return Err(IncomingError::OutOfMemory);
        }
        let inflated = match source {
            Source::Input(at) => inflater.inflate(*kind, &self.input[at.clone()], max, WORK, out),
            Source::Copy(bytes) => inflater.inflate(*kind, bytes, max, WORK, out),
            Source::Incoming(key) => {
                let message = self.incoming[*key].message();
                inflater.inflate(*kind, &message[..message.len() - 1], max, WORK, out)
            }
        };
        self.memory.change(before, out.capacity());
        let messages = inflated.as_ref().map_or(0, |inflated| inflated.work / MESSAGE) as u32;
        let is_due = self.clock.count(messages);
        if let Some(turn) = &mut self.turn {
            turn.left = if is_due { 0 } else { turn.left.saturating_sub(messages) };
        }
        inflated
    }

    /// Takes all the memory that a message needs to go on in another turn.
    fn ready_to_suspend(&mut self, inflation: &mut Inflation) -> Result<(), TryReserveError> {
        self.inflations.try_reserve(1)?;
        if let Source::Input(at) = &inflation.source {
            let mut copy = Vec::new();
            copy.try_reserve_exact(at.len())?;
            copy.extend_from_slice(&self.input[at.clone()]);
            self.memory.change(0, copy.capacity());
            inflation.source = Source::Copy(copy);
        }
        Ok(())
    }

    /// Has a message go on in its connection's next turn.
    fn suspend(&mut self, inflation: Inflation) {
        let id = inflation.conn;
        self.inflations.push(inflation);
        if let Some(conn) = self.table.get_mut(id) {
            conn.has_rest = true;
            self.ready.push_next(id, &mut self.table);
        }
    }

    /// Keeps what came out as the message that was decompressed last, and gives the rest back.
    fn end_inflation(&mut self, inflation: Inflation) {
        let Inflation { conn, source, inflater, out, .. } = inflation;
        self.drop_source(conn, source);
        self.memory.change(self.inflated.capacity(), 0);
        self.inflated = out;
        if self.inflater.replace(inflater).is_some() {
            self.memory.change(Inflater::MEMORY, 0);
        }
    }

    fn drop_source(&mut self, id: ConnId, source: Source) {
        match source {
            Source::Input(_) => {}
            Source::Copy(bytes) => self.memory.change(bytes.capacity(), 0),
            Source::Incoming(key) => self.release_incoming(id, key),
        }
    }

    fn take_inflater(&mut self) -> Option<Inflater> {
        if self.inflater.is_some() {
            return self.inflater.take();
        }
        if self.is_memory_full(Inflater::MEMORY) {
            return None;
        }
        let inflater = Inflater::new()?;
        self.memory.change(0, Inflater::MEMORY);
        Some(inflater)
    }
}
