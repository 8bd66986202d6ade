//! What an engine is made for.

use std::time::Duration;

use dorrit_proto::Rules;

/// What an engine is made for.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The most connections that are open at a time.
    pub max_connections: usize,
    /// What is accepted from clients.
    pub rules: Rules,
    /// The longest payload of a frame of ours, in bytes (CONTRACT D15).
    pub max_fragment: usize,
    /// Where a message stands while the caller deals with it.
    pub buffers: Buffers,
    /// The most frames that may wait for a connection; `None` where memory alone is the limit.
    pub max_queued_frames: Option<u32>,
    /// The most bytes that may wait for a connection.
    pub queue_limit: QueueLimit,
    /// The most bytes that queues, incoming messages and compression may hold together; `None` where
    /// there is no such budget.
    pub max_memory: Option<usize>,
    /// The level of compression, 1 to 9, where clients offer it; 0 is none (RFC 7692).
    pub compression: u32,
    /// When silent clients are asked whether they are there; `None` is never.
    pub keepalive: Option<Keepalive>,
    /// What becomes of requests that ask for an upgrade.
    pub upgrades: Upgrades,
    /// What becomes of requests that ask for no upgrade.
    pub plain_requests: PlainRequests,
    /// How long the caller may take to decide on a request, where it puts that off.
    pub decision_timeout: Duration,
    /// Whether each connection that is accepted begins with a header of the PROXY protocol, which says who the client
    /// is.
    pub is_proxied: bool,
    /// Whether memory could not be had, here or elsewhere in the process, since this was asked last. Where
    /// it was so, [`Event::ShortOfMemory`](crate::Event::ShortOfMemory) follows.
    pub take_shortage: fn() -> bool,
}

/// What becomes of requests that ask for no upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainRequests {
    /// Plain requests are refused with 426.
    Refused,
    /// The caller answers those with GET and HEAD. Their bodies are not read: none is kept for another request then.
    Told,
    /// The caller answers them all, and has their bodies, which are of so many bytes at most.
    ToldWithBody(usize),
}

/// What becomes of requests that ask for an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrades {
    /// Upgrades are refused with 426: there are plain requests alone.
    Refused,
    /// The caller decides.
    Told,
}

/// What may wait for a connection that does not read.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimit {
    /// How many bytes, where they are of more than one message.
    pub bytes: usize,
    /// What happens to a message that would be more.
    pub policy: OverflowPolicy,
}

/// What happens to a message that is too much for a connection's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverflowPolicy {
    /// The connection is closed with code 1008.
    Close,
    /// The message is left out, for this connection alone.
    Skip,
}

/// How silent clients are found out.
#[derive(Clone, Copy, Debug)]
pub struct Keepalive {
    /// After this long without a byte from the client it is sent a ping.
    pub idle: Duration,
    /// After this long without a byte since then it is cut off.
    pub timeout: Duration,
}

/// Where a message stands while the caller deals with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffers {
    /// In a buffer of the loop's, until the next event.
    Shared,
    /// In a buffer of its connection's own, until that connection's next message.
    Own,
}

/// How many bytes a connection is sent in a turn (CONTRACT D16): the longest frame of the default limit.
pub(crate) const TURN: usize = 65540;
/// How many bytes a turn sends at most where longer messages are taken: no turn sends less than one message, up to this.
const LONG_TURN: usize = 1 << 20;
/// What the headers of a message's fragments may add to it.
const HEADERS: usize = 1024;

impl Config {
    /// How many bytes a connection is sent in a turn.
    pub(crate) fn turn(&self) -> usize {
        match self.rules.max_payload {
            ..=TURN => TURN,
            long => long.min(LONG_TURN) + HEADERS,
        }
    }

    /// Whether a message of so many bytes would be too much behind so many. An empty queue takes any.
    pub(crate) fn is_overflow(&self, queued: usize, len: usize) -> bool {
        queued > 0 && queued.saturating_add(len) > self.queue_limit.bytes
    }

    /// Whether so many bytes and frames are more than half of what may wait for a connection.
    pub(crate) fn is_half_full(&self, bytes: usize, frames: u32) -> bool {
        let most_frames = self.max_queued_frames.unwrap_or(u32::MAX);
        bytes > self.queue_limit.bytes / 2 || frames > most_frames / 2
    }

    /// How many sockets of clients there may be: the connections, and those whose request is still to
    /// be answered.
    pub fn max_sockets(&self) -> usize {
        self.max_connections.saturating_add(self.max_connections.div_ceil(8).clamp(16, 1024))
    }
}
