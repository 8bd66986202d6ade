//! Handles: how C names a connection. The value is a kind, a shard, an index and a generation, never an address,
//! so that a stale one is recognised (CONTRACT S6).

use std::ffi::c_void;
use std::ptr;

use dorrit_engine::ConnId;

/// The handle of a connection; never NULL.
pub(crate) fn from_id(id: ConnId) -> *mut c_void {
    ptr::without_provenance_mut(id.to_bits() as usize)
}

/// The connection that a handle names, if it names one. It is never looked behind.
pub(crate) fn to_id(handle: *mut c_void) -> Option<ConnId> {
    ConnId::from_bits(handle.addr() as u64)
}
