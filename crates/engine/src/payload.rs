//! Where the payload of a message stands while the caller deals with it.

use std::ops::Range;

use crate::pool::PoolKey;

/// Where a message's payload stands, with a zero byte behind it (CONTRACT D13).
#[derive(Debug)]
pub(crate) enum Payload {
    None,
    /// In the input: the zero byte is the last one of the message's frame.
    Input(Range<usize>),
    /// Where the message came in parts.
    Incoming(PoolKey),
    /// Where the message was decompressed.
    Inflated,
}

impl Payload {
    /// Whether nothing is to be taken back when the caller has dealt with it.
    #[inline(always)]
    pub(crate) fn is_dealt_with(&self) -> bool {
        matches!(self, Self::None | Self::Input(_))
    }
}
