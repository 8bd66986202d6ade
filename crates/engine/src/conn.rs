//! What the engine keeps of a connection. An idle one owns no buffer.

use dorrit_proto::{CloseCode, Deflate};

use crate::pool::Key;
use crate::sys::Stream;

pub(crate) struct Conn {
    /// The socket; `None` once the connection is closed for the client.
    pub(crate) socket: Option<Stream>,
    pub(crate) phase: Phase,
    /// What the poll watches the socket for.
    pub(crate) watch: Watch,
    /// The program has accepted it, so that it is owed its end.
    pub(crate) is_accepted: bool,
    /// The socket takes no more: what is queued is thrown away, what has arrived is still read.
    pub(crate) is_mute: bool,
    /// Not all could be sent at once since the queue was empty last.
    pub(crate) has_waited: bool,
    /// It stands in the list of those whose queue has grown.
    pub(crate) is_dirty: bool,
    /// It stands in the list of those that go on without waiting for the poll.
    pub(crate) is_resumed: bool,
    /// There it waits to be read, too.
    pub(crate) has_more: bool,
    /// The start of a request, of a frame's header or of a control frame, of which more must come.
    pub(crate) input: Option<Key>,
    /// The message that comes in parts.
    pub(crate) incoming: Option<Key>,
    /// What the socket did not take yet.
    pub(crate) queue: Option<Key>,
    /// The answer to a plain request: from the first such request until an upgrade.
    pub(crate) response: Option<Key>,
    /// What the caller keeps here.
    pub(crate) tag: usize,
    /// The code of the close frame that ended it, the peer's or ours.
    pub(crate) close_code: CloseCode,
    /// How its messages may be compressed.
    pub(crate) deflate: Option<Deflate>,
    /// When something came from the client last, in milliseconds since the engine's start.
    pub(crate) heard_at: u64,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its request is not complete.
    Handshake,
    /// The caller decides whether it is accepted.
    Opening,
    /// Messages go both ways.
    Open,
    /// What is queued goes out, and nothing is read.
    Flushing(Then),
    /// Our close frame is out: the peer's ends it, and all else is ignored.
    AwaitingClose,
    /// Our side of the stream is shut: what comes is thrown away until the peer's end.
    Discarding,
    /// Closed for the client; the caller is owed the news.
    Dead,
}

/// What follows when the queue is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    AwaitClose,
    Discard,
    Close,
    /// The body of the answer to a plain request, and the next request.
    Respond,
}

/// What the poll watches a socket for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    Read,
    Write,
    Both,
}

impl Conn {
    pub(crate) fn new(socket: Stream) -> Self {
        Self {
            socket: Some(socket),
            phase: Phase::Handshake,
            watch: Watch::Read,
            is_accepted: false,
            is_mute: false,
            has_waited: false,
            is_dirty: false,
            is_resumed: false,
            has_more: false,
            input: None,
            incoming: None,
            queue: None,
            response: None,
            tag: 0,
            close_code: CloseCode::ABNORMAL,
            deflate: None,
            heard_at: 0,
        }
    }

    /// Whether what arrives is read.
    pub(crate) fn is_reading(&self) -> bool {
        use Phase::*;
        matches!(self.phase, Handshake | Open | AwaitingClose | Discarding)
    }

    /// Whether the start of a request or frame is kept until the rest of it comes.
    pub(crate) fn is_keeping(&self) -> bool {
        use Phase::*;
        matches!(
            self.phase,
            Handshake | Open | Flushing(Then::AwaitClose | Then::Respond) | AwaitingClose
        )
    }

    /// Whether the caller may queue messages for it.
    pub(crate) fn is_writable(&self) -> bool {
        matches!(self.phase, Phase::Opening | Phase::Open) && !self.is_mute
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn conn() -> Conn {
        let (socket, _) = std::os::unix::net::UnixStream::pair().unwrap();
        Conn::new(std::os::fd::OwnedFd::from(socket).into())
    }

    /// USERS 55: all that an idle connection takes is its place in the table.
    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Conn>() <= 56, "{}", size_of::<Conn>());
    }
}
