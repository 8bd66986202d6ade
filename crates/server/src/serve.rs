//! The engine's events, handed to the program one after the other.
//!
//! The server is borrowed to fetch an event and given back before the program hears of it, so that each
//! `ws_*` call can borrow it anew.

use std::ffi::c_int;
use std::time::Instant;

use dorrit_engine::{ConnId, DropCause, Engine, Event};
use dorrit_proto::{CloseCode, MessageKind, Refusal};

use crate::abi::{from_id, guard};
use crate::error::errno_text;
use crate::event_loop::{self, Misuse, State, with_engine};
use crate::launch::Server;
use crate::log::Level;
use crate::program::{OpenArguments, Program, RequestFields};
use crate::{log, process};

/// Serves until the server has stopped. Returns the exit status.
pub(crate) fn serve(program: &impl Program, server: &mut Server) -> c_int {
    let fields = server.fields;
    let mut dispatch = Dispatch { program, fields, arguments: OpenArguments::default(), server };
    loop {
        match dispatch.turn() {
            Ok(None) => {}
            Ok(Some(status)) => return status,
            // A panic of ours, which has been logged; or this is a child of the program's.
            Err(Misuse) => return 1,
        }
    }
}

struct Dispatch<'a, P> {
    program: &'a P,
    fields: RequestFields,
    /// What `ws_open_callback` was given last; its memory is used again.
    arguments: OpenArguments,
    server: &'a mut Server,
}

/// Takes a step of the loop: it acts on the server, and a panic goes no further. None of the program's
/// functions is called within (CONTRACT S26).
fn step<R>(act: impl FnOnce(&mut State) -> R) -> Result<R, Misuse> {
    guard(Err(Misuse), || event_loop::with(act))
}

/// Takes a step of the loop that acts on the engine, as [`step`] does on the server.
fn step_engine<R>(act: impl FnOnce(&mut Engine) -> R) -> Result<R, Misuse> {
    guard(Err(Misuse), || with_engine(act))
}

/// The event that the engine tells next. A message's payload is where it stands: nothing of the engine is
/// borrowed while the program deals with it.
#[inline(always)]
fn poll_event(engine: &mut Engine) -> Option<Event<*mut [u8]>> {
    let event = process::without_reserve(|| engine.poll_event())?;
    Some(event.map(|payload| {
        let start = payload.as_ptr().cast::<u8>().cast_mut();
        std::ptr::slice_from_raw_parts_mut(start, payload.len())
    }))
}

impl<P: Program> Dispatch<'_, P> {
    /// Hands the next event to the program, or waits for one. Returns the exit status where that is the
    /// loop's end.
    fn turn(&mut self) -> Result<Option<c_int>, Misuse> {
        let Some(event) = step_engine(poll_event)? else { return self.wait() };
        match event {
            // SAFETY: the engine has just told where it is.
            Event::Message(id, kind, payload) => unsafe { self.read(id, kind, payload) },
            Event::Opened(id) => self.open(id)?,
            Event::Closed(id) => {
                self.program.close(from_id(id));
                step(|state| state.handshakes.close(id))?;
            }
            Event::Drained(id) => self.program.drain(from_id(id)),
            Event::Tick => tick()?,
            event => return guard(Err(Misuse), || Ok(self.server.deal_with(event))),
        }
        Ok(None)
    }

    /// Waits for what happens next, or for what the log or the service manager is to be told. Returns the exit
    /// status where the loop cannot go on.
    fn wait(&mut self) -> Result<Option<c_int>, Misuse> {
        let due = [log::due(), self.server.notifier.due()].into_iter().flatten().min();
        let waited = step(|State { engine, .. }| {
            let longest = due.map(|due| due.saturating_duration_since(Instant::now()));
            let engine = engine.as_mut()?;
            Some(process::without_reserve(|| engine.wait(longest)))
        })?;
        guard(Err(Misuse), || {
            if let Err(error) = waited.ok_or(Misuse)? {
                log::error(&format!("the loop has failed: {}", errno_text(&error)));
                return Ok(Some(1));
            }
            if due.is_some_and(|due| due <= Instant::now()) {
                log::write_left_out();
                self.server.notifier.notify_due();
            }
            Ok(None)
        })
    }

    /// Hands a message to the program.
    ///
    /// # Safety
    /// It stands there: the engine leaves it where it is, and touches it only at the next event.
    #[inline(always)]
    unsafe fn read(&mut self, id: ConnId, kind: MessageKind, payload: *mut [u8]) {
        // SAFETY: the caller's promise.
        let message = unsafe { &mut *payload };
        self.program.read(from_id(id), kind, message);
    }

    fn open(&mut self, id: ConnId) -> Result<(), Misuse> {
        if guard(true, || refuse_foreign(id)) {
            return Ok(());
        }
        // What a client may send is too much for the reserve.
        let prepared = step(|state| process::without_reserve(|| self.prepare(state, id)));
        let is_wanted = prepared?.is_some();
        let is_accepted = is_wanted && self.program.open(from_id(id), &mut self.arguments) == 0;
        step(|State { engine, handshakes, .. }| {
            let Some(engine) = engine else { return };
            match is_accepted {
                true => handshakes.accept(engine, id),
                false => handshakes.refuse(engine, id),
            }
        })
    }

    /// Finds what the program is told of a client; `None` where the client is not wanted.
    fn prepare(&mut self, state: &mut State, id: ConnId) -> Option<()> {
        let State { engine, handshakes, settings, .. } = state;
        let request = engine.as_ref()?.request(id)?;
        let chosen = settings.protocols.choose(request.protocols());
        let begun = handshakes.begin(chosen);
        let begun = begun.and_then(|()| self.arguments.fill(self.fields, request, chosen));
        begun.map_err(|_| handshakes.report_shortage()).ok()
    }
}

