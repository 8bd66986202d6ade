//! How a connection closes: the closing handshake and the ends without one (RFC 6455 5.5.1 and 7).

use std::fmt;

use crate::close::CloseCode;
use crate::rules::Role;

/// How far a connection is closed, and with which code. It knows no stream and no queue: a frame counts as
/// sent when nothing can get before it any more, and as received when it is taken from the input.
///
/// It has the size of a [`CloseCode`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Closing(u16);

/// What [`Closing`] has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosingState {
    /// Messages go both ways.
    Open,
    /// Our close frame was the first; the peer's has not come.
    CloseSent,
    /// The peer's close frame was the first, and ours has answered it.
    CloseReceived,
    /// Our close frame was the first, and the peer's has answered it.
    CloseAcknowledged,
    /// The connection was failed (RFC 6455 7.1.7): nothing that the peer sends counts any more.
    Failed,
    /// The stream has ended after both close frames (RFC 6455 7.1.4).
    Closed(Initiator),
    /// The stream has ended before both close frames had come and gone.
    Aborted,
}

/// Who sent the first close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initiator {
    /// This end of the connection.
    Us,
    /// The other end.
    Peer,
}

/// What one end does with the stream when all that it has queued is sent (RFC 6455 7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFlush {
    /// It goes on as before.
    GoOn,
    /// It reads on until the peer's close frame, and does nothing else.
    AwaitClose,
    /// It reads nothing more, and leaves it to the server to end the stream first.
    AwaitEnd,
    /// It ends its own side, and throws away what comes until the peer ends its side: so that what was sent
    /// last is not lost.
    Discard,
    /// It closes the stream.
    Close,
}

impl Closing {
    /// The state of every connection at first.
    pub const OPEN: Self = Self::new(ClosingState::Open, CloseCode::ABNORMAL);

    /// Close codes are below that, so that the state has the three bits above them.
    const CODES: u16 = 1 << 13;

    const fn new(state: ClosingState, code: CloseCode) -> Self {
        let state = match state {
            ClosingState::Open => 0,
            ClosingState::CloseSent => 1,
            ClosingState::CloseReceived => 2,
            ClosingState::CloseAcknowledged => 3,
            ClosingState::Failed => 4,
            ClosingState::Closed(Initiator::Us) => 5,
            ClosingState::Closed(Initiator::Peer) => 6,
            ClosingState::Aborted => 7,
        };
        Self(state * Self::CODES + code.0)
    }

    /// What the connection has come to.
    pub const fn state(self) -> ClosingState {
        match self.0 / Self::CODES {
            0 => ClosingState::Open,
            1 => ClosingState::CloseSent,
            2 => ClosingState::CloseReceived,
            3 => ClosingState::CloseAcknowledged,
            4 => ClosingState::Failed,
            5 => ClosingState::Closed(Initiator::Us),
            6 => ClosingState::Closed(Initiator::Peer),
            _ => ClosingState::Aborted,
        }
    }

    /// The code that the application is told: that of the first close frame, the peer's or ours;
    /// [`CloseCode::NO_STATUS`] where that had none, [`CloseCode::ABNORMAL`] where there was no close frame
    /// (RFC 6455 7.1.5; there, of two close frames the peer's counts, which mostly has the same code).
    pub const fn code(self) -> CloseCode {
        CloseCode(self.0 % Self::CODES)
    }

    /// Who sent the first close frame; `None` where there was none, or the stream has ended before the
    /// second.
    pub const fn initiator(self) -> Option<Initiator> {
        use ClosingState::*;
        match self.state() {
            CloseSent | CloseAcknowledged | Failed => Some(Initiator::Us),
            CloseReceived => Some(Initiator::Peer),
            Closed(initiator) => Some(initiator),
            Open | Aborted => None,
        }
    }

    /// Whether frames may be sent, and messages that come are the application's. Behind a close frame
    /// nothing is sent (RFC 6455 5.5.1).
    pub const fn is_open(self) -> bool {
        matches!(self.state(), ClosingState::Open)
    }

    /// Whether frames that come are looked at. While the connection is not open any more, all are passed
    /// over but a close frame.
    pub const fn is_receiving(self) -> bool {
        matches!(self.state(), ClosingState::Open | ClosingState::CloseSent)
    }

    /// Whether the stream has ended.
    pub const fn has_ended(self) -> bool {
        matches!(self.state(), ClosingState::Closed(_) | ClosingState::Aborted)
    }

    /// What this end of the connection does with the stream once all that is queued is sent.
    pub const fn after_flush(self, role: Role) -> AfterFlush {
        use ClosingState::*;
        match (self.state(), role) {
            (Open, _) => AfterFlush::GoOn,
            (CloseSent, _) => AfterFlush::AwaitClose,
            (CloseReceived | CloseAcknowledged, Role::Server) => AfterFlush::Close,
            (CloseReceived | CloseAcknowledged, Role::Client) => AfterFlush::AwaitEnd,
            (Failed, _) => AfterFlush::Discard,
            (Closed(_) | Aborted, _) => AfterFlush::Close,
        }
    }

    /// Begins the closing handshake with a close frame of this code. Returns whether that is to be sent: it
    /// is not where one was sent before, or the stream has ended.
    #[must_use]
    pub fn close(&mut self, code: Option<CloseCode>) -> bool {
        self.send(ClosingState::CloseSent, code)
    }

    /// Fails the connection (RFC 6455 7.1.7) with a close frame of this code. Returns whether that is to be
    /// sent: it is not where one was sent before, or the stream has ended.
    #[must_use]
    pub fn fail(&mut self, code: CloseCode) -> bool {
        if self.state() == ClosingState::CloseSent {
            *self = Self::new(ClosingState::Failed, self.code());
        }
        self.send(ClosingState::Failed, Some(code))
    }

    /// Takes the peer's close frame, with the code that it carries. Returns whether it is to be answered,
    /// with its own code (RFC 6455 5.5.1): it is not where it is an answer itself, or nothing counts any
    /// more that the peer sends.
    #[must_use]
    pub fn receive(&mut self, code: Option<CloseCode>) -> bool {
        if self.state() == ClosingState::CloseSent {
            *self = Self::new(ClosingState::CloseAcknowledged, self.code());
        }
        self.send(ClosingState::CloseReceived, code)
    }

    /// Notes that our only close frame is sent, where the connection is open. Returns whether it is.
    fn send(&mut self, state: ClosingState, code: Option<CloseCode>) -> bool {
        let is_first = self.is_open();
        if is_first {
            *self = Self::new(state, code.unwrap_or(CloseCode::NO_STATUS));
        }
        is_first
    }

    /// Notes that the stream has ended, cleanly or not.
    pub fn end(&mut self) {
        use ClosingState::*;
        let state = match self.state() {
            Open | CloseSent | Failed => Aborted,
            CloseReceived => Closed(Initiator::Peer),
            CloseAcknowledged => Closed(Initiator::Us),
            ended @ (Closed(_) | Aborted) => ended,
        };
        *self = Self::new(state, self.code());
    }
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Closing({:?}, {})", self.state(), self.code().number())
    }
}

#[cfg(test)]
#[path = "closing_tests.rs"]
mod tests;
