//! Text that is written as far as there is memory for it.

use std::fmt;

/// A buffer for `write!`, which fails where there is no memory.
#[derive(Debug, Default)]
pub(crate) struct Text(pub(crate) String);

impl Text {
    /// An empty buffer, which has no memory yet.
    pub(crate) const fn new() -> Self {
        Self(String::new())
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.try_reserve(text.len()).map_err(|_| fmt::Error)?;
        self.0.push_str(text);
        Ok(())
    }
}
