//! A server from its beginning to its end: the steps, in their order.

use std::ffi::{CStr, OsString, c_char, c_int};
use std::os::fd::{AsRawFd as _, IntoRawFd as _};
use std::os::unix::ffi::OsStringExt as _;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use crate::abi::{guard, log_panics};
use crate::error::{Ending, StartError};
use crate::event_loop::{self, clear_posts, close_posts, open_posts};
use crate::launch::{Host, Launch, Prepared, Start};
use crate::listen::Activation;
use crate::main_process::Process;
use crate::process::{self, MAIN, Notifier};
use crate::program::{Flavor, Program};
use crate::restart::{self, CrashRecord, Inheritance, Invocation};
use crate::serve::{Dispatch, LastWords, Lost};
use crate::setup::NAME;
use crate::{log, setup, sigpipe};

/// Runs the server until it is told to stop, in a process that ends then. Returns the exit status of `main`.
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
    // SAFETY: the caller's promise.
    unsafe { try_run(argc, argv, program, flavor) }.unwrap_or(1)
}

/// The same; `None` beside a server that is there already.
///
/// # Safety
/// `argc` and `argv` are those of `main`.
unsafe fn try_run(
    argc: c_int,
    argv: *const *const c_char,
    program: &impl Program,
    flavor: &Flavor,
) -> Option<c_int> {
    let launch = Launch { program, flavor, host: Host::Server };
    // SAFETY: the caller's promise.
    match unsafe { Running::begin(argc, argv, &launch) } {
        Ok(running) => Some(running.run()),
        Err(BUSY) => None,
        Err(status) => Some(status),
    }
}

/// The status of a start beside a server that is there already.
const BUSY: c_int = -1;

/// Runs the server like [`run`], in a process that goes on: the signals are as before.
///
/// # Safety
/// `argc` and `argv` are those of `main`.
pub(crate) unsafe fn run_and_return(
    argc: c_int,
    argv: *const *const c_char,
    program: &impl Program,
    flavor: &Flavor,
) -> c_int {
    // SAFETY: the caller's promise.
    let Some(status) = (unsafe { try_run(argc, argv, program, flavor) }) else {
        // The signals are those of the server that is there.
        return 1;
    };
    guard((), || {
        process::release_signals();
        sigpipe::release();
    });
    status
}

/// Begins a server in the program's own process, which steps it. Fails with an exit status.
///
/// # Safety
/// `argc` and `argv` are as those of `main`.
pub(crate) unsafe fn begin<'a, P: Program>(
    argc: c_int,
    argv: *const *const c_char,
    program: &'a P,
    flavor: &'a Flavor,
) -> Result<Running<'a, P>, c_int> {
    let launch = Launch { program, flavor, host: Host::Program };
    // SAFETY: the caller's promise.
    unsafe { Running::begin(argc, argv, &launch) }
}

/// A server that listens. Where it is dropped, as by an exception, it ends at once.
pub(crate) struct Running<'a, P> {
    dispatch: Dispatch<'a, P>,
    stage: Stage,
    /// An exception has left the last step: what it was at is to be gone on with before anybody sleeps.
    is_cut: bool,
    _claim: Claim,
}

/// How far a server that listens is on the way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    /// The loop has ended with this exit status; what was posted is still to be called.
    Stopped(c_int),
    /// All has been called, and `ws_exit_func` last.
    Exited(c_int),
}

impl<'a, P: Program> Running<'a, P> {
    /// Goes from the arguments of `main` to a server that listens. Fails with the exit status, and has said why.
    ///
    /// # Safety
    /// `argc` and `argv` are as those of `main`.
    unsafe fn begin(
        argc: c_int,
        argv: *const *const c_char,
        launch: &Launch<'a, P>,
    ) -> Result<Self, c_int> {
        log_panics();
        let Some(claim) = Claim::take() else {
            guard((), || log::error("a server runs in this process already"));
            return Err(BUSY);
        };
        // SAFETY: the caller's promise.
        match unsafe { open(argc, argv, launch) } {
            Ok(process) => {
                let (program, last_words) = (launch.program, LastWords::default());
                let dispatch = Dispatch { program, process, last_words };
                Ok(Self { dispatch, stage: Stage::Serving, is_cut: false, _claim: claim })
            }
            Err(error) => Err(guard(1, || end(&error))),
        }
    }

    /// Serves to the end. Returns the exit status.
    fn run(mut self) -> c_int {
        let status = self.dispatch.serve();
        process::end_child();
        self.finish(status)
    }

