//! The server that the `ws_*` functions act on: one in each process, touched by one thread.

use std::cell::RefCell;
use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dorrit_engine::Engine;

use super::handshakes::Handshakes;
use crate::config::Settings;
use crate::log;
use crate::process::is_owner;

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

/// What the `ws_*` functions and the loop share.
pub(crate) struct State {
    pub(crate) stage: Stage,
    pub(crate) settings: Settings,
    pub(crate) handshakes: Handshakes,
    /// The name that `ws_set_name` has set.
    pub(crate) name: Option<CString>,
    pub(crate) periodic: Option<Periodic>,
    /// The engine, from the moment at which the server listens.
    pub(crate) engine: Option<Engine>,
}

/// The function that `ws_set_periodic` has set.
#[derive(Clone, Copy)]
pub(crate) struct Periodic {
    pub(crate) func: unsafe extern "C-unwind" fn(),
    pub(crate) period: Duration,
}

/// A call that cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misuse;

struct Current(RefCell<State>);

// SAFETY: `with` alone reaches the cell, and only on the thread that claimed the server.
unsafe impl Sync for Current {}

static CURRENT: Current = Current(RefCell::new(State {
    stage: Stage::Starting,
    settings: Settings::DEFAULT,
    handshakes: Handshakes::NONE,
    name: None,
    periodic: None,
    engine: None,
}));

/// Whether a call by another thread was logged.
static HAS_WARNED: AtomicBool = AtomicBool::new(false);

/// Acts on the server. Fails on another thread than the server's (CONTRACT S7), and in a signal handler
/// that has interrupted the server at its work.
pub(crate) fn with<R>(act: impl FnOnce(&mut State) -> R) -> Result<R, Misuse> {
    if !is_owner() {
        if !HAS_WARNED.swap(true, Ordering::Relaxed) {
            log::warning("a ws_ function was called by another thread than the server's");
        }
        return Err(Misuse);
    }
    Ok(act(&mut *CURRENT.0.try_borrow_mut().map_err(|_| Misuse)?))
}

/// Acts on the engine; fails like [`with`], and where there is no engine yet.
pub(crate) fn with_engine<R>(act: impl FnOnce(&mut Engine) -> R) -> Result<R, Misuse> {
    with(|state| state.engine.as_mut().map(act))?.ok_or(Misuse)
}
