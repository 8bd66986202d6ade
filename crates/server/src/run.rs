//! `main`: its steps, in their order.

use std::ffi::{CStr, OsString, c_char, c_int};
use std::os::fd::{AsRawFd as _, IntoRawFd as _};
use std::os::unix::ffi::OsStringExt as _;

use rustix::fs::{Mode, OFlags};

use crate::abi::{guard, log_panics};
use crate::error::{Ending, StartError};
use crate::launch::{Launch, Prepared, Start};
use crate::listen::Activation;
use crate::process::{self, MAIN, Notifier};
use crate::program::{Flavor, Program};
use crate::restart::{self, CrashRecord, Inheritance, Invocation};
use crate::setup::NAME;
use crate::{log, serve, sigpipe};

/// Runs the server until it is told to stop. Returns the exit status of `main`.
///
/// Each step of ours has a guard of its own, and none is around a function of the program's: an exception
/// that leaves one ends the program where it was thrown, as it would without us (CONTRACT S26).
///
/// # Safety
/// `argc` and `argv` are those of `main`.
pub unsafe fn run(
    argc: c_int,
    argv: *const *const c_char,
    program: &impl Program,
    flavor: &Flavor,
) -> c_int {
    log_panics();
    let launch = Launch { program, flavor };
    // SAFETY: the caller's promise.
    let prepared = step(|| unsafe { prepare(argc, argv, &launch) });
    let opened = prepared.and_then(|prepared| {
        program.init();
        step(|| launch.open(prepared))
    });
    let mut process = match opened {
        Ok(process) => process,
        Err(error) => return guard(1, || end(&error)),
    };
    let status = serve::serve(program, &mut process);
    process::end_child();
    program.exit();
    process::end_child();
    guard(1, || {
        process.end();
        status
    })
}

/// Takes a step of the start, which a panic ends.
fn step<R>(act: impl FnOnce() -> Result<R, StartError>) -> Result<R, StartError> {
    guard(Err(StartError::panicked()), act)
}

/// Says why there is no server, and ends the process where `main` does not. Returns the exit status.
fn end(error: &StartError) -> c_int {
    match error.ending {
        // Whoever asked may have gone.
        Ending::Return(0) => drop(sigpipe::write_all(std::io::stdout(), error.text.as_bytes())),
        _ if error.text.is_empty() => {}
        _ => log::error(&error.text),
    }
    match error.ending {
        Ending::Return(status) => return status,
        Ending::Exit(_) => {}
        Ending::Signal(number) => process::raise_default(number),
    }
    let status = error.ending.status();
    // SAFETY: what the program has registered to be run at exit is left out, as it must be.
    unsafe { libc::_exit(status) }
}

/// Does all that comes before the program runs.
///
/// # Safety
/// `argc` and `argv` are those of `main`.
unsafe fn prepare(
    argc: c_int,
    argv: *const *const c_char,
    launch: &Launch<'_, impl Program>,
) -> Result<Prepared, StartError> {
    process::claim_thread(MAIN);
    open_streams();
    sigpipe::ignore();
    log::open(NAME);
    // SAFETY: the caller's promise.
    let arguments = unsafe { arguments(argc, argv) };
    let activation = Activation::take(launch.flavor);
    process::claim_watchdog();
    let record = CrashRecord::take();
    let inheritance = match (&record, Inheritance::take(record.as_ref())?) {
        (Some(record), Some(inheritance)) => Some(restart::begin(record, inheritance)?),
        _ => None,
    };
    let invocation = Invocation::find(arguments, record, inheritance.as_ref());
    let notifier = Notifier::take();
    launch.prepare(Start { invocation, inheritance, activation, notifier })
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

/// The arguments of `main`: the program's name and what follows it.
///
/// # Safety
/// `argc` and `argv` are those of `main`.
unsafe fn arguments(argc: c_int, argv: *const *const c_char) -> Vec<OsString> {
    let count = if argv.is_null() { 0 } else { usize::try_from(argc).unwrap_or(0) };
    // SAFETY: there are so many strings, each of which ends with a zero byte.
    let argument = |i| unsafe { CStr::from_ptr(*argv.add(i)) }.to_bytes().to_vec();
    (0..count).map(|i| OsString::from_vec(argument(i))).collect()
}
