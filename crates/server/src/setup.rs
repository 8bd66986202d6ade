//! What the program has set: in `ws_init_func`, and, where that may be, later. It is the main thread's.

use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::time::Duration;

use crate::config::Settings;
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

struct Cell(RefCell<Setup>);

// SAFETY: `with` alone reaches the cell, and only on the main thread.
unsafe impl Sync for Cell {}

static SETUP: Cell = Cell(RefCell::new(Setup {
    stage: Stage::Starting,
    settings: Settings::DEFAULT,
    name: None,
    periodic: None,
}));

/// Acts on what the program has set. Fails on another thread than the server's (CONTRACT S7), and in a signal
/// handler that has interrupted the server at its work.
pub(crate) fn with<R>(act: impl FnOnce(&mut Setup) -> R) -> Result<R, Misuse> {
    if process::own_loop() != Some(MAIN) {
        process::log_foreign_call();
        return Err(Misuse::Foreign);
    }
    Ok(act(&mut *SETUP.0.try_borrow_mut().map_err(|_| Misuse::Foreign)?))
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
