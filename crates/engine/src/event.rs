//! What the caller is told.

use std::collections::TryReserveError;
use std::fmt;
use std::os::fd::RawFd;
use std::time::Duration;

use dorrit_proto::{MessageKind, Refusal, Violation};
use rustix::io::Errno;

use crate::id::{ConnId, Key};

/// What the caller is told by [`Engine::poll_event`](crate::Engine::poll_event). `P` is how a message's payload is
/// given.
#[derive(Clone, Copy, Debug)]
pub enum Event<P> {
    /// A client asks for a connection: see [`Engine::request`](crate::Engine::request), and answer with
    /// [`Engine::accept`](crate::Engine::accept), [`Engine::refuse`](crate::Engine::refuse) or
    /// [`Engine::respond`](crate::Engine::respond) before the next event, or put that off with
    /// [`Engine::defer`](crate::Engine::defer). Messages may be sent to it already.
    Opened(ConnId),
    /// A client asks for something else, where the configuration has those told: see
    /// [`Engine::request`](crate::Engine::request) and [`Engine::take_asked`](crate::Engine::take_asked), and answer with
    /// [`Engine::respond`](crate::Engine::respond) or [`Engine::refuse`](crate::Engine::refuse) before the next event,
    /// or put that off with [`Engine::defer`](crate::Engine::defer). The id is the request's own, and no connection's.
    Requested(ConnId),
    /// [`Config::decision_timeout`](crate::Config::decision_timeout) is over for a request on which the decision was put
    /// off: it is to be answered now.
    Overdue(ConnId),
    /// A message has come: its payload, with a zero byte behind it.
    Message(ConnId, MessageKind, P),
    /// A connection that was accepted has ended; or a request on which the decision was put off was answered otherwise,
    /// or its client has left. Its id is good until the next event.
    Closed(ConnId),
    /// The timer that [`Engine::set_timer`](crate::Engine::set_timer) has set with this key is due. Its id is stale.
    Timer(Key),
    /// A descriptor given to [`Engine::watch`](crate::Engine::watch) with this key is ready. It is told again as long
    /// as it is.
    Ready(RawFd, Readiness, Key),
    /// [`Engine::request_call`](crate::Engine::request_call) has asked for it.
    Call,
    /// The time set by [`Engine::set_tick`](crate::Engine::set_tick) has passed.
    Tick,
    /// Something was written to a pipe given to [`Engine::watch_control`](crate::Engine::watch_control), or
    /// it has ended.
    Control,
    /// The queue of a connection is empty, after it had to wait for its client to read.
    Drained(ConnId),
    /// A client's request was refused, and not by the caller.
    Refused(ConnId, Refusal),
    /// A client is being dropped.
    Dropped(ConnId, DropCause),
    /// Much less memory is held for clients than was: what allocates may give it back to the system now.
    MemoryReleased,
    /// One callback, or several in a row, took so long, a second or more, in which nobody else was served.
    HeldUp(Duration),
    /// Connections cannot be accepted just now. Told once a minute at most.
    AcceptFailed(Errno),
    /// [`Config::take_shortage`](crate::Config::take_shortage) has said so, and what can be done was done.
    ShortOfMemory,
    /// The time given to [`Engine::drain`](crate::Engine::drain) is over, and not all connections have ended.
    DrainExpired,
    /// All connections have ended, after [`Engine::stop`](crate::Engine::stop) or
    /// [`Engine::drain`](crate::Engine::drain).
    Stopped,
}

/// An event whose payload, where it is a message, stands where the turn says.
pub(crate) type Told = Event<()>;

impl<P> Event<P> {
    /// The same event with a message's payload given in another way.
    #[inline(always)]
    pub fn map<Q>(self, give: impl FnOnce(P) -> Q) -> Event<Q> {
        match self {
            Self::Message(id, kind, payload) => Event::Message(id, kind, give(payload)),
            Self::Opened(id) => Event::Opened(id),
            Self::Requested(id) => Event::Requested(id),
            Self::Overdue(id) => Event::Overdue(id),
            Self::Closed(id) => Event::Closed(id),
            Self::Timer(key) => Event::Timer(key),
            Self::Ready(fd, readiness, key) => Event::Ready(fd, readiness, key),
            Self::Call => Event::Call,
            Self::Tick => Event::Tick,
            Self::Control => Event::Control,
            Self::Drained(id) => Event::Drained(id),
            Self::Refused(id, refusal) => Event::Refused(id, refusal),
            Self::Dropped(id, cause) => Event::Dropped(id, cause),
            Self::MemoryReleased => Event::MemoryReleased,
            Self::HeldUp(duration) => Event::HeldUp(duration),
            Self::AcceptFailed(errno) => Event::AcceptFailed(errno),
            Self::ShortOfMemory => Event::ShortOfMemory,
            Self::DrainExpired => Event::DrainExpired,
            Self::Stopped => Event::Stopped,
        }
    }
}

/// What a descriptor is watched for, or is ready for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// There is something to read, or its end.
    pub read: bool,
    /// There is room for something to be written.
    pub write: bool,
}

/// Why a client is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropCause {
    /// The client broke the protocol.
    Violation(Violation),
    /// The client does not read what is sent to it.
    QueueFull,
    /// The client's queue would grow, and as much memory is held as may be.
    QueueMemory,
    /// The client did not answer a ping.
    Silent,
    /// The client holds most where there is no memory.
    NoMemory,
    /// There is no memory for its message.
    MessageMemory,
}

impl fmt::Display for DropCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation(violation) => violation.fmt(f),
            Self::QueueFull => f.write_str("it does not read, and too much is queued"),
            Self::QueueMemory => {
                f.write_str("its queue would grow, and as much memory is held as may be")
            }
            Self::Silent => f.write_str("it does not answer"),
            Self::NoMemory => f.write_str("there is no memory, and it holds most"),
            Self::MessageMemory => f.write_str("there is no memory for its message"),
        }
    }
}

/// Why a message was queued for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// There was no memory for it.
    OutOfMemory,
    /// The message would have been more than [`Config::max_queued_frames`](crate::Config::max_queued_frames) for one of its connections.
    QueueFull,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfMemory => "out of memory",
            Self::QueueFull => "too many frames are queued",
        })
    }
}

impl std::error::Error for SendError {}

/// There was no memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutOfMemory;

impl From<TryReserveError> for OutOfMemory {
    fn from(_: TryReserveError) -> Self {
        Self
    }
}

impl From<OutOfMemory> for SendError {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl From<TryReserveError> for SendError {
    fn from(_: TryReserveError) -> Self {
        Self::OutOfMemory
    }
}
