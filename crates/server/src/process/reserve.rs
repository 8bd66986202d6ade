//! The libraries' allocator: the system's, and where that has no memory a reserve for what is small.
//!
//! What is large, or grows with what clients send, is asked for by `try_reserve` and reported where it is
//! not to be had. All else, Rust's own library among it, would end the process: the reserve carries it
//! on until the loop has made room (CONTRACT S14).

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::owner::own_loop;

// A fuzz target counts what is allocated, by an allocator of its own.
#[cfg_attr(not(fuzzing), global_allocator)]
static ALLOCATOR: Allocator = Allocator;

/// Whether the system had no memory for something small since that was asked last.
static IS_SHORT: AtomicBool = AtomicBool::new(false);
/// Whether what the server's thread allocates must not come from the reserve.
static IS_SPARED: AtomicBool = AtomicBool::new(false);
static RESERVE: Reserve = Reserve {
    memory: UnsafeCell::new(Memory([0; SIZE])),
    taken: [const { AtomicU64::new(0) }; SLOTS / 64],
};

/// Whether the system had no memory for something small since the last call.
pub(crate) fn take_shortage() -> bool {
    IS_SHORT.load(Ordering::Relaxed) && IS_SHORT.swap(false, Ordering::Relaxed)
}

/// While this lives, the server's thread does without the reserve; see [`without_reserve`].
pub(crate) struct WithoutReserve(());

