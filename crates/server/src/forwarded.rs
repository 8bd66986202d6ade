//! Who the client is, as the proxies before the server say.

/// Which entry of a request's forwarding headers is the client's address: `--forwarded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forwarded {
    /// The entry, from the right, counted from 1.
    pub(crate) nth: usize,
    /// The header; `None`: the one that is there.
    pub(crate) header: Option<Header>,
}

/// A header in which proxies say for whom they send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Header {
    /// The header of this name, in any case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let all = [Self::XForwardedFor, Self::Forwarded];
        all.into_iter().find(|header| header.name().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}
