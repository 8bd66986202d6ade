//! The headers of frames that are received (RFC 6455 5.2).

use crate::deflate::Deflate;
use crate::frame::{Coding, OpCode, RSV1};
use crate::rules::Role;
use crate::violation::Violation;

/// The header of a frame that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// No fragment of the message follows.
    pub(crate) is_final: bool,
    pub(crate) coding: Coding,
    pub(crate) opcode: OpCode,
    /// The masking key; `None` of a frame that is not masked.
    pub(crate) key: Option<[u8; 4]>,
    /// The header's own length in bytes, masking key included.
    pub(crate) len: usize,
    /// The payload's length in bytes.
    pub(crate) payload_len: usize,
}

impl FrameHeader {
    /// Reads the header at the start of `input`, which came to this end of the connection. A fault is told
    /// as soon as the bytes that show it are there. `deflate` says whether messages may be compressed, and
    /// `max_payload` how long the payload of a data frame may be, by its opcode and coding.
    pub(crate) fn receive(
        role: Role,
        input: &[u8],
        deflate: Option<Deflate>,
        max_payload: impl FnOnce(OpCode, Coding) -> usize,
    ) -> Result<Option<Self>, Violation> {
        let [first, second, rest @ ..] = input else { return Ok(None) };
        let opcode = OpCode::new(first & 0x0f).ok_or(Violation::ReservedOpCode)?;
        let is_final = first & 0x80 != 0;
        let short = second & 0x7f;
        let coding = if first & RSV1 == 0 { Coding::Plain } else { Coding::Deflated };
        let may_be_deflated = deflate.is_some() && matches!(opcode, OpCode::Text | OpCode::Binary);
        if first & 0x30 != 0 || (coding == Coding::Deflated && !may_be_deflated) {
            return Err(Violation::ReservedBit);
        }
        // RFC 6455 5.1: a client masks all frames, a server none.
        match (role, second & 0x80 != 0) {
            (Role::Server, false) => return Err(Violation::Unmasked),
            (Role::Client, true) => return Err(Violation::Masked),
            (Role::Server, true) | (Role::Client, false) => {}
        }
        if opcode.is_control() && (!is_final || short > 125) {
            return Err(Violation::BadControl);
        }
        let (payload_len, rest) = match short {
            126 => match rest.split_first_chunk::<2>() {
                None => return Ok(None),
                Some((len, rest)) => match u16::from_be_bytes(*len) {
                    ..126 => return Err(Violation::BadLength),
                    len => (u64::from(len), rest),
                },
            },
            127 => match rest.split_first_chunk::<8>() {
                None => return Ok(None),
                Some((len, rest)) => match u64::from_be_bytes(*len) {
                    ..0x1_0000 | 0x8000_0000_0000_0000.. => return Err(Violation::BadLength),
                    len => (len, rest),
                },
            },
            len => (u64::from(len), rest),
        };
        let payload_len = usize::try_from(payload_len).map_err(|_| Violation::TooLong)?;
        if !opcode.is_control() && payload_len > max_payload(opcode, coding) {
            return Err(Violation::TooLong);
        }
        let (key, rest) = match (role, rest.split_first_chunk::<4>()) {
            (Role::Client, _) => (None, rest),
            (Role::Server, Some((key, rest))) => (Some(*key), rest),
            (Role::Server, None) => return Ok(None),
        };
        let len = input.len() - rest.len();
        Ok(Some(Self { is_final, coding, opcode, key, len, payload_len }))
    }
}
