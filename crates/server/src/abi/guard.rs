//! Panics of ours: a line in the log says where one was, and the guard ends what it was in.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use crate::error::Misuse;
use crate::log;

/// What a function returns that another thread than the server's has called, or a child process.
pub(super) const WRONG_THREAD: c_int = -3;

/// What a function returns that has done something, or could not: as on a wrong thread (CONTRACT F7).
pub(super) fn status(done: Result<bool, Misuse>) -> c_int {
    match done {
        Ok(true) => 0,
        Ok(false) | Err(Misuse::NoLoop) => -1,
        Err(Misuse::Foreign) => WRONG_THREAD,
    }
}

/// The guard of every export, and of each step of `main`: no panic crosses into C (CONTRACT S14).
pub(crate) fn guard<R>(fallback: R, act: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or(fallback)
}

/// Makes a panic one line in the log, and nothing else: a daemon's standard error is /dev/null.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| log::error(&line(panic))));
}

fn line(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let why = match payload.downcast_ref::<&str>() {
        Some(why) => why,
        None => payload.downcast_ref::<String>().map_or("no reason is given", String::as_str),
    };
    let why = why.replace('\n', " ");
    match panic.location() {
        Some(place) => format!("a fault of the library's at {place}: {why}"),
        None => format!("a fault of the library's: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Says to the test that it is the process which panics.
    const PANICS: &str = "DORRIT_TEST_PANICS";

    /// CONTRACT S14: one line, with its place, and the guard goes on with what it was given.
    #[test]
    fn a_panic_is_one_line_and_ends_at_the_guard() {
        if std::env::var_os(PANICS).is_some() {
            log_panics();
            let name = [1, 2];
            let status = guard(7, || {
                assert_eq!(name, [3, 4], "as it must not be");
                0
            });
            // SAFETY: nothing is to be run at the exit of this process.
            unsafe { libc::_exit(status) }
        }
        let this = std::env::current_exe().unwrap();
        let itself = "abi::guard::tests::a_panic_is_one_line_and_ends_at_the_guard";
        let output =
            Command::new(this).args(["--exact", itself]).env(PANICS, "yes").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(7), "{said}");
        let place = format!("server: a fault of the library's at {}:", file!());
        assert!(said.starts_with(&place) && said.ends_with('\n'), "{said}");
        assert!(said.contains("as it must not be   left: [1, 2]"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
