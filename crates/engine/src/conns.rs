//! The table of connections.

use std::collections::TryReserveError;
use std::num::NonZeroU32;

use crate::conn::Conn;
use crate::id::ConnId;

/// Connections by their id. It takes its memory when it is made, and none later.
pub(crate) struct Conns {
    /// Which table it is.
    shard: u8,
    /// The generation of the first connection in each slot.
    first: NonZeroU32,
    slots: Vec<Slot>,
    vacant: Option<u32>,
    len: usize,
    capacity: usize,
}

struct Slot {
    /// The generation of the connection that is there, or of the next one.
    generation: NonZeroU32,
    content: Content,
}

enum Content {
    Conn(Conn),
    Vacant { next: Option<u32> },
}

impl Conns {
    /// The table of a shard, with room for so many, whose generations begin here.
    pub(crate) fn new(
        shard: u8,
        first: NonZeroU32,
        capacity: usize,
    ) -> Result<Self, TryReserveError> {
        let capacity = capacity.min(ConnId::INDICES);
        let mut slots = Vec::new();
        slots.try_reserve_exact(capacity)?;
        Ok(Self { shard, first, slots, vacant: None, len: 0, capacity })
    }

    /// The first generation of which no connection has had an id, nor has in any other slot. `requests` says how many ids
    /// a connection has had besides its own.
    pub(crate) fn next_generation(&self, requests: impl Fn(&Conn) -> u32) -> NonZeroU32 {
        let next = |slot: &Slot| match &slot.content {
            Content::Conn(conn) => slot.generation.saturating_add(requests(conn)).saturating_add(1),
            Content::Vacant { .. } => slot.generation,
        };
        self.slots.iter().map(next).max().unwrap_or(self.first)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len == self.capacity
    }

    /// Whether a connection is there.
    pub(crate) fn has(&self, id: ConnId) -> bool {
        self.get(id).is_some()
    }

    /// The id of the connection that is put in next; `None` where the table is full.
    pub(crate) fn next_id(&self) -> Option<ConnId> {
        if self.is_full() {
            return None;
        }
        match self.vacant {
            Some(index) => {
                let index = index as usize;
                Some(ConnId::new(self.shard, index, self.slots[index].generation))
            }
            // All that are left may have used their generations up.
            None if self.slots.len() == ConnId::INDICES => None,
            None => Some(ConnId::new(self.shard, self.slots.len(), self.first)),
        }
    }

    /// Puts a connection in; `None` where the table is full.
    pub(crate) fn insert(&mut self, conn: Conn) -> Option<ConnId> {
        let id = self.next_id()?;
        self.len += 1;
        match self.slots.get_mut(id.index_in(self.shard)) {
            Some(slot) => {
                if let Content::Vacant { next } = slot.content {
                    self.vacant = next;
                }
                slot.content = Content::Conn(conn);
            }
            None => {
                let generation = id.generation();
                self.slots.push(Slot { generation, content: Content::Conn(conn) });
            }
        }
        Some(id)
    }

    /// Takes a connection out, which has had so many ids besides its own: one for each plain request.
    pub(crate) fn remove(&mut self, id: ConnId, requests: u32) -> Option<Conn> {
        let slot = self.slots.get_mut(id.index_in(self.shard))?;
        if slot.generation != id.generation() || matches!(slot.content, Content::Vacant { .. }) {
            return None;
        }
        let vacant = Content::Vacant { next: self.vacant };
        let Content::Conn(conn) = std::mem::replace(&mut slot.content, vacant) else { return None };
        self.len -= 1;
        // A slot whose generations are used up is never used again: an id names one connection, or one request.
        let used = requests.saturating_add(1);
        let next = slot.generation.checked_add(used).filter(|next| *next != NonZeroU32::MAX);
        if let Some(generation) = next {
            slot.generation = generation;
            self.vacant = Some(id.index_in(self.shard) as u32);
        } else {
            slot.content = Content::Vacant { next: None };
            slot.generation = NonZeroU32::MAX;
        }
        Some(conn)
    }

