//! The sub-protocols that a server speaks (RFC 6455 1.9).

use dorrit_proto::is_token;

use super::list::items;

/// The sub-protocols that the server speaks.
#[derive(Debug)]
pub(crate) enum Protocols {
    /// The sub-protocols of a list with commas between them, the best first; none where it is empty.
    List(Vec<u8>),
    /// Whatever the client offers.
    Any,
}

impl Protocols {
    /// Reads a list, or `*`. `None` where an item is no name, and without memory.
    pub(crate) fn parse(list: &[u8]) -> Option<Self> {
        if list.trim_ascii() == b"*" {
            return Some(Self::Any);
        }
        let mut copy = Vec::new();
        copy.try_reserve_exact(list.len()).ok().filter(|()| items(list).all(is_token))?;
        copy.extend_from_slice(list);
        Some(Self::List(copy))
    }

    /// Chooses the sub-protocol for a client that offers these.
    pub(crate) fn choose<'a>(
        &self,
        mut offered: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Option<&'a [u8]> {
        match self {
            Self::Any => offered.next(),
            Self::List(ours) => {
                items(ours).find_map(|name| offered.clone().find(|offer| *offer == name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let chosen = |list: &str, offered: &[&str]| {
            let offered: Vec<_> = offered.iter().map(|name| name.as_bytes()).collect();
            let protocols = Protocols::parse(list.as_bytes()).unwrap();
            protocols
                .choose(offered.iter().copied())
                .map(|name| String::from_utf8(name.to_vec()).unwrap())
        };
        assert_eq!(chosen("chat, superchat", &["superchat", "chat"]).as_deref(), Some("chat"));
        assert_eq!(chosen("chat", &["Chat"]), None);
        assert_eq!(chosen("*", &["b", "a"]).as_deref(), Some("b"));
        assert_eq!(chosen("*", &[]), None);
        for bad in ["", "a,,b", "a b", "é", ","] {
            assert!(Protocols::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
