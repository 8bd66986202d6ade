//! RFC 6455 as a function of bytes.
//!
//! What a client sends goes into a `receive_*` function, what it is owed comes out as bytes to send.
//! Input that is too short gives `Ok(None)` and nothing is consumed; input that breaks the protocol
//! gives a [`Violation`] or a [`Refusal`], each of which knows its answer. Nothing here can panic on
//! any input, and nothing here knows a socket, a clock, a thread or a log.
#![forbid(unsafe_code)]

mod close;
mod deflate;
mod frame;
mod incoming;
mod mask;
mod receive;
mod request;
mod response;
mod violation;
mod whole;

pub use close::CloseCode;
pub use deflate::{Deflate, Deflater, Inflated, Inflater};
pub use frame::{Coding, FrameHead, MessageKind, OpCode, encode_whole, fragments, frame_len};
pub use incoming::{Complete, FrameStart, Incoming, IncomingError};
pub use mask::unmask;
pub use receive::{Binary, Fragments, Frame, Received, Rules, receive_frame};
pub use request::{MAX_HEAD, MAX_HEADERS, Plain, Request, is_token};
pub use response::{Refusal, accept_key, encode_accept};
pub use violation::Violation;
pub use whole::{Whole, receive_whole};
