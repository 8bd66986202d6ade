//! The names of connections.

use std::num::NonZeroU32;

/// Names a connection for as long as the server runs: no two ever have the same one, whichever loop has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    /// The kind of what is named, the shard, and the index in its table, from the highest bit to the lowest.
    place: u32,
    generation: NonZeroU32,
}

/// Where a connection's shard stands in its place.
const SHARD: u32 = 22;
/// Where the kind stands in the place of what is named. The kind of connections is 0.
const KIND: u32 = 30;

impl ConnId {
    /// Names no connection, ever.
    pub(crate) const NONE: Self = Self { place: u32::MAX, generation: NonZeroU32::MAX };
    /// How many connections a shard can have at a time.
    pub(crate) const INDICES: usize = 1 << SHARD;

    pub(crate) fn new(shard: u8, index: usize, generation: NonZeroU32) -> Self {
        Self { place: u32::from(shard) << SHARD | index as u32, generation }
    }

    /// The table to which the connection belongs.
    pub fn shard(self) -> u8 {
        (self.place >> SHARD) as u8
    }

    /// The connection's index in the table of this shard; where it is in another one, an index that no table has.
    #[inline(always)]
    pub(crate) fn index_in(self, shard: u8) -> usize {
        (self.place ^ u32::from(shard) << SHARD) as usize
    }

    pub(crate) fn generation(self) -> NonZeroU32 {
        self.generation
    }

    /// The id as a number, never 0 and never `u64::MAX`: kind (2 bits), shard (8) and index (22) in its lower half,
    /// and the generation in the upper one.
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation.get()) << 32 | u64::from(self.place)
    }

    /// The id whose number this is. Any other number gives `None`, or an id that names nothing.
    pub fn from_bits(bits: u64) -> Option<Self> {
        let generation = NonZeroU32::new((bits >> 32) as u32)?;
        let place = bits as u32;
        (place >> KIND == 0).then_some(Self { place, generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CONTRACT F6: what is of another kind, or another shard's, is known as such.
    #[test]
    fn kind_and_shard() {
        let generation = NonZeroU32::new(7).unwrap();
        for (shard, index) in [(0, 0), (3, 5), (255, ConnId::INDICES - 1)] {
            let id = ConnId::new(shard, index, generation);
            assert_eq!(ConnId::from_bits(id.to_bits()), Some(id));
            assert_eq!((id.shard(), id.index_in(shard)), (shard, index));
            assert!(id.index_in(shard ^ 1) >= ConnId::INDICES);
            for kind in 1..4 {
                assert_eq!(ConnId::from_bits(id.to_bits() | kind << KIND), None);
            }
        }
    }
}
