//! A connection. Its methods see it, and what a [`Context`] lends them: no poll, no list, and no other connection.
//! What is to follow from an operation they return in its [`Wants`].

mod backlog;
mod close;
mod context;
mod decide;
mod direct;
mod expire;
mod flush;
mod inflate;
mod parts;
mod pause;
mod queue;
mod receive;
mod request;
mod respond;
mod wants;

use std::os::fd::{AsRawFd as _, RawFd};

use dorrit_proto::{Closing, Deflate};

use crate::config::{Buffers, Config};
use crate::pool::PoolKey;
use crate::reactor::{Announced, Interest, Notice};
use crate::transport::Transport;
use crate::turn::Ways;

pub(crate) use context::Context;
pub(crate) use wants::Wants;

/// What the engine keeps of a connection. An idle one owns no buffer.
pub(crate) struct Conn {
    /// The way to the client; `None` once the connection is closed for it.
    pub(crate) transport: Option<Transport>,
    pub(crate) phase: Phase,
    /// What the poll watches the socket for.
    pub(crate) interest: Interest,
    /// What the caller has decided on its request.
    pub(crate) standing: Standing,
    /// The socket takes no more: what is queued is thrown away, what has arrived is still read.
    pub(crate) is_write_closed: bool,
    /// Whether the caller is owed the news that the queue is empty.
    pub(crate) drain: Drain,
    /// Whether a message of the call that is under way was too much for its queue.
    pub(crate) excess: Excess,
    /// The client took nothing of a long queue for so long that its input waits no more.
    pub(crate) is_stalled: bool,
    /// It is watched whether the client takes something of a long queue.
    pub(crate) is_hold_watched: bool,
    /// In which lists it stands.
    pub(crate) listed: Listed,
    /// The socket may have bytes to read, or its end.
    pub(crate) can_read: bool,
    /// The socket may take more.
    pub(crate) can_write: bool,
    /// What was announced besides bytes to read.
    pub(crate) announced: Announced,
    /// What is kept of its input was not looked at: it is dealt with before there is more of it.
    pub(crate) has_rest: bool,
    /// What is kept of its input: mostly the start of a request or a frame, of which more must come.
    pub(crate) partial: Option<PoolKey>,
    /// The message that comes in parts.
    pub(crate) incoming: Option<PoolKey>,
    /// What the socket did not take yet.
    pub(crate) queue: Option<PoolKey>,
    /// The requests that are no upgrade, from the first one until there is one; a request whose decision is put off.
    pub(crate) exchange: Option<PoolKey>,
    /// What the caller keeps here.
    pub(crate) tag: usize,
    /// How far it is closed by close frames, and with which code.
    pub(crate) closing: Closing,
    /// How its messages may be compressed.
    pub(crate) deflate: Option<Deflate>,
    /// When something came from the client last, in nanoseconds of the loop's own time.
    pub(crate) received_at: u64,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// What a proxy says of the client is not complete.
    Proxied,
    /// The head of the request is not complete.
    Handshake,
    /// The body of the request is not complete.
    Body,
    /// The caller decides on the request.
    Opening,
    /// Messages go both ways.
    Open,
    /// Messages go to the client, and what comes from it waits.
    Paused,
    /// What is queued goes out, and nothing is read.
    Flushing(Then),
    /// Our close frame is out: the peer's ends it, and all else is ignored.
    AwaitingClose,
    /// Our side of the stream is shut: what comes is thrown away until the peer's end.
    Discarding,
    /// Closed for the client; the caller is owed the news.
    Ended,
}

/// What follows when the queue is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    AwaitClose,
    Discard,
    Close,
    /// What is left of the answer to a plain request, and the next request.
    Respond,
}

/// What the caller has decided on the request of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing yet; or it wants no connection.
    Asking,
    /// The caller will decide later, and is owed the request's end.
    Deferred,
    /// After that another answer was given, or the client has left: the caller is about to be told of the end.
    Over,
    /// It wants the connection, and is owed its end.
    Accepted,
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
    /// The caller was told that something is queued, or left out, or some of it had to wait.
    Owed,
    /// The queue was empty since: it is about to be told.
    Listed,
}

/// In which lists of those who wait for a turn a connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed(u8);