impl WithoutReserve {
    /// Has the server's thread do without the reserve from now on.
    #[inline(always)]
    pub(crate) fn begin() -> Self {
        IS_SPARED.store(true, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for WithoutReserve {
    #[inline(always)]
    fn drop(&mut self) {
        IS_SPARED.store(false, Ordering::Relaxed);
    }
}

/// Acts without the reserve, on the server's thread: for what reports that it had no memory, so that
/// nothing of the kind, however often it comes, takes what others cannot go on without.
#[inline(always)]
pub(crate) fn without_reserve<R>(act: impl FnOnce() -> R) -> R {
    let _without = WithoutReserve::begin();
    act()
}

/// Gives back to the system what the C library keeps of memory that was freed.
pub(crate) fn trim_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it touches nothing that is allocated.
    unsafe {
        libc::malloc_trim(0)
    };
}

struct Allocator;

// SAFETY: each place comes from the system's allocator or from the reserve, which can be told by its
// address, and goes back where it came from.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let place = unsafe { System.alloc(layout) };
        if place.is_null() { serve(layout) } else { place }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let place = unsafe { System.alloc_zeroed(layout) };
        if !place.is_null() {
            return place;
        }
        let place = serve(layout);
        if !place.is_null() {
            // SAFETY: the place is as long as that, and nobody else's.
            unsafe { place.write_bytes(0, layout.size()) };
        }
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        match RESERVE.offset(place) {
            Some(offset) => RESERVE.give_back(offset),
            // SAFETY: the caller's promise; it is none of the reserve's.
            None => unsafe { System.dealloc(place, layout) },
        }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        let is_reserve = RESERVE.offset(place).is_some();
        if !is_reserve {
            // SAFETY: the caller's promise; it is none of the reserve's.
            let moved = unsafe { System.realloc(place, layout, len) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: the caller's promise.
        let wanted = unsafe { Layout::from_size_align_unchecked(len, layout.align()) };
        // Back to the system where it has memory again.
        // SAFETY: the caller's promise.
        let moved = if is_reserve { unsafe { self.alloc(wanted) } } else { serve(wanted) };
        if !moved.is_null() {
            // SAFETY: both are as long as that, and the new one is nobody else's.
            unsafe { moved.copy_from_nonoverlapping(place, layout.size().min(len)) };
            // SAFETY: the caller's promise.
            unsafe { self.dealloc(place, layout) };
        }
        moved
    }
}

/// A place in the reserve, for what the system has no memory for; NULL where there is none.
#[cold]
fn serve(layout: Layout) -> *mut u8 {
    if layout.size() > LARGEST {
        return std::ptr::null_mut();
    }
    IS_SHORT.store(true, Ordering::Relaxed);
    let is_spared = IS_SPARED.load(Ordering::Relaxed) && own_loop().is_some();
    // A panic allocates, and is no time to find nothing.
    if is_spared && !std::thread::panicking() {
        return std::ptr::null_mut();
    }
    RESERVE.take(layout).unwrap_or(std::ptr::null_mut())
}

/// Memory in slots of a few lengths. It has no lock, which a forked child would find locked for ever: that
/// is why it is none of the allocators that there are.
struct Reserve {
    /// The memory, which is touched, and so made, where it is needed.
    memory: UnsafeCell<Memory>,
    /// A bit for each slot, in the order of [`CLASSES`].
    taken: [AtomicU64; SLOTS / 64],
}

// SAFETY: a slot is touched by the one who has set its bit alone.
unsafe impl Sync for Reserve {}

#[repr(align(4096))]
struct Memory(#[expect(dead_code, reason = "it is reached by its address")] [u8; SIZE]);

/// Slots of one length.
struct Class {
    len: usize,
    count: usize,
    /// Where the slots begin in the memory.
    start: usize,
    /// Where the slots begin in the bits.
    first: usize,
}

/// The longest that is served, in bytes.
const LARGEST: usize = 32 * 1024;
const CLASSES: [Class; 5] = classes([(64, 256), (256, 128), (1024, 64), (4096, 20), (LARGEST, 2)]);
const SIZE: usize = 256 * 1024;
const SLOTS: usize = 512;

const fn classes(lengths: [(usize, usize); 5]) -> [Class; 5] {
    let mut classes = [const { Class { len: 0, count: 0, start: 0, first: 0 } }; 5];
    let (mut index, mut start, mut first) = (0, 0, 0);
    while index < lengths.len() {
        let (len, count) = lengths[index];
        classes[index] = Class { len, count, start, first };
        (index, start, first) = (index + 1, start + len * count, first + count);
    }
    assert!(start <= SIZE && first <= SLOTS);
    classes
}

impl Reserve {
    /// How far from the start a place is, where it is one of the reserve's.
    fn offset(&self, place: *mut u8) -> Option<usize> {
        let offset = place.addr().wrapping_sub(self.memory.get().addr());
        (offset < SIZE).then_some(offset)
    }

    /// Takes the shortest slot that is long enough.
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        if layout.align() > align_of::<Memory>() {
            return None;
        }
        // Each length is its slots' alignment too, up to that of the memory.
        let len = layout.size().max(layout.align());
        let long_enough = CLASSES.iter().filter(|class| class.len >= len);
        let offset = long_enough.into_iter().find_map(|class| {
            let slot = (0..class.count).find(|slot| self.take_slot(class.first + slot))?;
            Some(class.start + slot * class.len)
        })?;
        Some(self.memory.get().cast::<u8>().wrapping_add(offset))
    }

    /// Takes the slot; false where somebody has it.
    fn take_slot(&self, slot: usize) -> bool {
        let bit = 1 << (slot % 64);
        self.taken[slot / 64].fetch_or(bit, Ordering::Acquire) & bit == 0
    }

    fn give_back(&self, offset: usize) {
        let Some(class) = CLASSES.iter().rfind(|class| class.start <= offset) else { return };
        let slot = class.first + (offset - class.start) / class.len;
        self.taken[slot / 64].fetch_and(!(1 << (slot % 64)), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reserve() -> Box<Reserve> {
        let memory = UnsafeCell::new(Memory([0; SIZE]));
        Box::new(Reserve { memory, taken: [const { AtomicU64::new(0) }; SLOTS / 64] })
    }

    fn layout(len: usize, align: usize) -> Layout {
        Layout::from_size_align(len, align).unwrap()
    }

    #[test]
    fn slots_are_long_enough_and_apart() {
        let reserve = reserve();
        let lengths = [1, 64, 65, 256, 1000, 4096, 5000, LARGEST];
        let mut taken = Vec::new();
        while let Some(place) =
            lengths.iter().find_map(|&len| Some((reserve.take(layout(len, 8))?, len)))
        {
            taken.push((reserve.offset(place.0).unwrap(), place.1));
        }
        taken.sort();
        assert!(taken.windows(2).all(|two| two[0].0 + two[0].1 <= two[1].0));
        assert_eq!(taken.len(), CLASSES.iter().map(|class| class.count).sum::<usize>());
        assert!(reserve.take(layout(1, 1)).is_none());
        taken.iter().for_each(|(offset, ..)| reserve.give_back(*offset));
        assert!(reserve.taken.iter().all(|bits| bits.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn what_is_too_long_is_not_served() {
        let reserve = reserve();
        assert!(reserve.take(layout(LARGEST + 1, 1)).is_none());
        assert!(reserve.take(layout(1, 8192)).is_none());
        let aligned = reserve.take(layout(1, 4096)).unwrap();
        assert_eq!(aligned.addr() % 4096, 0);
        let longest = [(); 2].map(|()| reserve.take(layout(LARGEST, 1)).unwrap());
        assert!(reserve.take(layout(LARGEST, 1)).is_none());
        let [first, second] = longest.map(|place| reserve.offset(place).unwrap());
        assert!(first.abs_diff(second) >= LARGEST && first.max(second) + LARGEST <= SIZE);
    }

    /// Who reports a lack of memory leaves the reserve to others.
    #[test]
    fn it_is_spared() {
        crate::process::owner::claim_thread(crate::process::MAIN);
        assert!(without_reserve(|| serve(layout(8, 8))).is_null());
        assert!(take_shortage() && !take_shortage());
        let place = serve(layout(8, 8));
        assert!(!place.is_null());
        // SAFETY: it was taken just now.
        unsafe { ALLOCATOR.dealloc(place, layout(8, 8)) };
        assert!(serve(layout(LARGEST + 1, 8)).is_null());
    }

    #[test]
    fn it_gives_back_to_the_system() {
        let small = layout(8, 8);
        let place = serve(small);
        // SAFETY: it is eight bytes long, and ours.
        unsafe {
            place.write_bytes(7, 8);
            let moved = ALLOCATOR.realloc(place, small, 100);
            assert!(RESERVE.offset(moved).is_none());
            assert_eq!(std::slice::from_raw_parts(moved, 8), [7; 8]);
            ALLOCATOR.dealloc(moved, layout(100, 8));
        }
    }
}
