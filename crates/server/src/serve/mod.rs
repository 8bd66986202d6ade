//! The engine's events, handed to the program one after the other.
//!
//! The loop is borrowed to fetch an event and given back before the program hears of it, so that each
//! `ws_*` call can borrow it anew.

mod last_words;
mod requests;
mod shutdown;

use std::ffi::c_int;
use std::io;
use std::time::{Duration, Instant};

use dorrit_engine::{ConnId, DropCause, Engine, Event, Readiness};
use dorrit_proto::{CloseCode, MessageKind, Refusal};

use crate::abi::{READ, WRITE, from_id, guard};
use crate::error::errno_text;
use crate::event_loop::{Loop, Task, WatchTask, with_engine, with_loop};
use crate::log::Level;
use crate::main_process::Process;
use crate::process::{Notifier, WithoutReserve, trim_memory};
use crate::program::Program;
use crate::{log, setup};
pub(crate) use last_words::LastWords;

/// Whoever hands the events of a server's loop to its program.
pub(crate) struct Dispatch<'a, P> {
    pub(crate) program: &'a P,
    pub(crate) process: Process,
    pub(crate) last_words: LastWords,
}

/// There is no loop any more: a panic of ours, which has been logged, has ended a step; or this is a child of the
/// program's.
pub(crate) struct Lost;

/// Takes a step of the loop: it acts on the loop, and a panic goes no further. None of the program's
/// functions is called within (CONTRACT S26).
fn step<R>(act: impl FnOnce(&mut Loop) -> R) -> Result<R, Lost> {
    guard(Err(Lost), || with_loop(act).map_err(|_| Lost))
}

/// A message, where it stands: nothing of the engine is borrowed while the program deals with it.
struct Message {
    conn: ConnId,
    kind: MessageKind,
    payload: *mut [u8],
}

/// What else the loop has to deal with.
enum Other {
    Event(Event<()>),
    /// The log or the service manager is to be told something.
    Due,
    /// There is nothing more to deal with in this round.
    RoundOver,
    /// The loop cannot go on.
    Failed(io::Error),
}

/// What a turn of the loop has come to.
enum Turn {
    /// There is nothing more to deal with in this round.
    RoundOver,
    /// The server has stopped, with this exit status.
    Stopped(c_int),
}

/// The next message, unless there is something else to deal with. Where a round is over, the loop waits for the next
/// one, or, `STEPPED`, whoever steps it may.
#[inline(always)]
fn next<const STEPPED: bool>(
    Loop { engine, access, .. }: &mut Loop,
    notifier: &Notifier,
) -> Result<Message, Other> {
    let _without = WithoutReserve::begin();
    loop {
        match engine.poll_event() {
            Some(Event::Message(conn, kind, payload)) => {
                let start = payload.as_ptr().cast::<u8>().cast_mut();
                let payload = std::ptr::slice_from_raw_parts_mut(start, payload.len());
                return Ok(Message { conn, kind, payload });
            }
            Some(event) => return Err(Other::Event(event.map(drop))),
            None => {}
        }
        if let Some(access) = access {
            access.flush();
        }
        if STEPPED {
            return Err(Other::RoundOver);
        }
        match wait(engine, notifier, None) {
            Ok(false) => {}
            Ok(true) => return Err(Other::Due),
            Err(error) => return Err(Other::Failed(error)),
        }
    }
}

/// Waits for something to happen, for `longest` at most. Returns whether the log or the service manager is to be told
/// something.
#[inline(always)]
fn wait(engine: &mut Engine, notifier: &Notifier, longest: Option<Duration>) -> io::Result<bool> {
    let due = due(notifier);
    engine.wait(min(time_until(due), longest))?;
    Ok(due.is_some_and(|due| due <= Instant::now()))
}

/// When the log or the service manager is to be told something.
#[inline(always)]
fn due(notifier: &Notifier) -> Option<Instant> {
    min(log::due(), notifier.due())
}

/// How long it is until then, where that is a moment.
#[inline(always)]
fn time_until(due: Option<Instant>) -> Option<Duration> {
    due.map(|due| due.saturating_duration_since(Instant::now()))
}

