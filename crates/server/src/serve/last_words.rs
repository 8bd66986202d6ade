//! Who has had the last word of the program.

use std::collections::HashSet;

use dorrit_engine::ConnId;

/// Who has had the last word, where the server hands over and those who are there stay for a while.
#[derive(Debug, Default)]
pub(crate) struct LastWords(Option<HashSet<ConnId>>);

impl LastWords {
    /// Nobody yet, of those who are noted from now on.
    pub(super) fn noted() -> Self {
        Self(Some(HashSet::new()))
    }

    /// Whether this client has not had the last word, which it has from now on. Without memory to note that it may
    /// have it twice.
    pub(super) fn is_due(&mut self, id: ConnId) -> bool {
        let Some(told) = &mut self.0 else { return true };
        told.try_reserve(1).is_err() || told.insert(id)
    }
}
