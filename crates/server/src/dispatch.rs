//! The engine's events, handed to the program one after the other.
//!
//! The server is borrowed to fetch an event and given back before the program hears of it, so that each
//! `ws_*` call can borrow it anew.

use std::collections::TryReserveError;
use std::ffi::c_int;
use std::io;
use std::time::Instant;

use dorrit_engine::{ConnId, DropCause, Event};
use dorrit_proto::{CloseCode, MessageKind, Refusal, Request};

use crate::handle::from_id;
use crate::host::{self, Misuse, State, guard, with_engine};
use crate::launch::Server;
use crate::log::{self, Level};
use crate::notify::{self, Notifier};
use crate::opening::Openings;
use crate::program::{Introduction, Program, Told};
use crate::reserve::{self, Spared};
use crate::start::words;
use crate::{signals, stats};

/// Serves until the server has stopped. Returns the exit status.
pub(crate) fn serve(program: &impl Program, server: &mut Server) -> c_int {
    let told = server.told;
    let mut dispatch = Dispatch { program, told, introduction: Introduction::default(), server };
    loop {
        match dispatch.turn() {
            Ok(None) => {}
            Ok(Some(status)) => return status,
            // A panic of ours, which has been told; or this is a child of the program's.
            Err(Misuse) => return 1,
        }
    }
}

struct Dispatch<'a, P> {
    program: &'a P,
    told: Told,
    /// Of the last request; its memory is used again.
    introduction: Introduction,
    server: &'a mut Server,
}

/// A step of the loop: it acts on the server, and a panic goes no further. None of the program's functions
/// is called within (CONTRACT S26).
fn step<R>(act: impl FnOnce(&mut State) -> R) -> Result<R, Misuse> {
    guard(Err(Misuse), || host::with(act))
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
fn next(state: &mut State) -> Result<Message, Result<Other, Misuse>> {
    let State { engine, notifier, .. } = state;
    let engine = engine.as_mut().ok_or(Err(Misuse))?;
    let _spared = Spared::begin();
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
        let notifier = notifier.as_ref().and_then(Notifier::due);
        let due =
            log::due().map_or(notifier, |at| Some(notifier.map_or(at, |other| at.min(other))));
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
    /// Hands over what is there, and what happens next. Returns the exit status where that is the end.
    fn turn(&mut self) -> Result<Option<c_int>, Misuse> {
        let mut other = Err(Misuse);
        let message = step(|state| next(state).map_err(|it| other = it).ok())?;
        if let Some(message) = message {
            // SAFETY: the engine has just told where it is.
            unsafe { self.read(message) };
            return Ok(None);
        }
        match other? {
            Other::Event(event) => self.tell(event),
            Other::Due => guard(Err(Misuse), || {
                log::tell_left_out();
                notify::tell_due();
                Ok(None)
            }),
            Other::Failed(error) => guard(Err(Misuse), || {
                log::error(&format!("the loop has failed: {}", words(&error)));
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
                step(|state| state.openings.close(id))?;
            }
            Event::Drained(id) => self.program.drain(from_id(id)),
            Event::Tick => tick()?,
            event => return guard(Err(Misuse), || Ok(self.server.deal_with(event))),
        }
        Ok(None)
    }

    /// Hands a message over.
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
        if guard(true, || Openings::refuse_foreign(id)) {
            return Ok(());
        }
        // What a client may send is too much for the reserve.
        let introduced = step(|state| reserve::spare(|| self.introduce(state, id)));
        let is_wanted = introduced?.is_some();
        let is_accepted = is_wanted && self.program.open(from_id(id), &mut self.introduction) == 0;
        step(|State { engine, openings, .. }| {
            let Some(engine) = engine else { return };
            match is_accepted {
                true => openings.accept(engine, id),
                false => openings.refuse(engine, id),
            }
        })
    }

    /// Finds what the program is told of a client; `None` where the client is not wanted.
    fn introduce(&mut self, state: &mut State, id: ConnId) -> Option<()> {
        let State { engine, openings, settings, .. } = state;
        let request = engine.as_ref()?.request(id)?;
        let chosen = settings.protocols.choose(request.protocols());
        let Introduction { cookie, hostname, protocol } = &mut self.introduction;
        [cookie, hostname, protocol].into_iter().for_each(Vec::clear);
        let begun = openings.begin(chosen).and_then(|()| match self.told {
            Told::Cookie => self.introduction.tell_cookie(request),
            Told::HostAndProtocol => self.introduction.tell_host(request.host(), chosen),
        });
        begun.map_err(|_| openings.be_short()).ok()
    }
}

impl Introduction {
    /// CONTRACT S3.
    fn tell_cookie(&mut self, request: &Request) -> Result<(), TryReserveError> {
        request.join_header("cookie", b"; ", &mut self.cookie)?;
        self.end()
    }

    fn tell_host(&mut self, host: &[u8], protocol: Option<&[u8]>) -> Result<(), TryReserveError> {
        let protocol = protocol.unwrap_or_default();
        for (text, told) in [(&mut self.hostname, host), (&mut self.protocol, protocol)] {
            text.try_reserve(told.len())?;
            text.extend_from_slice(told);
        }
        self.end()
    }

    /// Puts the zero bytes behind them.
    fn end(&mut self) -> Result<(), TryReserveError> {
        for text in [&mut self.cookie, &mut self.hostname, &mut self.protocol] {
            text.try_reserve(1)?;
            text.push(0);
        }
        Ok(())
    }
}

impl Server {
    /// Deals with what is no affair of the program's. Returns the exit status where it is the end.
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
                log::folded(level, format_args!("a client is answered {status}: {why}"));
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
                log::folded(level, format_args!("a client is dropped: {cause}"));
            }
            Event::AcceptFailed(errno) => {
                log::warning(&format!("connections have to wait: {}", words(&errno.into())));
            }
            Event::ShortOfMemory => {
                log::folded(Level::Warning, "there is not enough memory");
            }
            Event::MemoryReleased => reserve::trim(),
            Event::HeldUp(duration) => {
                let seconds = duration.as_secs_f32();
                let why = "the program's functions have held everybody up for";
                log::folded(Level::Warning, format_args!("{why} {seconds:.1} s"));
            }
            Event::DrainExpired => {
                self.handover.tell_overdue();
                let _ = with_engine(|engine| engine.stop(CloseCode::SERVICE_RESTART));
            }
            Event::Stopped => {
                self.handover.tell_end();
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

    /// Does what signals, and the usher of a hand-over, have asked for.
    fn heed_signals(&mut self) {
        signals::drain(&self.wake);
        if signals::take_question() {
            stats::tell();
        }
        self.handover.proceed(&mut self.files);
        if signals::take_hang_up() {
            self.handover.hang_up(&self.files);
        }
        if signals::is_stopping() {
            notify::stopping();
            self.handover.call_off();
            let _ = with_engine(|engine| engine.stop(CloseCode::GOING_AWAY));
            self.files.remove_sockets();
        }
    }
}

/// Calls what `ws_set_periodic` set.
fn tick() -> Result<(), Misuse> {
    if let Some(periodic) = step(|state| state.periodic)? {
        // SAFETY: a function of the program's, given to be called here.
        unsafe { (periodic.func)() };
    }
    Ok(())
}
