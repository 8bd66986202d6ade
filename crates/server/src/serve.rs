//! The engine's events, handed to the program one after the other.
//!
//! The server is borrowed to fetch an event and given back before the program hears of it, so that each
//! `ws_*` call can borrow it anew.

use std::ffi::c_int;
use std::io;
use std::time::Instant;

use dorrit_engine::{ConnId, DropCause, Event};
use dorrit_proto::{CloseCode, MessageKind, Refusal};

use crate::abi::{from_id, guard};
use crate::error::errno_text;
use crate::event_loop::{self, Misuse, State, with_engine};
use crate::launch::Server;
use crate::log::Level;
use crate::process::{Notifier, WithoutReserve};
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
    /// The loop cannot go on.
    Failed(io::Error),
}

/// The next message, for which it waits, unless there is something else to deal with.
#[inline(always)]
fn next(state: &mut State, notifier: &Notifier) -> Result<Message, Result<Other, Misuse>> {
    let engine = state.engine.as_mut().ok_or(Err(Misuse))?;
    let _without = WithoutReserve::begin();
    loop {
        match engine.poll_event() {
            Some(Event::Message(conn, kind, payload)) => {
                let start = payload.as_ptr().cast::<u8>().cast_mut();
                let payload = std::ptr::slice_from_raw_parts_mut(start, payload.len());
                return Ok(Message { conn, kind, payload });
            }
            Some(event) => return Err(Ok(Other::Event(event.map(drop)))),
            None => {}
        }
        let due = match (log::due(), notifier.due()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let longest = due.map(|due| due.saturating_duration_since(Instant::now()));
        if let Err(error) = engine.wait(longest) {
            return Err(Ok(Other::Failed(error)));
        }
        if due.is_some_and(|due| due <= Instant::now()) {
            return Err(Ok(Other::Due));
        }
    }
}

impl<P: Program> Dispatch<'_, P> {
    /// Hands the next event to the program, or waits for one. Returns the exit status where that is the
    /// loop's end.
    fn turn(&mut self) -> Result<Option<c_int>, Misuse> {
        let mut other = Err(Misuse);
        let message =
            step(|state| next(state, &self.server.notifier).map_err(|it| other = it).ok())?;
        if let Some(message) = message {
            // SAFETY: the engine has just told where it is.
            unsafe { self.read(message) };
            return Ok(None);
        }
        match other? {
            Other::Event(event) => self.tell(event),
            Other::Due => guard(Err(Misuse), || {
                log::write_left_out();
                self.server.notifier.notify_due();
                Ok(None)
            }),
            Other::Failed(error) => guard(Err(Misuse), || {
                log::error(&format!("the loop has failed: {}", errno_text(&error)));
                Ok(Some(1))
            }),
        }
    }

    /// Hands an event over that is no message. Returns the exit status where that is the end.
    #[inline(never)]
    fn tell(&mut self, event: Event<()>) -> Result<Option<c_int>, Misuse> {
        match event {
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
    fn deal_with(&mut self, event: Event<()>) -> Option<c_int> {
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