/// The lesser one, of those that are there.
fn min<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl<P: Program> Dispatch<'_, P> {
    /// Serves until the server has stopped. Returns the exit status.
    pub(crate) fn serve(&mut self) -> c_int {
        loop {
            match self.turn::<false>() {
                Ok(None | Some(Turn::RoundOver)) => {}
                Ok(Some(Turn::Stopped(status))) => return status,
                Err(Lost) => return 1,
            }
        }
    }

    /// Waits for `longest` at most, or until something happens, and serves one round (CONTRACT S20). Returns the exit
    /// status where the server has stopped.
    pub(crate) fn serve_round(&mut self, longest: Option<Duration>) -> Result<Option<c_int>, Lost> {
        let notifier = &self.process.notifier;
        let other = match step(|Loop { engine, .. }| wait(engine, notifier, longest))? {
            Ok(false) => Ok(None),
            Ok(true) => self.deal(Other::Due),
            Err(error) => self.deal(Other::Failed(error)),
        };
        if let Some(Turn::Stopped(status)) = other? {
            return Ok(Some(status));
        }
        loop {
            match self.turn::<true>()? {
                None => {}
                Some(Turn::RoundOver) => return Ok(None),
                Some(Turn::Stopped(status)) => return Ok(Some(status)),
            }
        }
    }

    /// How long somebody else may sleep before there is something to do; `None` is until the descriptor of the loop is
    /// readable.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        let due = time_until(due(&self.process.notifier));
        with_engine(|engine| min(engine.timeout(), due)).unwrap_or(Some(Duration::ZERO))
    }

    /// Calls what is posted still.
    pub(crate) fn call_posts(&mut self) {
        while let Ok(Some(task)) = step(|it| it.posts.pop()) {
            // SAFETY: the program's function, given to be called here, once.
            unsafe { task.call() };
        }
    }

    /// Hands the next event to the program, or waits for one.
    #[inline(always)]
    fn turn<const STEPPED: bool>(&mut self) -> Result<Option<Turn>, Lost> {
        let mut other = Err(Lost);
        let notifier = &self.process.notifier;
        let message =
            step(|it| next::<STEPPED>(it, notifier).map_err(|found| other = Ok(found)).ok())?;
        if let Some(message) = message {
            // SAFETY: the engine has just told where it is.
            unsafe { self.read(message) };
            return Ok(None);
        }
        self.deal(other?)
    }

    /// Deals with what is no message.
    #[inline(never)]
    fn deal(&mut self, other: Other) -> Result<Option<Turn>, Lost> {
        match other {
            Other::Event(event) => self.tell(event),
            Other::RoundOver => Ok(Some(Turn::RoundOver)),
            Other::Due => guard(Err(Lost), || {
                log::write_left_out();
                self.process.notifier.notify_due();
                Ok(None)
            }),
            Other::Failed(error) => guard(Err(Lost), || {
                log::error(&format!("the loop has failed: {}", errno_text(&error)));
                Ok(Some(Turn::Stopped(1)))
            }),
        }
    }

    /// Hands an event over that is no message.
    fn tell(&mut self, event: Event<()>) -> Result<Option<Turn>, Lost> {
        match event {
            Event::Opened(id) => self.open(id)?,
            Event::Requested(id) => self.request(id)?,
            Event::Control => self.heed_control()?,
            Event::DrainExpired => {
                let process = &self.process;
                guard((), || process.handover.log_drain_expired());
                self.stop(CloseCode::SERVICE_RESTART);
            }
            Event::Closed(id) => {
                let _ending = Ending(id);
                self.program.close(from_id(id));
            }
            Event::Drained(id) => self.program.drain(from_id(id)),
            Event::Tick => tick()?,
            Event::Call => call()?,
            // SAFETY: the key of a task, by which `ws_after` has set the timer.
            Event::Timer(key) => unsafe { Task::from_key(key).call() },
            // SAFETY: the key of a task, with which `ws_watch` has the descriptor watched.
            Event::Ready(fd, ready, key) => unsafe {
                WatchTask::from_key(key).call(fd, events(ready));
            },
            event => {
                let process = &mut self.process;
                let ended = guard(Err(Lost), || Ok(deal_with(process, event)))?;
                return Ok(ended.map(Turn::Stopped));
            }
        }
        Ok(None)
    }

    /// Hands a message to the program.
    ///
    /// # Safety
    /// It stands there: the engine leaves it where it is, and touches it only at the next event.
    #[inline(always)]
    unsafe fn read(&mut self, message: Message) {
        // SAFETY: the caller's promise.
        let payload = unsafe { &mut *message.payload };
        self.program.read(from_id(message.conn), message.kind, payload);
    }
}

