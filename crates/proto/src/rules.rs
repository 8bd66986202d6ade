//! What is accepted of the other end of a connection.

/// Whether binary messages are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// Binary messages are taken like text.
    Accepted,
    /// They end their connection.
    Refused,
}

/// Whether messages in fragments are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragments {
    /// Fragments are joined to the message that they are parts of.
    Joined,
    /// They end their connection.
    Refused,
}

/// Which end of its connections this is: a client masks the frames that it sends, a server does not, and
/// each fails a connection on which the other does otherwise (RFC 6455 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The end that was connected to.
    Server,
    /// The end that has connected.
    Client,
}

/// What is accepted of the peer.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Which end this is: of a client's frames each must be masked, of a server's none.
    pub role: Role,
    /// The longest payload of a message, in bytes.
    pub max_payload: usize,
    /// Whether binary messages are taken.
    pub binary: Binary,
    /// Whether messages in fragments are taken.
    pub fragments: Fragments,
}
