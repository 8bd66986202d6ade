//! Listening on TCP, where the options ask for it, and what a socket is that listens already.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

use dorrit_engine::Listener;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, bind, getsockname, listen, sockopt};

use super::unix::{BACKLOG, stream_socket};
use crate::config::TcpKeepalive;
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

/// Has the system probe the silent peers of what is accepted on this listening socket, where it is one of TCP:
/// connections take these options from their listener.
pub(crate) fn keep_alive(
    socket: BorrowedFd<'_>,
    keepalive: TcpKeepalive,
) -> Result<(), StartError> {
    let Some(address) = address(socket) else { return Ok(()) };
    let set = || {
        sockopt::set_socket_keepalive(socket, true)?;
        sockopt::set_tcp_keepidle(socket, keepalive.time)?;
        sockopt::set_tcp_keepcnt(socket, keepalive.probes)?;
        sockopt::set_tcp_keepintvl(socket, keepalive.interval)
    };
    set().map_err(|error: Errno| {
        StartError::option("--tcp-keepalive on", address, errno_text(&error.into()))
    })
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
    use std::time::Duration;

    use super::*;

    const KEEPALIVE: TcpKeepalive = TcpKeepalive {
        time: Duration::from_secs(61),
        probes: 5,
        interval: Duration::from_secs(11),
    };

    #[test]
    fn what_is_accepted_is_kept_alive() {
        for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let listener = open_tcp(0, &[address]).unwrap().remove(0);
            assert!(!sockopt::socket_keepalive(&listener).unwrap());
            keep_alive(listener.as_fd(), KEEPALIVE).unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            assert!(sockopt::socket_keepalive(&accepted).unwrap());
            assert_eq!(sockopt::tcp_keepidle(&accepted).unwrap(), KEEPALIVE.time);
            assert_eq!(sockopt::tcp_keepcnt(&accepted).unwrap(), KEEPALIVE.probes);
            assert_eq!(sockopt::tcp_keepintvl(&accepted).unwrap(), KEEPALIVE.interval);
        }
    }

    #[test]
    fn a_unix_socket_is_left_alone() {
        let socket = stream_socket(AddressFamily::UNIX).unwrap();
        keep_alive(socket.as_fd(), KEEPALIVE).unwrap();
        assert!(!sockopt::socket_keepalive(&socket).unwrap());
    }

    #[test]
    fn an_error_names_the_option() {
        let listener = open_tcp(0, &[Ipv4Addr::LOCALHOST.into()]).unwrap().remove(0);
        let error = keep_alive(listener.as_fd(), TcpKeepalive { probes: 1000, ..KEEPALIVE });
        let text = error.unwrap_err().text;
        assert!(text.starts_with("--tcp-keepalive on 127.0.0.1:"), "{text}");
    }
}
