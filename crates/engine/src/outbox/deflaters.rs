//! The compressors, which all connections share.

use dorrit_proto::{Deflate, Deflater};

use super::frames::FrameId;
use crate::event::OutOfMemory;

/// Shorter messages are sent as they are: compression would not make them shorter.
const MIN_DEFLATED: usize = 64;

/// How a message is sent to a connection: the size of the window of the one that it is compressed for, or 0.
pub(crate) type Variant = usize;
/// The variant that is sent as it is.
pub(crate) const PLAIN: Variant = 0;
/// How many variants there are.
pub(crate) const VARIANTS: usize = 16;
/// A message in each variant that is wanted.
pub(crate) type Prepared = [Option<FrameId>; VARIANTS];

/// One compressor for each size of the window, made when it is needed first.
#[derive(Default)]
pub(crate) struct Deflaters {
    deflaters: [Option<Deflater>; VARIANTS],
    /// What was compressed last.
    bytes: Vec<u8>,
    /// How many compressors there are.
    count: usize,
}

impl Deflaters {
    /// Compresses a message for a window of this size.
    pub(crate) fn deflate(
        &mut self,
        level: u32,
        bits: Variant,
        payload: &[u8],
    ) -> Result<&[u8], OutOfMemory> {
        let deflater = &mut self.deflaters[bits];
        if deflater.is_none() {
            *deflater = Some(Deflater::new(level, bits as u8).ok_or(OutOfMemory)?);
            self.count += 1;
        }
        deflater.as_mut().ok_or(OutOfMemory)?.deflate(payload, &mut self.bytes)?;
        Ok(&self.bytes)
    }

    /// How much memory they take, in bytes.
    pub(crate) fn held(&self) -> usize {
        self.count * Deflater::MEMORY + self.bytes.capacity()
    }
}

/// How a message of so many bytes is sent where this was agreed with the client.
pub(crate) fn variant(deflate: Option<Deflate>, len: usize) -> Variant {
    match deflate {
        Some(deflate) if len >= MIN_DEFLATED => usize::from(deflate.window_bits),
        _ => PLAIN,
    }
}
