//! What the program has set: before a server begins, in `ws_init_func`, and, where that may be, later.

use std::ffi::{CStr, CString};
use std::sync::{Mutex, TryLockError};
use std::time::Duration;

use crate::config::{SetOptions, Settings};
use crate::error::Misuse;
use crate::process::{self, MAIN};

/// The name of a server that sets none (CONTRACT D6).
pub(crate) const NAME: &CStr = c"server";

/// How far the server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// `ws_init_func` has not been called.
    Starting,
    /// `ws_init_func` runs.
    Init,
    /// `ws_init_func` has returned.
    Running,
}

/// What the program has set, and whether it may.
pub(crate) struct Setup {
    pub(crate) stage: Stage,
    /// What the program asks for, up to the moment at which the server listens.
    pub(crate) settings: Settings,
    /// The options that the program has set.
    pub(crate) options: SetOptions,
    /// The name that `ws_set_name` has set.
    pub(crate) name: Option<CString>,
    pub(crate) periodic: Option<Periodic>,
}

/// The function that `ws_set_periodic` has set.
#[derive(Clone, Copy)]
pub(crate) struct Periodic {
    pub(crate) func: unsafe extern "C-unwind" fn(),
    pub(crate) period: Duration,
}

impl Setup {
    /// Nothing is set.
    const NONE: Self = Self {
        stage: Stage::Starting,
        settings: Settings::DEFAULT,
        options: SetOptions::NONE,
        name: None,
        periodic: None,
    };
}

static SETUP: Mutex<Setup> = Mutex::new(Setup::NONE);

/// Acts on what the program has set, for a server that is there. Fails where there is none, on another thread than its own
/// (CONTRACT S7), and in a signal handler that has interrupted it at its work.
pub(crate) fn with<R>(act: impl FnOnce(&mut Setup) -> R) -> Result<R, Misuse> {
    match process::own_loop() {
        Some(MAIN) => with_any(act),
        _ => Err(process::misuse()),
    }
}

/// Acts on what the program has set, for the server that is there, or for the next one; fails like [`with`].
pub(crate) fn with_next<R>(act: impl FnOnce(&mut Setup) -> R) -> Result<R, Misuse> {
    if process::has_server() || process::is_child() { with(act) } else { with_any(act) }
}

fn with_any<R>(act: impl FnOnce(&mut Setup) -> R) -> Result<R, Misuse> {
    match SETUP.try_lock() {
        Ok(mut setup) => Ok(act(&mut setup)),
        Err(TryLockError::Poisoned(setup)) => Ok(act(&mut setup.into_inner())),
        Err(TryLockError::WouldBlock) => Err(Misuse::Foreign),
    }
}

/// Forgets what the program has set for a server that has ended.
pub(crate) fn reset() {
    let _ = with_any(|setup| *setup = Setup::NONE);
}

/// Notes that the server has come so far.
pub(crate) fn set_stage(stage: Stage) {
    let _ = with(|setup| setup.stage = stage);
}

/// The server's name: what `ws_set_name` has set, or this.
pub(crate) fn name_or(default: &CStr) -> CString {
    let name = with(|setup| setup.name.clone()).ok().flatten();
    name.unwrap_or_else(|| default.to_owned())
}
