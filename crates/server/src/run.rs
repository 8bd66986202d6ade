//! `main`.

use std::ffi::{CStr, OsString, c_char, c_int};
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, IntoRawFd as _};
use std::os::unix::ffi::OsStringExt as _;

use rustix::fs::{Mode, OFlags};

use crate::launch::{Launch, NAME};
use crate::opening::Openings;
use crate::origin::Origin;
use crate::passed::Passed;
use crate::program::{Flavor, Program};
use crate::start::StartError;
use crate::{dispatch, host, log, notify, signals};

/// Runs the server until it is told to stop. Returns the exit status of `main`.
///
/// # Safety
/// `argc` and `argv` are those of `main`.
pub unsafe fn run(
    argc: c_int,
    argv: *const *const c_char,
    program: &impl Program,
    flavor: &Flavor,
) -> c_int {
    host::guard(1, || {
        host::claim();
        open_streams();
        signals::ignore_sigpipe();
        log::open(NAME);
        // SAFETY: the caller's promise.
        let arguments = unsafe { arguments(argc, argv) };
        let passed = Passed::take(flavor);
        notify::claim_watchdog();
        let (origin, legacy) = Origin::find(arguments);
        notify::take();
        match (Launch { program, flavor }).launch(origin, legacy, passed) {
            Ok(mut server) => {
                let status = dispatch::serve(program, &mut server);
                program.exit();
                server.files.remove_all();
                log::close();
                let _ = host::with(|state| {
                    state.engine = None;
                    state.openings = Openings::NONE;
                });
                status
            }
            Err(StartError { text, status: 0 }) => {
                // Whoever asked may have gone.
                let _ = std::io::stdout().write_all(text.as_bytes());
                0
            }
            Err(StartError { text, status }) => {
                log::error(&text);
                status
            }
        }
    })
}

/// Opens /dev/null in the place of standard streams that are closed: what is meant for them must not go
/// to the next file or client that gets the number.
fn open_streams() {
    while let Ok(null) = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()) {
        if null.as_raw_fd() > libc::STDERR_FILENO {
            return;
        }
        // It stays open, in what the program executes too, as standard streams do.
        let _ = null.into_raw_fd();
    }
}

/// The program's name and what follows it.
///
/// # Safety
/// `argc` and `argv` are those of `main`.
unsafe fn arguments(argc: c_int, argv: *const *const c_char) -> Vec<OsString> {
    let count = if argv.is_null() { 0 } else { usize::try_from(argc).unwrap_or(0) };
    // SAFETY: there are so many strings, each of which ends with a zero byte.
    let argument = |i| unsafe { CStr::from_ptr(*argv.add(i)) }.to_bytes().to_vec();
    (0..count).map(|i| OsString::from_vec(argument(i))).collect()
}
