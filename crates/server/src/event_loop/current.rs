//! The loops that the `ws_*` functions act on: each is touched by its own thread alone.

use std::cell::RefCell;
use std::os::fd::RawFd;
use std::sync::Arc;

use dorrit_engine::{Engine, Stats};

use super::answer::Writer;
use super::posts::TakenPosts;
use super::requests::Requests;
use crate::error::Misuse;
use crate::log::AccessLog;
use crate::process::{self, KnownDescriptor, LOOPS};
use crate::program::{OpenArguments, RequestArguments};
use crate::server::Server;

/// A loop: the engine, and what belongs to its thread.
pub(crate) struct Loop {
    pub(crate) engine: Engine,
    pub(crate) requests: Requests,
    /// What `ws_open_callback` was given last; its memory is used again.
    pub(crate) arguments: OpenArguments,
    /// What `ws_request_callback` was given last; its memory is used again.
    pub(crate) request_arguments: RequestArguments,
    pub(crate) writer: Writer,
    pub(crate) access: Option<AccessLog>,
    pub(crate) server: Arc<Server>,
    pub(crate) posts: TakenPosts,
    /// Descriptors of the process that are not the program's, besides the engine's. Some may be closed, and their
    /// numbers the program's.
    descriptors: Vec<KnownDescriptor>,
}

impl Loop {
    /// Notes that these descriptors are not the program's.
    pub(crate) fn own(&mut self, fds: impl IntoIterator<Item = RawFd>) {
        self.descriptors.retain(|known| known.still().is_some());
        self.descriptors.extend(fds.into_iter().filter_map(KnownDescriptor::of));
    }

    /// Whether a descriptor is not the program's, the engine's among them.
    pub(crate) fn owns(&self, fd: RawFd) -> bool {
        self.engine.owns(fd) || self.descriptors.iter().any(|known| known.is(fd))
    }
}

/// The place of a loop, which is there from the moment at which the server listens.
struct Place(RefCell<Option<Loop>>);

// SAFETY: `with_place` alone reaches the cell, and only on the thread that has claimed the loop.
unsafe impl Sync for Place {}

/// The loops, by their numbers.
static PLACES: [Place; LOOPS] = [const { Place(RefCell::new(None)) }; LOOPS];

/// Acts on the place of this thread's loop. Fails where there is no server, on another thread than its own (CONTRACT
/// S7), and in a signal handler that has interrupted it at its work.
#[inline(always)]
fn with_place<R>(act: impl FnOnce(&mut Option<Loop>) -> R) -> Result<R, Misuse> {
    let Some(number) = process::own_loop() else {
        return Err(process::misuse());
    };
    Ok(act(&mut *PLACES[number].0.try_borrow_mut().map_err(|_| Misuse::Foreign)?))
}

/// Acts on this thread's loop. Fails like [`with_place`], and where there is no loop yet.
#[inline(always)]
pub(crate) fn with_loop<R>(act: impl FnOnce(&mut Loop) -> R) -> Result<R, Misuse> {
    with_place(|place| place.as_mut().map(act))?.ok_or(Misuse::NoLoop)
}

/// Acts on the engine of this thread's loop; fails like [`with_loop`].
#[inline(always)]
pub(crate) fn with_engine<R>(act: impl FnOnce(&mut Engine) -> R) -> Result<R, Misuse> {
    with_loop(|it| act(&mut it.engine))
}

/// Makes this thread's loop.
pub(crate) fn begin(engine: Engine, server: Arc<Server>, access: Option<AccessLog>) {
    let it = Loop {
        engine,
        requests: Requests::default(),
        arguments: OpenArguments::default(),
        request_arguments: RequestArguments::default(),
        writer: Writer::default(),
        access,
        server,
        posts: TakenPosts::default(),
        descriptors: Vec::new(),
    };
    let _ = with_place(|place| *place = Some(it));
}

/// Ends this thread's loop.
pub(crate) fn end() {
    let _ = with_place(Option::take);
}

/// The figures, of all loops together.
pub(crate) fn stats() -> Result<Stats, Misuse> {
    let mut stats = Stats::default();
    // This thread's is the only one.
    stats += with_engine(|engine| engine.stats())?;
    Ok(stats)
}
