//! A client that does not read, for which as much is queued as may be.

use std::io;

use crate::client::{Address, Socket};
use crate::machine;
use crate::wire::{self, Content, Language};

/// How much a queue may hold, in bytes, as the servers set it.
const LIMIT: u64 = 64 << 20;

/// The memory that a server has come to hold, for each byte of that. It answers a text once, and a binary
/// message until no more is queued.
pub fn held(address: &Address, pid: u32, size: usize) -> io::Result<f64> {
    let language = Language::WebSocket;
    let (silent, other) =
        (Socket::upgraded(address, language)?, Socket::upgraded(address, language)?);
    let message = &wire::messages(Content::Binary, size, 1)[0];
    let text = wire::client_frame(b"text", Content::Text, language, 1);
    let is_whole = |bytes: &[u8]| wire::frame(bytes).is_some();
    other.exchange(&text, is_whole)?;
    let before = machine::memory(pid)?;
    silent.send(&wire::client_frame(message, Content::Binary, language, 0))?;
    // Answered when all is queued.
    other.exchange(&text, is_whole)?;
    let after = machine::memory(pid)?;
    let answer = wire::server_frame(message, Content::Binary);
    let mut came = vec![0; 100 * answer.len()];
    if silent.receive(&mut came)? != Some(came.len()) || came != answer.repeat(100) {
        return Err(io::Error::other("something else was queued"));
    }
    Ok(after.saturating_sub(before) as f64 / LIMIT as f64)
}
