//! What the peer can do wrong once a connection is open.

use std::fmt;

use crate::close::CloseCode;

/// What makes a frame end its connection. The stream behind it is not read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A reserved bit is set, and no extension was negotiated (RFC 6455 5.2).
    ReservedBit,
    /// An opcode that RFC 6455 5.2 reserves.
    ReservedOpCode,
    /// A frame without a mask, from a client (RFC 6455 5.1).
    Unmasked,
    /// A frame with a mask, from a server (RFC 6455 5.1).
    Masked,
    /// A length in more bytes than it needs, or with its top bit set (RFC 6455 5.2).
    BadLength,
    /// A control frame that is a fragment, or longer than 125 bytes (RFC 6455 5.5).
    BadControl,
    /// A close frame whose payload is one byte, or whose code may not be sent (RFC 6455 5.5.1, 7.4).
    BadClose,
    /// A continuation of nothing, or a new message within one (RFC 6455 5.4).
    OutOfOrder,
    /// A fragment, which is not taken here.
    Fragment,
    /// A binary message, which is not taken here.
    Binary,
    /// Text, or the reason of a close frame, that is not UTF-8 (RFC 6455 8.1).
    NotUtf8,
    /// A compressed message that is no DEFLATE (RFC 1951).
    NotDeflate,
    /// A payload above the limit.
    TooLong,
}

impl Violation {
    /// The code of the close frame that answers the violation (RFC 6455 7.4.1, CONTRACT S8).
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::ReservedBit
            | Self::ReservedOpCode
            | Self::Unmasked
            | Self::Masked
            | Self::BadLength
            | Self::BadControl
            | Self::BadClose
            | Self::OutOfOrder => CloseCode::PROTOCOL_ERROR,
            Self::Fragment | Self::Binary => CloseCode::UNSUPPORTED,
            Self::NotUtf8 | Self::NotDeflate => CloseCode::INVALID_PAYLOAD,
            Self::TooLong => CloseCode::TOO_BIG,
        }
    }

    /// A few words on the violation, for the log and for the close frame's reason.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ReservedBit => "reserved bit set",
            Self::ReservedOpCode => "reserved opcode",
            Self::Unmasked => "frame without a mask",
            Self::Masked => "frame with a mask",
            Self::BadLength => "bad frame length",
            Self::BadControl => "bad control frame",
            Self::BadClose => "bad close frame",
            Self::OutOfOrder => "fragments out of order",
            Self::Fragment => "fragments are not accepted",
            Self::Binary => "binary messages are not accepted",
            Self::NotUtf8 => "text is not UTF-8",
            Self::NotDeflate => "compressed data is invalid",
            Self::TooLong => "message too long",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Violation {}