    /// Waits for `longest` at most, or until something happens where that is `None`, and serves one round. Returns the
    /// exit status at the server's end.
    pub(crate) fn step(&mut self, longest: Option<Duration>) -> Result<Option<c_int>, Lost> {
        if let Stage::Stopped(status) | Stage::Exited(status) = self.stage {
            return Ok(Some(self.finish(status)));
        }
        let was_cut = std::mem::replace(&mut self.is_cut, true);
        let longest = if was_cut { Some(Duration::ZERO) } else { longest };
        let served = self.dispatch.serve_round(longest);
        self.is_cut = false;
        match served {
            Ok(None) => Ok(None),
            Ok(Some(status)) => Ok(Some(self.finish(status))),
            Err(Lost) if process::is_child() => Err(Lost),
            // A fault of ours, which was logged, has ended the loop.
            Err(Lost) => Ok(Some(self.finish(1))),
        }
    }

    /// How long somebody else may sleep.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        match self.stage {
            Stage::Serving if !self.is_cut => self.dispatch.timeout(),
            _ => Some(Duration::ZERO),
        }
    }

    /// Does what is left for a loop that has ended with this exit status, and returns that. An exception may cut it: the
    /// next call goes on.
    fn finish(&mut self, status: c_int) -> c_int {
        if self.stage != Stage::Exited(status) {
            self.stage = Stage::Stopped(status);
            // What is posted from now on comes too late, and its caller learns that.
            close_posts();
            self.dispatch.call_posts();
            process::end_child();
            self.stage = Stage::Exited(status);
            self.dispatch.program.exit();
            process::end_child();
        }
        status
    }
}

impl<P> Drop for Running<'_, P> {
    fn drop(&mut self) {
        guard((), || self.dispatch.process.end());
    }
}

/// The claim of a server to this process and thread. Where it ends, there may be another one.
struct Claim(());

impl Claim {
    /// Claims this thread; `None` where a server is there, or this is a child of a server's.
    fn take() -> Option<Self> {
        if !process::claim_thread(MAIN) {
            return None;
        }
        open_posts();
        process::expect_signals();
        Some(Self(()))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if process::is_child() {
            return;
        }
        guard((), || {
            event_loop::end();
            close_posts();
            clear_posts();
            process::close_wake_pipe();
            log::end();
            setup::reset();
            process::release_thread(MAIN);
        });
    }
}

/// Takes a step of the start, which a panic ends.
fn step<R>(act: impl FnOnce() -> Result<R, StartError>) -> Result<R, StartError> {
    guard(Err(StartError::panicked()), act)
}

/// Goes from the arguments of `main` to a server that listens.
///
/// # Safety
/// `argc` and `argv` are as those of `main`.
unsafe fn open(
    argc: c_int,
    argv: *const *const c_char,
    launch: &Launch<'_, impl Program>,
) -> Result<Process, StartError> {
    // SAFETY: the caller's promise.
    let prepared = step(|| unsafe { prepare(argc, argv, launch) })?;
    launch.program.init();
    let opening = step(|| launch.open(prepared))?;
    let answer = launch.program.start();
    process::end_child();
    step(|| launch.complete(opening, answer))
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
/// `argc` and `argv` are as those of `main`.
unsafe fn prepare(
    argc: c_int,
    argv: *const *const c_char,
    launch: &Launch<'_, impl Program>,
) -> Result<Prepared, StartError> {
    log::set_taker(launch.program.log());
    if launch.host == Host::Server {
        open_streams();
        sigpipe::ignore();
    }
    log::begin(NAME, launch.host == Host::Server);
    // SAFETY: the caller's promise.
    let arguments = unsafe { arguments(argc, argv) };
    launch.prepare(match launch.host {
        Host::Server => find(arguments, launch.flavor)?,
        Host::Program => Start {
            invocation: Invocation::within_program(arguments),
            inheritance: None,
            activation: Activation::default(),
            notifier: Notifier::NONE,
        },
    })
}

/// Finds how the process was started, and what was left to it.
fn find(arguments: Vec<OsString>, flavor: &Flavor) -> Result<Start, StartError> {
    let activation = Activation::take(flavor);
    process::claim_watchdog();
    let record = CrashRecord::take();
    let inheritance = match (&record, Inheritance::take(record.as_ref())?) {
        (Some(record), Some(inheritance)) => Some(restart::begin(record, inheritance)?),
        _ => None,
    };
    let invocation = Invocation::find(arguments, record, inheritance.as_ref());
    let notifier = Notifier::take();
    Ok(Start { invocation, inheritance, activation, notifier })
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
/// `argc` and `argv` are as those of `main`.
unsafe fn arguments(argc: c_int, argv: *const *const c_char) -> Vec<OsString> {
    let count = if argv.is_null() { 0 } else { usize::try_from(argc).unwrap_or(0) };
    // SAFETY: there are so many strings, each of which ends with a zero byte, or NULL before that.
    let strings = (0..count).map(|i| unsafe { *argv.add(i) }).take_while(|it| !it.is_null());
    // SAFETY: as above.
    let strings = strings.map(|it| unsafe { CStr::from_ptr(it) }.to_bytes().to_vec());
    strings.map(OsString::from_vec).collect()
}
