//! The kernel's table of TCP sockets.

use std::net::TcpStream;

use procfs::net::{TcpNetEntry, tcp, tcp6};

/// All of them.
pub(super) fn rows() -> Vec<TcpNetEntry> {
    // A kernel without IPv6 has one table.
    [tcp().expect("the table"), tcp6().unwrap_or_default()].concat()
}

/// How many bytes have arrived at the other end of this stream, on the same machine, and are not read.
pub(super) fn unread_by_peer(stream: &TcpStream) -> u32 {
    let ends = stream.peer_addr().and_then(|peer| Ok((peer, stream.local_addr()?)));
    // Once it is closed there is no such end.
    let is_peer = |row: &TcpNetEntry| {
        ends.as_ref().is_ok_and(|ends| (row.local_address, row.remote_address) == *ends)
    };
    rows().into_iter().find(is_peer).map_or(0, |row| row.rx_queue)
}