    pub(crate) fn get(&self, id: ConnId) -> Option<&Conn> {
        match self.slots.get(id.index_in(self.shard)) {
            Some(Slot { generation, content: Content::Conn(conn) })
                if *generation == id.generation() =>
            {
                Some(conn)
            }
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        match self.slots.get_mut(id.index_in(self.shard)) {
            Some(Slot { generation, content: Content::Conn(conn) })
                if *generation == id.generation() =>
            {
                Some(conn)
            }
            _ => None,
        }
    }

    /// The connection that is where the one with this id is, or was.
    pub(crate) fn at(&self, id: ConnId) -> Option<(ConnId, &Conn)> {
        let index = id.index_in(self.shard);
        let slot = self.slots.get(index)?;
        let Content::Conn(conn) = &slot.content else { return None };
        Some((ConnId::new(self.shard, index, slot.generation), conn))
    }

    /// The index of a connection in the table; of another table's, one that this does not have.
    #[inline(always)]
    pub(crate) fn index(&self, id: ConnId) -> usize {
        id.index_in(self.shard)
    }

    /// The id of the first connection at or behind this index.
    pub(crate) fn first_from(&self, index: usize) -> Option<ConnId> {
        let slots = self.slots.iter().enumerate().skip(index);
        slots
            .filter(|(_, slot)| matches!(slot.content, Content::Conn(_)))
            .map(|(index, slot)| ConnId::new(self.shard, index, slot.generation))
            .next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::tests::conn;

    /// CONTRACT S6: an id names one connection, however often its slot is used.
    #[test]
    fn stale_ids_are_recognised() {
        let mut conns = Conns::new(0, NonZeroU32::MIN, 2).unwrap();
        let first = conns.insert(conn()).unwrap();
        let second = conns.insert(conn()).unwrap();
        assert!(conns.insert(conn()).is_none());
        assert!(conns.remove(first, 0).is_some());
        assert!(conns.remove(first, 0).is_none());
        let third = conns.insert(conn()).unwrap();
        assert_eq!(conns.index(third), conns.index(first));
        assert_ne!(third, first);
        assert!(conns.get(first).is_none() && conns.get_mut(first).is_none());
        assert!(conns.get(second).is_some() && conns.get(third).is_some());
        assert_eq!(conns.first_from(0), Some(third));
        assert_eq!(conns.first_from(2), None);
    }

    /// A table that begins behind another one gives none of its ids.
    #[test]
    fn a_table_after_another() {
        let mut earlier = Conns::new(0, NonZeroU32::MIN, 2).unwrap();
        assert_eq!(earlier.next_generation(|_| 0), NonZeroU32::MIN);
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(earlier.insert(conn()).unwrap());
            earlier.remove(ids[ids.len() - 1], 0);
        }
        assert_eq!(earlier.next_generation(|_| 0).get(), 4);
        ids.push(earlier.insert(conn()).unwrap());
        assert_eq!(earlier.next_generation(|_| 0).get(), 5);
        let mut later = Conns::new(0, earlier.next_generation(|_| 0), 2).unwrap();
        for _ in 0..2 {
            let id = later.insert(conn()).unwrap();
            assert!(!ids.contains(&id));
        }
        assert!(ids.iter().all(|id| !later.has(*id)));
    }

    #[test]
    fn a_slot_without_further_generations_is_retired() {
        let mut conns = Conns::new(0, NonZeroU32::MIN, 1).unwrap();
        let first = conns.insert(conn()).unwrap();
        conns.remove(first, 0);
        conns.slots[0].generation = NonZeroU32::new(u32::MAX - 1).unwrap();
        let last = conns.insert(conn()).unwrap();
        assert_eq!(last.generation().get(), u32::MAX - 1);
        conns.remove(last, 0);
        let next = conns.insert(conn()).unwrap();
        assert_eq!((conns.index(next), next.generation()), (1, NonZeroU32::MIN));
    }

    #[test]
    fn any_bits_are_safe() {
        let conns = Conns::new(0, NonZeroU32::MIN, 1).unwrap();
        assert!(ConnId::from_bits(0).is_none());
        assert!(ConnId::from_bits(u64::from(u32::MAX)).is_none());
        for bits in [1 << 32, u64::MAX, 0x7fff_ffff_dead_beef] {
            assert!(ConnId::from_bits(bits).is_none_or(|id| conns.get(id).is_none()));
        }
    }
}
