//! Compression of messages (RFC 7692 7.2.1).

use std::collections::TryReserveError;
use std::panic::UnwindSafe;

use flate2::{Compress, Compression, FlushCompress};

/// What every compressed message ends with, and what is not sent (RFC 7692 7.2.1).
pub(crate) const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Compresses messages for one size of the window.
#[derive(Debug)]
pub struct Deflater(Compress);

impl Deflater {
    /// How much memory a compressor takes, in bytes.
    pub const MEMORY: usize = DEFLATER;

    /// A compressor of this level, 1 to 9, for a window of this size, 8 to 15; `None` where there is no
    /// memory for it.
    pub fn new(level: u32, window_bits: u8) -> Option<Self> {
        // zlib takes no window of 8 bits. With one of 9 it looks back 250 bytes at most, which fits.
        let bits = window_bits.clamp(9, 15);
        let make = || Compress::new_with_window_bits(Compression::new(level), false, bits);
        with_room(DEFLATER, make).map(Self)
    }

    /// Compresses a message into `out`, in place of what is there. The same message always becomes the same
    /// bytes: nothing of an earlier one is made use of.
    pub fn deflate(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), TryReserveError> {
        out.clear();
        // Bytes that cannot be compressed grow by 5 for each block, and there is the tail.
        out.try_reserve(message.len() + message.len() / 64 + 64)?;
        self.0.reset();
        loop {
            let rest = &message[self.0.total_in() as usize..];
            // No input can make a compressor fail.
            let _ = self.0.compress_vec(rest, out, FlushCompress::Sync);
            if out.len() < out.capacity() {
                break;
            }
            out.try_reserve(out.len() / 2)?;
        }
        if out.ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
        }
        Ok(())
    }
}

/// What zlib takes for a compressor, in bytes, rounded up.
const DEFLATER: usize = 512 * 1024;

/// What `make` makes, which takes so much memory, and panics where there is none for it; then `None`.
pub(crate) fn with_room<T>(len: usize, make: impl FnOnce() -> T + UnwindSafe) -> Option<T> {
    // So that it is found out without a panic, as far as that can be.
    Vec::<u8>::new().try_reserve_exact(len).ok()?;
    std::panic::catch_unwind(make).ok()
}
