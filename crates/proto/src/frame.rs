//! What frames and messages are (RFC 6455 5.2).

/// The bit in the first byte of a frame that says that its message is compressed (RFC 7692 6).
pub(crate) const RSV1: u8 = 0x40;

/// What a frame is, by the number in its first byte (RFC 6455 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OpCode {
    /// A further fragment of a message.
    Continuation = 0,
    /// A text message, or its first fragment.
    Text = 1,
    /// A binary message, or its first fragment.
    Binary = 2,
    /// The end of the connection.
    Close = 8,
    /// A question whether the peer is there.
    Ping = 9,
    /// The answer to a ping.
    Pong = 10,
}

impl OpCode {
    /// The opcode with this number; `None` where RFC 6455 5.2 reserves it.
    pub(crate) fn new(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// Whether frames of this kind stand between the fragments of messages (RFC 6455 5.5).
    pub fn is_control(self) -> bool {
        self as u8 & 8 != 0
    }
}

/// What a message is: text or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

impl From<MessageKind> for OpCode {
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Self::Text,
            MessageKind::Binary => Self::Binary,
        }
    }
}

/// How a message's bytes are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coding {
    /// As they came.
    #[default]
    Plain,
    /// Compressed: what they say comes out of an inflater (RFC 7692).
    Deflated,
}
