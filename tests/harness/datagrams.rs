//! A socket of datagrams that takes no more.

use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// What it is filled with.
pub(crate) const FILLER: &str = "X_FILLER=1";

/// Leaves no room there for a message from whomever. What is sent counts against its sender too, so that
/// it may take more than one.
pub(crate) fn fill_datagrams(socket: &Path) {
    loop {
        let sender = UnixDatagram::unbound().expect("a socket");
        sender.set_nonblocking(true).expect("a flag");
        let sent = (0..).take_while(|_| sender.send_to(FILLER.as_bytes(), socket).is_ok());
        if sent.count() == 0 {
            return;
        }
    }
}
