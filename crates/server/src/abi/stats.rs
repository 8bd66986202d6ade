//! The figures, for the program.

use std::ffi::c_int;

use dorrit_engine::Stats;

use super::guard::{WRONG_THREAD, guard};
use crate::error::Misuse;
use crate::event_loop;

/// The body of `ws_get_stats`: puts the figures, in the form that C has them in, into `size` bytes at
/// `place`. What is longer there is filled with zeros, and what is longer here is left out.
///
/// # Safety
/// `place` is NULL or points to `size` bytes, and `C` has no byte that is not set.
pub unsafe fn get<C: From<Stats>>(place: *mut C, size: usize) -> c_int {
    const NONE: c_int = -1;
    guard(NONE, || {
        match event_loop::stats().map(C::from) {
            Ok(figures) if !place.is_null() && size >= size_of::<u64>() => {
                let (place, known) = (place.cast::<u8>(), size.min(size_of::<C>()));
                // SAFETY: the caller's promise; the figures are no part of what they are copied to.
                unsafe {
                    place.write_bytes(0, size);
                    place.copy_from_nonoverlapping((&raw const figures).cast(), known);
                }
                0
            }
            Ok(_) | Err(Misuse::NoLoop) => NONE,
            Err(Misuse::Foreign) => WRONG_THREAD,
        }
    })
}
