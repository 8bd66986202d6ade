//! Waiting for what cannot be blocked on: a file's content, a process's end, a listener.

use std::time::{Duration, Instant};

/// The longest that any test waits for an event: generous, because it only costs time where the
/// test fails. A page in a browser alone may pause for 15 s before it tries again to connect.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// Asks again and again, with a short and growing pause, until there is an answer or the limit is
/// over.
pub(crate) fn until<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(100);
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if start.elapsed() > LIMIT {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// A read with a timeout is interrupted by a machine that pauses: then the wait begins anew.
pub(crate) fn uninterrupted(
    mut read: impl FnMut() -> std::io::Result<usize>,
) -> std::io::Result<usize> {
    loop {
        match read() {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
