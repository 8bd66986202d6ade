//! The names of connections.

use std::num::NonZeroU32;

/// Names a connection for as long as the server runs: no two ever have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    index: u32,
    generation: NonZeroU32,
}

impl ConnId {
    /// Names no connection, ever.
    pub(crate) const NONE: Self = Self { index: u32::MAX, generation: NonZeroU32::MAX };

    pub(crate) fn new(index: u32, generation: NonZeroU32) -> Self {
        Self { index, generation }
    }

    pub(crate) fn index(self) -> usize {
        self.index as usize
    }

    pub(crate) fn generation(self) -> NonZeroU32 {
        self.generation
    }

    /// The id as a number, never 0 and never `u64::MAX`.
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation.get()) << 32 | u64::from(self.index)
    }

    /// The id whose number this is. Any other number gives `None`, or an id that names nothing.
    pub fn from_bits(bits: u64) -> Option<Self> {
        let generation = NonZeroU32::new((bits >> 32) as u32)?;
        Some(Self { index: bits as u32, generation })
    }
}
