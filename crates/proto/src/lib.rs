//! RFC 6455, and what a small origin server needs of HTTP/1.1, as a function of bytes.
//!
//! What the peer sends goes into a `receive_*` function, what it is owed comes out as bytes to send.
//! Input that is too short gives `Ok(None)` and nothing is consumed; input that breaks the protocol
//! gives a [`Violation`] or a [`Refusal`], each of which knows its answer. A [`Role`] says which end of
//! the connection this is. Nothing here can panic on any input, and nothing here knows a socket, a clock,
//! a thread, a log or chance.
#![forbid(unsafe_code)]

mod answer;
mod body;
mod close;
mod closing;
mod deflate;
mod deflater;
mod encode;
mod fields;
mod frame;
mod header;
mod incoming;
mod inflater;
mod mask;
mod plain;
mod proxy;
mod receive;
mod request;
mod response;
mod rules;
mod violation;
mod whole;

pub use answer::{AnswerHead, Connection, Content, phrase};
pub use body::{Body, Piece};
pub use close::CloseCode;
pub use closing::{AfterFlush, Closing, ClosingState, Initiator};
pub use deflate::Deflate;
pub use deflater::Deflater;
pub use encode::{FrameHead, MaskedHead, encode_whole, fragments, frame_len};
pub use fields::{is_header_value, is_reserved_header, is_token};
pub use frame::{Coding, MessageKind, OpCode};
pub use incoming::{Complete, FrameStart, Incoming, IncomingError};
pub use inflater::{Inflated, Inflater};
pub use mask::unmask;
pub use plain::{BodyLength, Plain};
pub use proxy::ProxyHeader;
pub use receive::{Frame, Received, receive_frame};
pub use request::{MAX_HEAD, MAX_HEADERS, Request};
pub use response::{Refusal, accept_key, encode_accept};
pub use rules::{Binary, Fragments, Role, Rules};
pub use violation::Violation;
pub use whole::{Whole, receive_whole};
