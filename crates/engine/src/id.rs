//! The names of connections and timers, and what the caller knows other things by.

use std::num::NonZeroU32;

/// Names a connection for as long as the process runs: no two ever have the same one, whichever loop has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    /// The kind of what is named, the shard, and the index in its table, from the highest bit to the lowest.
    place: u32,
    generation: NonZeroU32,
}

/// Names a timer that was set, for as long as the process runs: no two ever have the same one, and no connection has
/// the number of one. In the order in which they were set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId {
    generation: NonZeroU32,
    /// As that of a connection.
    place: u32,
}

/// What the caller knows a timer or a watched descriptor by: two words of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub usize, pub usize);

/// Where a connection's shard stands in its place.
const SHARD: u32 = 22;
/// Where the kind stands in the place of what is named. The kind of connections is 0.
const KIND: u32 = 30;
/// The kind of timers.
const TIMER: u32 = 1;

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

    /// The connection's index in its table.
    pub(crate) fn index(self) -> usize {
        self.place as usize & (Self::INDICES - 1)
    }

    /// The id with another generation.
    pub(crate) fn with(self, generation: NonZeroU32) -> Self {
        Self { generation, ..self }
    }

    /// The id whose generation is so many behind this one's; `None` where there is none.
    pub(crate) fn later(self, generations: u32) -> Option<Self> {
        let generation = self.generation.checked_add(generations)?;
        (generation != NonZeroU32::MAX).then_some(self.with(generation))
    }

    pub(crate) fn generation(self) -> NonZeroU32 {
        self.generation
    }

    /// The id as a number, never 0 and never `u64::MAX`: kind (2 bits), shard (8) and index (22) in its lower half,
    /// and the generation in the upper one.
    pub fn to_bits(self) -> u64 {
        join(self.generation, self.place)
    }

    /// The id whose number this is. Any other number gives `None`, or an id that names nothing.
    pub fn from_bits(bits: u64) -> Option<Self> {
        let generation = NonZeroU32::new((bits >> 32) as u32)?;
        let place = bits as u32;
        (place >> KIND == 0).then_some(Self { place, generation })
    }
}

impl TimerId {
    /// The id of the timer of a shard before which so many were set; `None` where all ids were given away.
    pub(crate) fn new(shard: u8, earlier: u64) -> Option<Self> {
        let index = (earlier % ConnId::INDICES as u64) as u32;
        let generation = u32::try_from(earlier / ConnId::INDICES as u64).ok()?.checked_add(1)?;
        let generation = NonZeroU32::new(generation).filter(|it| *it != NonZeroU32::MAX)?;
        Some(Self { generation, place: TIMER << KIND | u32::from(shard) << SHARD | index })
    }

    /// The shard of the loop in which it was set.
    pub fn shard(self) -> u8 {
        (self.place >> SHARD) as u8
    }

    /// The id as a number, laid out as that of a [`ConnId`], and never the same.
    pub fn to_bits(self) -> u64 {
        join(self.generation, self.place)
    }

    /// The id whose number this is. Any other number gives `None`, or an id that names nothing.
    pub fn from_bits(bits: u64) -> Option<Self> {
        let generation = NonZeroU32::new((bits >> 32) as u32)?;
        let place = bits as u32;
        (place >> KIND == TIMER).then_some(Self { generation, place })
    }
}

fn join(generation: NonZeroU32, place: u32) -> u64 {
    u64::from(generation.get()) << 32 | u64::from(place)
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

    /// A timer's number is no connection's, and no other timer's.
    #[test]
    fn timers() {
        const INDICES: u64 = ConnId::INDICES as u64;
        const LAST: u64 = INDICES * (u32::MAX as u64 - 1) - 1;
        let counts = [0, 1, INDICES - 1, INDICES, 5 * INDICES + 7, LAST - 1, LAST];
        let ids = counts.map(|count| TimerId::new(3, count).unwrap());
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
        for id in ids {
            let bits = id.to_bits();
            assert_eq!((TimerId::from_bits(bits), id.shard()), (Some(id), 3));
            assert_eq!(ConnId::from_bits(bits), None);
            assert_eq!(TimerId::from_bits(bits ^ 1 << KIND), None);
            assert_eq!(TimerId::from_bits(bits | 2 << KIND), None);
        }
        assert_eq!(TimerId::new(3, LAST + 1), None);
        assert_eq!(TimerId::new(3, u64::MAX), None);
        assert_eq!(TimerId::from_bits(u64::from(TIMER << KIND)), None);
    }
}