impl Listed {
    /// The list of connections whose turn comes in this round.
    pub(crate) const NOW: u8 = 1;
    /// The list of connections whose queue has grown.
    pub(crate) const DIRTY: u8 = 2;
    /// The list of connections whose turn comes in the next round.
    pub(crate) const NEXT: u8 = 4;

    /// Whether it waits for a turn, as far as what the poll has told is noted.
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
    /// A connection whose request is still to come.
    pub(crate) fn new(transport: Transport, is_proxied: bool) -> Self {
        Self {
            transport: Some(transport),
            phase: if is_proxied { Phase::Proxied } else { Phase::Handshake },
            interest: Interest::Read,
            standing: Standing::Asking,
            is_write_closed: false,
            drain: Drain::None,
            excess: Excess::None,
            is_stalled: false,
            is_hold_watched: false,
            listed: Listed::default(),
            can_read: false,
            can_write: false,
            announced: Announced::Nothing,
            has_rest: false,
            partial: None,
            incoming: None,
            queue: None,
            exchange: None,
            tag: 0,
            closing: Closing::OPEN,
            deflate: None,
            received_at: 0,
        }
    }

    /// Notes what the poll has told of the socket.
    #[inline(always)]
    pub(crate) fn note(&mut self, notice: Notice) {
        self.can_read |= notice.can_read;
        self.can_write |= notice.can_write;
        self.announced = self.announced.max(notice.announced);
    }

    /// Whether the caller has accepted it.
    pub(crate) fn is_accepted(&self) -> bool {
        self.standing == Standing::Accepted
    }

    /// Whether messages go to the client, and it is not being closed.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Paused)
    }

    /// Whether it is to be read to its end, or until nothing is there (CONTRACT S24).
    pub(crate) fn reads_to_end(&self) -> bool {
        self.announced != Announced::Nothing
    }

    /// Whether what arrives is read.
    pub(crate) fn is_reading(&self) -> bool {
        use Phase::*;
        matches!(self.phase, Proxied | Handshake | Body | Open | AwaitingClose | Discarding)
    }

    /// Whether the start of a request or frame is kept until the rest of it comes.
    pub(crate) fn is_keeping(&self) -> bool {
        use Phase::*;
        matches!(
            self.phase,
            Proxied
                | Handshake
                | Body
                | Opening
                | Open
                | Paused
                | Flushing(Then::AwaitClose | Then::Respond)
                | AwaitingClose
        )
    }

    /// Whether the caller may queue messages for it.
    pub(crate) fn is_writable(&self, cx: &Context) -> bool {
        let may_open = self.phase == Phase::Opening && !self.is_plain(cx);
        (may_open || self.is_open()) && !self.is_write_closed
    }

    /// Which short ways are right for it in its turn.
    pub(crate) fn ways(&self, config: &Config) -> Ways {
        let is_plain = self.incoming.is_none() && config.buffers == Buffers::Shared;
        let is_direct = self.queue.is_none() && self.deflate.is_none() && !self.is_write_closed;
        // An upgrade behind plain requests takes the longer way, on which it is told from one.
        let is_upgrade = self.phase == Phase::Opening && self.exchange.is_none();
        let may_open = self.is_open() || is_upgrade;
        Ways {
            tells_whole: self.phase == Phase::Open && is_plain,
            frames_whole: may_open && is_direct && config.max_queued_frames.is_none(),
        }
    }

    /// The connection's socket.
    pub(crate) fn fd(&self) -> Option<RawFd> {
        self.transport.as_ref().map(Transport::as_raw_fd)
    }

    /// How much memory is held for it besides what is being decompressed, in bytes.
    pub(crate) fn held(&self, cx: &Context) -> usize {
        let Context { inbox, outbox, exchanges, .. } = cx;
        let queue = self.queue.map_or(0, |key| outbox.queues[key].held());
        let incoming = self.incoming.map_or(0, |key| inbox.incoming[key].capacity());
        let partial = self.partial.map_or(0, |key| inbox.partials.held(key));
        let exchange = self.exchange.map_or(0, |key| exchanges[key].held());
        queue + incoming + partial + exchange
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn conn() -> Conn {
        let (socket, _) = std::os::unix::net::UnixStream::pair().unwrap();
        Conn::new(Transport::Plain(std::os::fd::OwnedFd::from(socket).into()), false)
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