impl Server {
    /// Deals with an event that is no affair of the program's. Returns the exit status where it is the
    /// loop's end.
    fn deal_with(&mut self, event: Event<*mut [u8]>) -> Option<c_int> {
        match event {
            Event::Requested(id) => {
                let answer =
                    |engine: &mut _| self.pages.as_ref().map(|pages| pages.answer(engine, id));
                let _ = with_engine(answer);
            }
            Event::Control => self.heed_signals(),
            Event::Refused(_, refusal) => {
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
            Event::MemoryReleased => process::trim_memory(),
            Event::HeldUp(duration) => {
                let seconds = duration.as_secs_f32();
                let why = "the program's functions have held everybody up for";
                log::limited(Level::Warning, format_args!("{why} {seconds:.1} s"));
            }
            Event::DrainExpired => {
                self.handover.log_drain_expired();
                let _ = with_engine(|engine| engine.stop(CloseCode::SERVICE_RESTART));
            }
            Event::Stopped => {
                self.handover.log_end();
                return Some(0);
            }
            // The program's; see `Dispatch::turn`.
            Event::Message(..)
            | Event::Opened(_)
            | Event::Closed(_)
            | Event::Drained(_)
            | Event::Tick => {}
        }
        None
    }

    /// Does what signals, and the supervisor of a hand-over, have asked for.
    fn heed_signals(&mut self) {
        process::drain_wake_pipe(&self.wake);
        if process::take_figures_request() {
            event_loop::log_figures();
        }
        self.handover.proceed(&mut self.files, &mut self.notifier);
        if process::take_hangup() {
            self.handover.hang_up(&self.files);
        }
        if process::is_stopping() {
            self.notifier.notify_stopping();
            self.handover.call_off();
            let _ = with_engine(|engine| engine.stop(CloseCode::GOING_AWAY));
            self.files.remove_sockets();
        }
    }
}

/// Refuses a client whose page may not connect.
fn refuse_foreign(id: ConnId) -> bool {
    let refuse = |State { engine, settings, .. }: &mut State| {
        let engine = engine.as_mut()?;
        Some(event_loop::refuse_foreign(engine, &settings.origins, id))
    };
    event_loop::with(refuse).ok().flatten().unwrap_or(false)
}

/// Calls what `ws_set_periodic` set.
fn tick() -> Result<(), Misuse> {
    if let Some(periodic) = step(|state| state.periodic)? {
        // SAFETY: a function of the program's, given to be called here.
        unsafe { (periodic.func)() };
    }
    Ok(())
}
