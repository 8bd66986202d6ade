//! The kernel's table of TCP sockets: /proc/net/tcp and tcp6, of proc(5).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};

use super::process::Process;

/// One socket.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) is_listening: bool,
    /// Bytes that have arrived and are not read.
    pub(crate) unread: u64,
    pub(crate) inode: String,
}

impl Row {
    /// All of them.
    fn all() -> Vec<Row> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
        // A kernel without IPv6 has one table.
        let lines = tables.iter().flatten().flat_map(|table| table.lines().skip(1));
        lines.map(|line| Row::parse(line).unwrap_or_else(|| panic!("no row: {line}"))).collect()
    }

    /// The sockets on which that process listens, in the order of their descriptors.
    pub(crate) fn listening(process: Process) -> Vec<SocketAddr> {
        let rows = Row::all();
        let files = process.open_files();
        let row_of = |file: &std::path::PathBuf| {
            let is_it = |row: &&Row| file.as_os_str() == &*format!("socket:[{}]", row.inode);
            rows.iter().filter(|row| row.is_listening).find(is_it)
        };
        files.iter().filter_map(row_of).map(|row| row.local).collect()
    }

    /// The other end of this stream, on the same machine. None once it is closed.
    pub(crate) fn of_peer(stream: &TcpStream) -> Option<Row> {
        let (local, remote) = (stream.peer_addr().ok()?, stream.local_addr().ok()?);
        Row::all().into_iter().find(|row| (row.local, row.remote) == (local, remote))
    }

    fn parse(line: &str) -> Option<Row> {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, local, remote, state, queues, _, _, _, _, inode, ..] = fields[..] else {
            return None;
        };
        let (_, unread) = queues.split_once(':')?;
        Some(Row {
            local: address(local)?,
            remote: address(remote)?,
            is_listening: state == "0A",
            unread: u64::from_str_radix(unread, 16).ok()?,
            inode: inode.to_owned(),
        })
    }
}

/// Words of four bytes in the machine's order, and a port.
fn address(text: &str) -> Option<SocketAddr> {
    let (words, port) = text.split_once(':')?;
    let words = words.as_bytes().chunks(8).map(|word| {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        Some(word.to_ne_bytes())
    });
    let bytes = words.collect::<Option<Vec<_>>>()?.concat();
    let ip = match bytes.len() {
        4 => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        _ => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}
