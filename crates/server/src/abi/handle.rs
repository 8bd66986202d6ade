//! Handles: how C names a connection or a timer. The value is a kind, a shard, an index and a generation, never an
//! address, so that a stale one, and one of another kind, is recognised (CONTRACT S6, F6).

use std::ffi::c_void;
use std::ptr;

use dorrit_engine::{ConnId, TimerId};

/// The handle of a connection; never NULL.
pub(crate) fn from_id(id: ConnId) -> *mut c_void {
    ptr::without_provenance_mut(id.to_bits() as usize)
}

/// The connection that a handle names, if it names one. It is never looked behind.
pub(crate) fn to_id(handle: *mut c_void) -> Option<ConnId> {
    ConnId::from_bits(handle.addr() as u64)
}

/// The handle of a timer; never NULL.
pub(super) fn from_timer(id: TimerId) -> *mut c_void {
    ptr::without_provenance_mut(id.to_bits() as usize)
}

/// The timer that a handle names, if it names one. It is never looked behind.
pub(super) fn to_timer(handle: *mut c_void) -> Option<TimerId> {
    TimerId::from_bits(handle.addr() as u64)
}
