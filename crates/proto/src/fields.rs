//! What header lines are made of (RFC 9110 5.1, 5.5).

/// Whether `name` is a token (RFC 9110 5.6.2), as the name of a header or of a sub-protocol must be.
pub fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| is_token_byte(byte))
}

/// Whether `value` may be the value of a header: no control character is in it but the tab (RFC 9110 5.5).
pub fn is_header_value(value: &[u8]) -> bool {
    value.iter().all(|&byte| is_value_byte(byte))
}

/// Whether a program's answer may not have a header of this name: the server itself says all that holds for
/// the connection, for the length of the answer and for its time.
pub fn is_reserved_header(name: &[u8]) -> bool {
    const PREFIX: &[u8] = b"sec-websocket-";
    let reserved = [
        &b"connection"[..],
        b"upgrade",
        b"keep-alive",
        b"proxy-connection",
        b"content-length",
        b"transfer-encoding",
        b"te",
        b"trailer",
        b"date",
    ];
    reserved.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
        || name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Whether `value` may be the value of Host: a name or an address, and perhaps a port (RFC 9112 3.2, RFC 3986
/// 3.2.2). An empty one is no host.
pub(crate) fn is_host(value: &[u8]) -> bool {
    let (is_good, rest) = match value.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = rest.iter().position(|&byte| byte == b']') else { return false };
            let is_part = |&byte: &u8| byte == b':' || is_host_byte(byte);
            (end > 0 && rest[..end].iter().all(is_part), &rest[end + 1..])
        }
        None => {
            let end = value.iter().position(|&byte| !HOST[usize::from(byte)]);
            (end != Some(0) && !value.is_empty(), &value[end.unwrap_or(value.len())..])
        }
    };
    let port = rest.strip_prefix(b":").unwrap_or(rest);
    is_good && (port.is_empty() || port.len() < rest.len() && port.iter().all(u8::is_ascii_digit))
}

/// Which bytes the name of a host may have.
const HOST: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_host_byte(byte as u8);
        byte += 1;
    }
    table
};

/// Whether the name of a host may have this byte (RFC 3986 3.2.2).
const fn is_host_byte(byte: u8) -> bool {
    let is_mark = matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\'');
    let is_sign = matches!(byte, b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=');
    byte.is_ascii_alphanumeric() || is_mark || is_sign
}

/// The members of a list (RFC 9110 5.6.1).
pub(crate) fn tokens(list: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// Whether a list has this token, in any case.
pub(crate) fn has_token(list: &[u8], token: &[u8]) -> bool {
    tokens(list).any(|found| found.eq_ignore_ascii_case(token))
}

/// Whether a token may have this byte (RFC 9110 5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a header's value may have this byte (RFC 9110 5.5).
pub(crate) fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9112 3.2, RFC 3986 3.2.2.
    #[test]
    fn hosts_are_names_and_addresses() {
        for good in ["a", "a.b-c_d:80", "a:", "127.0.0.1:1", "[::1]", "[::1]:8080", "a%20b", "*"] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "", ":80", "a b", "a/b", "a@b", "a\\b", "a?b", "a#b", "a:b", "a:8:0", "a\"", "<a>",
            "[", "[]", "[::1", "[::1]80", "::1", "a]", "[::1]:x", "\u{e9}", "a\t", "a:+1",
            "[[::1]]",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }

    /// RFC 9110 5.5: what would end a line, or a string, is in no value.
    #[test]
    fn values_have_no_control_characters() {
        assert!(is_header_value(b"") && is_header_value(b"a \t\xff~"));
        for byte in (0..=31).chain([127]).filter(|byte| *byte != b'\t') {
            assert!(!is_header_value(&[b'a', byte]), "{byte}");
        }
    }

    #[test]
    fn names_that_are_the_servers_own() {
        for own in [
            "Connection",
            "UPGRADE",
            "keep-alive",
            "Proxy-Connection",
            "Content-Length",
            "Date",
            "Transfer-Encoding",
            "TE",
            "trailer",
            "Sec-WebSocket-Accept",
            "sec-websocket-x",
        ] {
            assert!(is_reserved_header(own.as_bytes()), "{own}");
        }
        for free in ["", "Set-Cookie", "Content-Type", "Sec-WebSocket", "X-Date", "Server"] {
            assert!(!is_reserved_header(free.as_bytes()), "{free}");
        }
    }
}
