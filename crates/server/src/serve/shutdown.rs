//! The last word of the program to its clients, where the server stops or hands over.

use dorrit_engine::Engine;
use dorrit_proto::CloseCode;

use super::last_words::LastWords;
use super::{Dispatch, Lost, step};
use crate::abi::{from_id, guard, open_conns};
use crate::event_loop::with_engine;
use crate::program::Program;

impl<P: Program> Dispatch<'_, P> {
    /// Does what signals have asked for, and says the last word where that ends the server.
    pub(super) fn heed_control(&mut self) -> Result<(), Lost> {
        let was_ending = step(|it| it.engine.is_ending())?;
        let process = &mut self.process;
        let is_stopping = guard(Err(Lost), || Ok(process.heed_signals()))?;
        if is_stopping {
            // Before the last word, which an exception may leave.
            let process = &mut self.process;
            guard((), || process.unlisten());
            self.stop(CloseCode::GOING_AWAY);
        } else if !was_ending && step(|it| it.engine.is_ending())? {
            self.last_words = LastWords::remembered();
            self.say_last_words();
        }
        Ok(())
    }

    /// Stops the loop, and tells every client so with this code (CONTRACT S10).
    pub(super) fn stop(&mut self, code: CloseCode) {
        let _stopping = Stopping(code);
        if !with_engine(|engine| engine.is_stopping()).unwrap_or(true) {
            self.say_last_words();
        }
    }

    /// Has the program say its last word to each client that has not had it.
    fn say_last_words(&mut self) {
        if !self.program.has_shutdown() {
            return;
        }
        for id in open_conns() {
            if self.last_words.is_due(id) {
                self.program.shutdown(from_id(id));
            }
        }
    }
}

/// The loop, which stops also where an exception leaves the last word.
struct Stopping(CloseCode);

impl Drop for Stopping {
    fn drop(&mut self) {
        guard((), || {
            let _ = with_engine(|engine: &mut Engine| engine.stop(self.0));
        });
    }
}
