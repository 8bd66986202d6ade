//! The server that the `ws_*` functions act on: one in each process, touched by one thread.

use std::cell::RefCell;
use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use dorrit_engine::Engine;
use nix::sys::pthread::pthread_self;

use crate::abi::opening::Openings;
use crate::config::Settings;
use crate::log;
use crate::process::notify::Notifier;

/// How far the server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before `ws_init_func`.
    Starting,
    /// In `ws_init_func`.
    Init,
    /// After it.
    Running,
}

/// What the `ws_*` functions and the dispatch share.
pub(crate) struct State {
    pub(crate) stage: Stage,
    pub(crate) settings: Settings,
    pub(crate) openings: Openings,
    /// What `ws_set_name` set.
    pub(crate) name: Option<CString>,
    pub(crate) periodic: Option<Periodic>,
    /// There from the moment the server listens.
    pub(crate) engine: Option<Engine>,
    pub(crate) notifier: Option<Notifier>,
}

/// What `ws_set_periodic` set.
#[derive(Clone, Copy)]
pub(crate) struct Periodic {
    pub(crate) func: unsafe extern "C-unwind" fn(),
    pub(crate) period: Duration,
}

/// A call that cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misuse;

struct Host(RefCell<State>);

// SAFETY: `with` alone reaches the cell, and only on the thread that claimed the server.
unsafe impl Sync for Host {}

static HOST: Host = Host(RefCell::new(State {
    stage: Stage::Starting,
    settings: Settings::DEFAULT,
    openings: Openings::NONE,
    name: None,
    periodic: None,
    engine: None,
    notifier: None,
}));

/// The thread that `main` runs on; 0 before it does, and in a child of the program's.
static OWNER: AtomicUsize = AtomicUsize::new(0);
static TOLD: AtomicBool = AtomicBool::new(false);

/// Makes this thread the server's. Called once, by `main`.
pub(crate) fn claim() {
    OWNER.store(pthread_self() as usize, Ordering::Relaxed);
}

/// From now on a process that the program forks has no server: what it calls does nothing (CONTRACT S23).
pub(crate) fn disown_children() {
    unsafe extern "C" fn prepare() {
        dorrit_engine::note_fork();
    }
    unsafe extern "C" fn disown() {
        OWNER.store(0, Ordering::Relaxed);
        log::silence();
    }
    // SAFETY: the handlers store numbers.
    let is_set = unsafe { libc::pthread_atfork(Some(prepare), None, Some(disown)) } == 0;
    if !is_set {
        // Without memory for them it is as if there were a child already.
        dorrit_engine::note_fork();
    }
}

/// Ends a child of the program's that has returned from a callback: the files that are removed at the
/// server's end are not its own.
pub(crate) fn end_child() {
    if OWNER.load(Ordering::Relaxed) == 0 {
        // SAFETY: what is to be run at exit is run by the server.
        unsafe { libc::_exit(1) }
    }
}

/// Whether this is that thread.
pub(crate) fn is_owner() -> bool {
    // Relaxed: a thread compares with what it stored itself, or finds what is not its own.
    OWNER.load(Ordering::Relaxed) == pthread_self() as usize
}

/// Acts on the server. Fails on another thread than the server's (CONTRACT S7), and in a signal handler
/// that has interrupted the server at its work.
pub(crate) fn with<R>(act: impl FnOnce(&mut State) -> R) -> Result<R, Misuse> {
    if !is_owner() {
        if !TOLD.swap(true, Ordering::Relaxed) {
            log::warning("a ws_ function was called by another thread than the server's");
        }
        return Err(Misuse);
    }
    Ok(act(&mut *HOST.0.try_borrow_mut().map_err(|_| Misuse)?))
}

/// Acts on the engine; fails like [`with`], and where there is no engine yet.
pub(crate) fn with_engine<R>(act: impl FnOnce(&mut Engine) -> R) -> Result<R, Misuse> {
    with(|state| state.engine.as_mut().map(act))?.ok_or(Misuse)
}

/// The guard of every export, and of each step of `main`: no panic crosses into C (CONTRACT S14).
pub(crate) fn guard<R>(fallback: R, act: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or(fallback)
}
