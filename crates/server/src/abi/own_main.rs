//! What a program with a `main` of its own calls.

use std::cell::RefCell;
use std::ffi::{c_char, c_int};
use std::time::Duration;

use super::guard::{WRONG_THREAD, guard};
use crate::error::Misuse;
use crate::event_loop::with_engine;
use crate::process::{self, MAIN};
use crate::program::{Flavor, Program};
use crate::run::{self, Running};

/// The server that a program steps, where there is one.
pub struct Stepped<P: 'static> {
    program: P,
    /// The server, but for the time of a step.
    running: RefCell<Option<Running<'static, P>>>,
}

// SAFETY: `running` is reached on the server's thread alone, and by the one who has just become that.
unsafe impl<P: Sync> Sync for Stepped<P> {}

/// What `ws_step` returns while the server is there.
const GOES_ON: c_int = 1;
/// What `ws_step` returns where the server has stopped.
const HAS_STOPPED: c_int = 0;
/// What `ws_get_timeout` returns where nothing is awaited but what the descriptor tells.
const NEVER: c_int = -1;

impl<P: Program> Stepped<P> {
    /// No server yet, for this program.
    pub const fn new(program: P) -> Self {
        Self { program, running: RefCell::new(None) }
    }

    /// The body of `ws_main`.
    ///
    /// # Safety
    /// `argc` and `argv` are as those of `main`.
    pub unsafe fn main(&self, argc: c_int, argv: *const *const c_char, flavor: &Flavor) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { run::run_and_return(argc, argv, &self.program, flavor) }
    }

    /// The body of `ws_begin`.
    ///
    /// # Safety
    /// `argc` and `argv` are as those of `main`.
    pub unsafe fn begin(
        &'static self,
        argc: c_int,
        argv: *const *const c_char,
        flavor: &'static Flavor,
    ) -> c_int {
        // SAFETY: the caller's promise.
        match unsafe { run::begin(argc, argv, &self.program, flavor) } {
            Ok(running) => {
                self.put(running);
                0
            }
            Err(status) => status,
        }
    }

    /// The body of `ws_step`. None of the program's functions is called within a guard (CONTRACT S26).
    pub fn step(&self, millis: c_int) -> c_int {
        if process::own_loop() != Some(MAIN) {
            return match process::misuse() {
                Misuse::Foreign => WRONG_THREAD,
                Misuse::NoLoop => HAS_STOPPED,
            };
        }
        // Within a callback it is taken already.
        let Some(running) = self.running.try_borrow_mut().ok().and_then(|mut it| it.take()) else {
            return -1;
        };
        let mut taken = Taken { place: self, running: Some(running) };
        let longest = u64::try_from(millis).ok().map(Duration::from_millis);
        match taken.running.as_mut().map(|running| running.step(longest)) {
            Some(Ok(None)) => GOES_ON,
            Some(Ok(Some(_))) => {
                guard((), || drop(taken.running.take()));
                HAS_STOPPED
            }
            // This is a child of the program's: the server is not its own.
            Some(Err(_)) | None => {
                std::mem::forget(taken.running.take());
                WRONG_THREAD
            }
        }
    }

    /// The body of `ws_get_timeout`.
    pub fn timeout(&self) -> c_int {
        guard(NEVER, || {
            if process::own_loop() != Some(MAIN) {
                let _ = process::misuse();
                return NEVER;
            }
            let Ok(running) = self.running.try_borrow() else { return 0 };
            // Within a callback there is work left.
            let Some(running) = running.as_ref() else { return 0 };
            running.timeout().map_or(NEVER, |timeout| {
                let millis = timeout.as_nanos().div_ceil(1_000_000);
                c_int::try_from(millis).unwrap_or(c_int::MAX)
            })
        })
    }

    fn put(&self, running: Running<'static, P>) {
        if let Ok(mut place) = self.running.try_borrow_mut() {
            *place = Some(running);
        }
    }
}

/// A server that was taken for a step. It goes back, also where an exception ends the step.
struct Taken<'a, P: Program + 'static> {
    place: &'a Stepped<P>,
    running: Option<Running<'static, P>>,
}

impl<P: Program> Drop for Taken<'_, P> {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.place.put(running);
        }
    }
}

/// The body of `ws_get_fd`.
pub fn get_fd() -> c_int {
    guard(-1, || with_engine(|engine| engine.fd()).unwrap_or(-1))
}

/// The body of `ws_stop`. It may interrupt anything: it stores a number and writes a byte.
pub fn stop() {
    process::request_stop();
}

/// The body of `ws_set_callbacks`, of which `size` bytes were given: `set` sets them. A program cannot change them while
/// a server has them.
pub fn set_callbacks(size: usize, set: impl FnOnce()) -> c_int {
    guard(-1, || {
        let is_whole = size.is_multiple_of(size_of::<*const ()>());
        if !is_whole || process::has_server() || process::is_child() {
            return -1;
        }
        set();
        0
    })
}
