//! What the engine keeps of a connection. An idle one owns no buffer.

use dorrit_proto::{CloseCode, Deflate};
use mio::Interest;

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
    /// Whether the caller is owed the news that the queue is empty.
    pub(crate) drain: Drain,
    /// Whether a message of the call that is under way was too much for its queue.
    pub(crate) excess: Excess,
    /// Its client took nothing of a long queue for so long that its input waits no more.
    pub(crate) is_stalled: bool,
    /// It is looked at whether its client takes something of a long queue.
    pub(crate) is_hold_watched: bool,
    /// In which lists it stands.
    pub(crate) listed: Listed,
    /// The socket may have bytes to read, or its end.
    pub(crate) can_read: bool,
    /// The socket may take more.
    pub(crate) can_write: bool,
    /// The end of the stream, or urgent data, was announced: a short read says nothing (CONTRACT S24).
    pub(crate) reads_to_end: bool,
    /// What is kept of its input was not looked at: it is dealt with before there is more of it.
    pub(crate) has_rest: bool,
    /// What is kept of its input: mostly the start of a request or a frame, of which more must come.
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
    /// When something came from the client last, in nanoseconds of the loop's own time.
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

/// Why a message is too much for a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    None,
    /// The queue would take more than it may.
    Queue,
    /// All that is held would be more than may be.
    Memory,
}

/// Whether the caller is owed the news that a queue is empty (CONTRACT S25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drain {
    None,
    /// It was told that something is queued, or left out, or some of it had to wait.
    Owed,
    /// The queue was empty since: it is about to be told.
    Listed,
}

/// What the poll watches a socket for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    Read,
    Write,
    Both,
}

impl Watch {
    /// What the poll is asked for.
    pub(crate) fn interest(self) -> Interest {
        match self {
            Self::Read => READ,
            Self::Write => Interest::WRITABLE,
            Self::Both => READ.add(Interest::WRITABLE),
        }
    }
}

/// Urgent data is announced where the system does so: a read stops before it (CONTRACT S24).
#[cfg(any(target_os = "linux", target_os = "android"))]
const READ: Interest = Interest::READABLE.add(Interest::PRIORITY);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const READ: Interest = Interest::READABLE;

/// In which lists of those who wait for a turn a connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed(u8);

impl Listed {
    /// Its turn comes in this round.
    pub(crate) const NOW: u8 = 1;
    /// Its queue has grown.
    pub(crate) const DIRTY: u8 = 2;
    /// Its turn comes in the next round.
    pub(crate) const NEXT: u8 = 4;

    /// Whether it waits for a turn.
    pub(crate) fn is_any(self) -> bool {
        self != Self::default()
    }

    /// Whether it stands in this list.
    pub(crate) fn is_in(self, list: u8) -> bool {
        self.0 & list != 0
    }

    /// Notes that its turn comes in the round that begins, unless it comes there anyway, behind those who have
    /// waited since its last one. Returns whether that is news.
    pub(crate) fn enter_now(&mut self) -> bool {
        let is_new = self.0 & (Self::NOW | Self::NEXT) == 0;
        if is_new {
            self.0 |= Self::NOW;
        }
        is_new
    }

    /// Notes that it stands there. Returns whether that is news.
    pub(crate) fn enter(&mut self, list: u8) -> bool {
        let is_new = self.0 & list == 0;
        self.0 |= list;
        is_new
    }

    /// Notes that it stands there no more.
    pub(crate) fn leave(&mut self, list: u8) {
        self.0 &= !list;
    }
}

impl Conn {
    pub(crate) fn new(socket: Stream) -> Self {
        Self {
            socket: Some(socket),
            phase: Phase::Handshake,
            watch: Watch::Read,
            is_accepted: false,
            is_mute: false,
            drain: Drain::None,
            excess: Excess::None,
            is_stalled: false,
            is_hold_watched: false,
            listed: Listed::default(),
            can_read: false,
            can_write: false,
            reads_to_end: false,
            has_rest: false,
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

    /// Notes what the poll has told of the socket.
    pub(crate) fn note(&mut self, event: &mio::event::Event) {
        let is_end = event.is_read_closed() || event.is_write_closed() || event.is_error();
        self.can_read |= event.is_readable() || is_end || event.is_priority();
        self.can_write |= event.is_writable() || is_end;
        self.reads_to_end |= is_end || event.is_priority();
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

    /// A connection that was told of once stands in the list once.
    #[test]
    fn lists() {
        let mut listed = Listed::default();
        assert!(listed.enter_now() && listed.is_any());
        assert!(!listed.enter_now() && !listed.enter(Listed::NOW));
        listed.leave(Listed::NOW);
        assert!(!listed.is_any() && listed.enter(Listed::NEXT));
        assert!(!listed.enter_now(), "it comes there anyway");
        listed.leave(Listed::NEXT);
        assert_eq!(listed, Listed::default());
    }

    /// USERS 55: all that an idle connection takes is its place in the table.
    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Conn>() <= 56, "{}", size_of::<Conn>());
    }
}
