//! The engine's events, handed to the program one after the other.
//!
//! The loop is borrowed to fetch an event and given back before the program hears of it, so that each
//! `ws_*` call can borrow it anew.

use std::ffi::c_int;
use std::io;
use std::time::Instant;

use dorrit_engine::{ConnId, DropCause, Event};
use dorrit_proto::{CloseCode, MessageKind, Refusal};

use crate::abi::{from_id, guard};
use crate::error::errno_text;
use crate::event_loop::{Loop, refuse_foreign, with_engine, with_loop};
use crate::log::Level;
use crate::main_process::Process;
use crate::process::{Notifier, WithoutReserve, trim_memory, without_reserve};
use crate::program::{OpenArguments, Program};
use crate::{log, setup};

/// Serves until the server has stopped. Returns the exit status.
pub(crate) fn serve(program: &impl Program, process: &mut Process) -> c_int {
    let mut dispatch = Dispatch { program, process };
    loop {
        match dispatch.turn() {
            Ok(None) => {}
            Ok(Some(status)) => return status,
            Err(Lost) => return 1,
        }
    }
}

struct Dispatch<'a, P> {
    program: &'a P,
    process: &'a mut Process,
}

/// There is no loop any more: a panic of ours, which has been logged, has ended a step; or this is a child of the
/// program's.
struct Lost;

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
    /// The loop cannot go on.
    Failed(io::Error),
}

/// The next message, for which it waits, unless there is something else to deal with.
#[inline(always)]
fn next(Loop { engine, .. }: &mut Loop, notifier: &Notifier) -> Result<Message, Other> {
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
        let due = match (log::due(), notifier.due()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let longest = due.map(|due| due.saturating_duration_since(Instant::now()));
        if let Err(error) = engine.wait(longest) {
            return Err(Other::Failed(error));
        }
        if due.is_some_and(|due| due <= Instant::now()) {
            return Err(Other::Due);
        }
    }
}

impl<P: Program> Dispatch<'_, P> {
    /// Hands the next event to the program, or waits for one. Returns the exit status where that is the
    /// loop's end.
    fn turn(&mut self) -> Result<Option<c_int>, Lost> {
        let mut other = Err(Lost);
        let notifier = &self.process.notifier;
        let message = step(|it| next(it, notifier).map_err(|found| other = Ok(found)).ok())?;
        if let Some(message) = message {
            // SAFETY: the engine has just told where it is.
            unsafe { self.read(message) };
            return Ok(None);
        }
        match other? {
            Other::Event(event) => self.tell(event),
            Other::Due => guard(Err(Lost), || {
                log::write_left_out();
                self.process.notifier.notify_due();
                Ok(None)
            }),
            Other::Failed(error) => guard(Err(Lost), || {
                log::error(&format!("the loop has failed: {}", errno_text(&error)));
                Ok(Some(1))
            }),
        }
    }

    /// Hands an event over that is no message. Returns the exit status where that is the end.
    #[inline(never)]
    fn tell(&mut self, event: Event<()>) -> Result<Option<c_int>, Lost> {
        match event {
            Event::Opened(id) => self.open(id)?,
            Event::Closed(id) => {
                self.program.close(from_id(id));
                step(|it| it.handshakes.close(id))?;
            }
            Event::Drained(id) => self.program.drain(from_id(id)),
            Event::Tick => tick()?,
            event => return guard(Err(Lost), || Ok(deal_with(self.process, event))),
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

    fn open(&mut self, id: ConnId) -> Result<(), Lost> {
        let is_foreign = |Loop { engine, server, .. }: &mut Loop| {
            refuse_foreign(engine, &server.settings.origins, id)
        };
        if guard(true, || with_loop(is_foreign).unwrap_or(false)) {
            return Ok(());
        }
        // What a client may send is too much for the reserve.
        let prepared = step(|it| without_reserve(|| prepare(it, id)))?;
        let answered = prepared.map(|mut arguments| {
            let answer = self.program.open(from_id(id), &mut arguments);
            (answer, arguments)
        });
        step(|Loop { engine, handshakes, arguments, .. }| {
            let answer = answered.map(|(answer, used)| {
                *arguments = used;
                answer
            });
            match answer {
                Some(0) => handshakes.accept(engine, id),
                _ => handshakes.refuse(engine, id),
            }
        })
    }
}

/// Finds what the program is told of a client, to be given back; `None` where the client is not wanted.
fn prepare(it: &mut Loop, id: ConnId) -> Option<OpenArguments> {
    let Loop { engine, handshakes, arguments, server } = it;
    let request = engine.request(id)?;
    let chosen = server.settings.protocols.choose(request.protocols());
    let begun = handshakes.begin(chosen);
    let begun = begun.and_then(|()| arguments.fill(server.fields, request, chosen));
    begun.map_err(|_| handshakes.report_shortage()).ok()?;
    Some(std::mem::take(arguments))
}

/// Deals with an event that is no affair of the program's. Returns the exit status where it is the
/// loop's end.
fn deal_with(process: &mut Process, event: Event<()>) -> Option<c_int> {
    match event {
        Event::Requested(id) => {
            let _ = with_loop(|Loop { engine, server, .. }| {
                server.pages.as_ref().map(|pages| pages.answer(engine, id))
            });
        }
        Event::Control => process.heed_signals(),
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
        Event::MemoryReleased => trim_memory(),
        Event::HeldUp(duration) => {
            let seconds = duration.as_secs_f32();
            let why = "the program's functions have held everybody up for";
            log::limited(Level::Warning, format_args!("{why} {seconds:.1} s"));
        }
        Event::DrainExpired => {
            process.handover.log_drain_expired();
            let _ = with_engine(|engine| engine.stop(CloseCode::SERVICE_RESTART));
        }
        Event::Stopped => {
            process.handover.log_end();
            return Some(0);
        }
        // The program's; see `Dispatch::turn`.
        Event::Message(..)
        | Event::Opened(_)
        | Event::Closed(_)
        | Event::Drained(_)
        | Event::Tick
        | Event::Timer(_)
        | Event::Ready(..)
        | Event::Call => {}
    }
    None
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
