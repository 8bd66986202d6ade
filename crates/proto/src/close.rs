//! Close codes (RFC 6455 7.4).

/// A close code: one that may stand in a close frame, or one that stands for how a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CloseCode(pub(crate) u16);

impl CloseCode {
    /// 1000: the purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes away.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: data of a kind that is not taken here.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1007: a payload that does not fit its type, such as text that is no UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1005: a close frame came without a code. Never sent.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: no close frame came. Never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1008: the peer does not do what is wanted of it here.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message above the limit.
    pub const TOO_BIG: Self = Self(1009);
    /// 1012: the server is started anew, and can be connected to again (the IANA registry).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the server has too much to do just now (the IANA registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// The close code with this number, where it may be sent in a close frame: those that RFC 6455 7.4.1
    /// and the IANA registry define for use on the wire, and 3000 to 4999.
    pub fn new(number: u16) -> Option<Self> {
        matches!(number, 1000..=1003 | 1007..=1014 | 3000..=4999).then_some(Self(number))
    }

    /// The number of the close code, as it stands in a close frame.
    pub fn number(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_may_be_sent() {
        for number in [1000, 1001, 1002, 1003, 1007, 1009, 1011, 1014, 3000, 4999] {
            assert_eq!(CloseCode::new(number).unwrap().number(), number);
        }
        for number in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert_eq!(CloseCode::new(number), None, "{number}");
        }
    }
}