/// The end of a connection: what is kept for it is forgotten when its callback has returned, or an exception has left it.
struct Ending(ConnId);

impl Drop for Ending {
    fn drop(&mut self) {
        // Without a loop nothing is kept.
        let _ = step(|it| it.requests.close(self.0));
    }
}

/// Deals with an event that is no affair of the program's. Returns the exit status where it is the
/// loop's end.
fn deal_with(process: &mut Process, event: Event<()>) -> Option<c_int> {
    match event {
        Event::Overdue(id) => {
            let _ = with_loop(|it| it.refuse(id, Refusal::DecisionTimeout));
        }
        Event::Refused(id, refusal) => {
            let _ = with_loop(|it| it.answering().1.note_refused(id, refusal));
            let level = match refusal {
                Refusal::Full | Refusal::NoMemory | Refusal::Tls => Level::Info,
                _ => Level::Debug,
            };
            let (status, why) = (refusal.status(), refusal.reason());
            log::limited(level, format_args!("a client is answered {status}: {why}"));
        }
        Event::Dropped(_, cause) => {
            let level = match cause {
                DropCause::Violation(_) => Level::Debug,
                DropCause::QueueFull
                | DropCause::QueueMemory
                | DropCause::Silent
                | DropCause::NoMemory
                | DropCause::MessageMemory => Level::Info,
            };
            log::limited(level, format_args!("a client is dropped: {cause}"));
        }
        Event::AcceptFailed(errno) => {
            log::warning(&format!("connections have to wait: {}", errno_text(&errno.into())));
        }
        Event::ShortOfMemory => {
            log::limited(Level::Warning, "there is not enough memory");
        }
        Event::MemoryReleased => trim_memory(),
        Event::HeldUp(duration) => {
            let seconds = duration.as_secs_f32();
            let why = "the program's functions have held everybody up for";
            log::limited(Level::Warning, format_args!("{why} {seconds:.1} s"));
        }
        Event::Stopped => {
            process.handover.log_end();
            return Some(0);
        }
        // The program's; see `Dispatch::turn`.
        Event::Message(..)
        | Event::Opened(_)
        | Event::Requested(_)
        | Event::Control
        | Event::DrainExpired
        | Event::Closed(_)
        | Event::Drained(_)
        | Event::Call
        | Event::Timer(_)
        | Event::Ready(..)
        | Event::Tick => {}
    }
    None
}

/// Calls what was posted first, and has the next one called in its turn.
fn call() -> Result<(), Lost> {
    let next = step(|Loop { engine, posts, .. }| {
        let next = posts.pop();
        if posts.is_any() {
            engine.request_call();
        }
        next
    })?;
    if let Some(task) = next {
        // SAFETY: the program's function, given to be called here, once.
        unsafe { task.call() };
    }
    Ok(())
}

/// What a descriptor is ready for, as `ws_watch` says it.
fn events(ready: Readiness) -> c_int {
    (c_int::from(ready.read) * READ) | (c_int::from(ready.write) * WRITE)
}

/// Calls what `ws_set_periodic` set.
fn tick() -> Result<(), Lost> {
    let periodic = guard(Err(Lost), || setup::with(|setup| setup.periodic).map_err(|_| Lost))?;
    if let Some(periodic) = periodic {
        // SAFETY: a function of the program's, given to be called here.
        unsafe { (periodic.func)() };
    }
    Ok(())
}
