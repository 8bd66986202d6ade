//! Listening on TCP, where the options ask for it, and what a socket is that listens already.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

use dorrit_engine::Listener;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, bind, getsockname, listen, sockopt};

use super::unix::{BACKLOG, stream_socket};
use crate::error::{StartError, errno_text};

/// Listens on this port of each address. Port 0 is a free one, for each its own.
pub(crate) fn open_tcp(port: u16, addresses: &[IpAddr]) -> Result<Vec<TcpListener>, StartError> {
    let open = |&address: &IpAddr| {
        bind_address(SocketAddr::new(address, port)).map_err(|error| match error {
            Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT => {
                StartError::option("-i", address, errno_text(&error.into()))
            }
            _ => StartError::option(
                "-p",
                port,
                format_args!("{address}: {}", errno_text(&error.into())),
            ),
        })
    };
    addresses.iter().map(open).collect()
}

fn bind_address(address: SocketAddr) -> Result<TcpListener, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = stream_socket(family)?;
    // Connections of the run before, which linger, are no reason not to start.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        // Whether "::" takes IPv4 as well depends on the system, and would be in the way of 0.0.0.0.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// A listener of a socket that listens already, on TCP or in the UNIX domain.
pub(crate) fn listener(socket: OwnedFd) -> Listener {
    match address(socket.as_fd()) {
        Some(_) => TcpListener::from(socket).into(),
        None => UnixListener::from(socket).into(),
    }
}

/// Where a socket listens: an address and a port, or a path. One in Linux's abstract namespace has a name
/// behind `@`.
pub(crate) fn place(socket: BorrowedFd<'_>) -> Option<String> {
    if let Some(address) = address(socket) {
        return Some(address.to_string());
    }
    let name = SocketAddrUnix::try_from(getsockname(socket).ok()?).ok()?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = name.abstract_name() {
        return Some(format!("@{}", String::from_utf8_lossy(name)));
    }
    name.path().map(|path| path.to_string_lossy().into_owned())
}

/// The address that a listening socket is bound to, where it is one of TCP.
fn address(socket: BorrowedFd<'_>) -> Option<SocketAddr> {
    getsockname(socket).ok().and_then(|name| name.try_into().ok())
}
