//! The addresses of clients.

use std::net::{IpAddr, Ipv6Addr};

/// The addresses of the clients of connections, by their index. It takes memory where there are any.
#[derive(Debug, Default)]
pub(crate) struct Peers(Vec<Ipv6Addr>);

/// An address that is not known.
const UNKNOWN: Ipv6Addr = Ipv6Addr::UNSPECIFIED;

impl Peers {
    /// Notes the address of a client, where there is one. Without memory for it, it is not known.
    pub(crate) fn set(&mut self, index: usize, address: Option<IpAddr>) {
        let address = match address {
            Some(IpAddr::V4(address)) => address.to_ipv6_mapped(),
            Some(IpAddr::V6(address)) => address,
            None => UNKNOWN,
        };
        if index >= self.0.len() {
            let more = index + 1 - self.0.len();
            if address == UNKNOWN || self.0.try_reserve(more).is_err() {
                return;
            }
            self.0.resize(index + 1, UNKNOWN);
        }
        self.0[index] = address;
    }

    /// The address of a client, where it is known. One of IPv4 that was mapped into IPv6 is one of IPv4.
    pub(crate) fn get(&self, index: usize) -> Option<IpAddr> {
        let address = self.0.get(index).filter(|address| **address != UNKNOWN)?;
        Some(address.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_none() {
        let mut peers = Peers::default();
        peers.set(7, None);
        assert_eq!((peers.get(7), peers.0.capacity()), (None, 0), "nobody has one");
        for (index, text, shown) in [
            (3, "192.0.2.7", "192.0.2.7"),
            (1, "2001:db8::1", "2001:db8::1"),
            (1, "::ffff:192.0.2.9", "192.0.2.9"),
            (4, "::1", "::1"),
        ] {
            peers.set(index, Some(text.parse().unwrap()));
            assert_eq!(peers.get(index), Some(shown.parse().unwrap()));
        }
        assert_eq!((peers.get(0), peers.get(2), peers.get(9)), (None, None, None));
        peers.set(3, None);
        assert_eq!(peers.get(3), None, "another one has the place");
    }
}
