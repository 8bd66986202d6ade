//! What an engine counts.

use std::ops::AddAssign;

use dorrit_proto::Refusal;

/// The figures of an engine since it was made, but for those that say what is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections that are open now.
    pub connections: u64,
    /// Connections that were accepted.
    pub accepted: u64,
    /// Requests that were refused because there were as many connections as there may be, or as much memory
    /// was held.
    pub refused_full: u64,
    /// Requests that were no correct ones.
    pub refused_bad: u64,
    /// Requests that were not complete in time.
    pub refused_slow: u64,
    /// Requests that the caller has refused.
    pub refused_caller: u64,
    /// Messages that the caller was told.
    pub messages_in: u64,
    /// Messages that were queued or sent, once for each connection.
    pub messages_out: u64,
    /// Bytes that came from clients, requests and headers of frames included.
    pub bytes_in: u64,
    /// Bytes that the sockets of clients took.
    pub bytes_out: u64,
    /// Bytes that wait to be sent now.
    pub queued_bytes: u64,
    /// Clients that were dropped because they broke the protocol.
    pub dropped_violation: u64,
    /// Clients that were dropped because too much was queued for them.
    pub dropped_queue: u64,
    /// Clients that were dropped because they did not answer a ping.
    pub dropped_silent: u64,
    /// Messages that were left out because a queue was full.
    pub skipped: u64,
    /// Clients that were dropped because there was no memory for their message, or none and they held most.
    pub dropped_memory: u64,
    /// How much memory is held for clients now, in bytes.
    pub held_bytes: u64,
}

impl Stats {
    /// Counts a refusal by its cause.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        let count = match refusal {
            Refusal::Full | Refusal::NoMemory => &mut self.refused_full,
            Refusal::Malformed(_)
            | Refusal::Tls
            | Refusal::NoProxyHeader
            | Refusal::MethodNotAllowed
            | Refusal::PageMethod
            | Refusal::BodyTooLarge
            | Refusal::ExpectationFailed
            | Refusal::UpgradeRequired
            | Refusal::HeadTooLarge
            | Refusal::UnknownCoding
            | Refusal::NoTunnel => &mut self.refused_bad,
            Refusal::TooSlow => &mut self.refused_slow,
            Refusal::Forbidden
            | Refusal::Origin
            | Refusal::Status(_)
            | Refusal::DecisionTimeout => &mut self.refused_caller,
        };
        *count += 1;
    }
}

/// The figures of another loop are added, those that say what is now among them.
impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        let Self {
            connections,
            accepted,
            refused_full,
            refused_bad,
            refused_slow,
            refused_caller,
            messages_in,
            messages_out,
            bytes_in,
            bytes_out,
            queued_bytes,
            dropped_violation,
            dropped_queue,
            dropped_silent,
            skipped,
            dropped_memory,
            held_bytes,
        } = other;
        self.connections += connections;
        self.accepted += accepted;
        self.refused_full += refused_full;
        self.refused_bad += refused_bad;
        self.refused_slow += refused_slow;
        self.refused_caller += refused_caller;
        self.messages_in += messages_in;
        self.messages_out += messages_out;
        self.bytes_in += bytes_in;
        self.bytes_out += bytes_out;
        self.queued_bytes += queued_bytes;
        self.dropped_violation += dropped_violation;
        self.dropped_queue += dropped_queue;
        self.dropped_silent += dropped_silent;
        self.skipped += skipped;
        self.dropped_memory += dropped_memory;
        self.held_bytes += held_bytes;
    }
}
