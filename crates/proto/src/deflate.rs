//! What two ends agree on before messages are compressed: permessage-deflate (RFC 7692).
//!
//! Every message is compressed by itself: the answer to an offer always asks both sides for no context
//! takeover. So a connection keeps no state, one compressor serves all that have the same window, and a
//! message for many is compressed once.

/// How the messages of a connection may be compressed, as a server has agreed with its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// The base-2 logarithm of the window that our messages may use, in bytes: 8 to 15.
    pub window_bits: u8,
    has_server_bits: bool,
    client_bits: Option<u8>,
}

impl Deflate {
    /// What a server agrees to of the values of a client's Sec-WebSocket-Extensions headers: the first offer
    /// that can be accepted. One that cannot be is passed over (RFC 7692 5.1, 7.1).
    pub fn negotiate<'a>(headers: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut offers = headers.flat_map(|list| list.split(|&byte| byte == b','));
        offers.find_map(Self::accept)
    }

    /// What a server agrees to by accepting this offer; `None` where it cannot.
    fn accept(offer: &[u8]) -> Option<Self> {
        let mut parts = offer.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        parts.next().filter(|name| name.eq_ignore_ascii_case(b"permessage-deflate"))?;
        let mut deflate = Self { window_bits: 15, has_server_bits: false, client_bits: None };
        let mut seen = [false; 4];
        for part in parts {
            let (name, value) = match part.iter().position(|&byte| byte == b'=') {
                Some(at) => (part[..at].trim_ascii(), Some(unquote(part[at + 1..].trim_ascii()))),
                None => (part, None),
            };
            let parameter = match (name, value) {
                (b"server_no_context_takeover", None) => 0,
                (b"client_no_context_takeover", None) => 1,
                (b"server_max_window_bits", Some(value)) => {
                    deflate.window_bits = window_bits(value)?;
                    deflate.has_server_bits = true;
                    2
                }
                (b"client_max_window_bits", None) => 3,
                (b"client_max_window_bits", Some(value)) => {
                    deflate.client_bits = Some(window_bits(value)?);
                    3
                }
                _ => return None,
            };
            if std::mem::replace(&mut seen[parameter], true) {
                return None;
            }
        }
        Some(deflate)
    }

    /// Appends to `out` the value of the Sec-WebSocket-Extensions header by which a server agrees.
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        );
        if self.has_server_bits {
            encode_bits("; server_max_window_bits=", self.window_bits, out);
        }
        if let Some(bits) = self.client_bits {
            encode_bits("; client_max_window_bits=", bits, out);
        }
    }
}

/// Appends to `out` the parameter with this name and size of a window.
fn encode_bits(name: &str, bits: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(if bits < 10 { b"" } else { b"1" });
    out.push(b'0' + bits % 10);
}

/// The value of a parameter without the quotes around it, where it has some.
fn unquote(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// The size of a window that a parameter gives (RFC 7692 7.1.2): 8 to 15, without leading zeros (ADVISORIES
/// T21).
fn window_bits(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(header: &str) -> Option<String> {
        let mut out = Vec::new();
        Deflate::negotiate([header.as_bytes()].into_iter())?.encode(&mut out);
        let all = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        Some(String::from_utf8(out).unwrap().strip_prefix(all).unwrap().to_owned())
    }

    /// RFC 7692 7.1, ADVISORIES T21.
    #[test]
    fn offers() {
        for (offer, answer) in [
            ("permessage-deflate", Some("")),
            ("permessage-deflate; client_max_window_bits", Some("")),
            (
                "Permessage-Deflate ; client_max_window_bits = 10",
                Some("; client_max_window_bits=10"),
            ),
            (
                "permessage-deflate; server_max_window_bits=\"9\"",
                Some("; server_max_window_bits=9"),
            ),
            ("permessage-deflate;server_no_context_takeover;client_no_context_takeover", Some("")),
            (
                "x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=8",
                Some("; server_max_window_bits=8"),
            ),
            ("permessage-deflate; server_max_window_bits=7, permessage-deflate", Some("")),
            ("permessage-deflate; server_max_window_bits", None),
            ("permessage-deflate; server_max_window_bits=16", None),
            ("permessage-deflate; server_max_window_bits=010", None),
            ("permessage-deflate; client_max_window_bits=0", None),
            ("permessage-deflate; client_max_window_bits; client_max_window_bits=9", None),
            ("permessage-deflate; server_no_context_takeover=1", None),
            ("permessage-deflate; unknown", None),
            ("permessage-deflate;", None),
            ("permessage-bzip2", None),
            ("", None),
            ("\u{ff};,;=,\"", None),
        ] {
            assert_eq!(accepted(offer).as_deref(), answer, "{offer}");
        }
    }
}
