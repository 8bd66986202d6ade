//! The engine's events, handed to the program one after the other.
//!
//! The server is borrowed to fetch an event and given back before the program hears of it, so that each
//! `ws_*` call can borrow it anew.

use std::collections::TryReserveError;
use std::ffi::c_int;

use dorrit_engine::{ConnId, DropCause, Event};
use dorrit_proto::{CloseCode, Refusal, Request};

use crate::handle::from_id;
use crate::host::{self, State, with_engine};
use crate::launch::Server;
use crate::log::{self, Level};
use crate::program::{Introduction, Program, Told};
use crate::{notify, reserve, signals, stats};

/// Serves until the server has stopped. Returns the exit status.
pub(crate) fn serve(program: &impl Program, server: &mut Server) -> c_int {
    let Server { files, told, pages, wake, handover } = server;
    let introduction = Introduction::default();
    let mut dispatch = Dispatch { program, told: *told, introduction };
    loop {
        dispatch.read_whole();
        let next = with_engine(|engine| {
            let event = reserve::spare(|| engine.next());
            let message = engine.message();
            (event, message.as_mut_ptr(), message.len())
        });
        let Ok((event, start, len)) = next else { return 1 };
        match event {
            Event::Message(id, kind) => {
                // SAFETY: the engine leaves the message where it is, and touches it only at the next event.
                let message = unsafe { std::slice::from_raw_parts_mut(start, len) };
                program.read(from_id(id), kind, message);
            }
            Event::Opened(id) => dispatch.open(id),
            Event::Requested(id) => {
                let answer = |engine: &mut _| pages.as_ref().map(|pages| pages.answer(engine, id));
                let _ = with_engine(answer);
            }
            Event::Closed(id) => {
                program.close(from_id(id));
                let _ = host::with(|state| state.openings.close(id));
            }
            Event::Drained(id) => program.drain(from_id(id)),
            Event::Tick => tick(),
            Event::Alarm => {
                log::tell_left_out();
                notify::tell_due();
            }
            Event::Control => {
                signals::drain(wake);
                if signals::take_question() {
                    stats::tell();
                }
                handover.proceed(files);
                if signals::take_hang_up() {
                    handover.hang_up(files);
                }
                if signals::is_stopping() {
                    notify::stopping();
                    handover.call_off();
                    let _ = with_engine(|engine| engine.stop(CloseCode::GOING_AWAY));
                    files.remove_socket();
                }
            }
            Event::Refused(_, refusal) => {
                let level = if refusal == Refusal::Full { Level::Info } else { Level::Debug };
                let (status, why) = (refusal.status(), refusal.reason());
                log::folded(level, format_args!("a client is answered {status}: {why}"));
            }
            Event::Dropped(_, cause) => {
                let level = match cause {
                    DropCause::Violation(_) => Level::Debug,
                    DropCause::QueueFull | DropCause::Silent | DropCause::NoMemory => Level::Info,
                };
                log::folded(level, format_args!("a client is dropped: {cause}"));
            }
            Event::AcceptFailed(error) => {
                log::warning(&format!("connections have to wait: {}", crate::start::words(&error)));
            }
            Event::ShortOfMemory => {
                log::folded(Level::Warning, "there is not enough memory");
            }
            Event::Overdue => {
                handover.tell_overdue();
                let _ = with_engine(|engine| engine.stop(CloseCode::SERVICE_RESTART));
            }
            Event::Stopped => {
                handover.tell_end();
                return 0;
            }
            Event::Failed(error) => {
                log::error(&format!("the loop has failed: {}", crate::start::words(&error)));
                return 1;
            }
        }
    }
}

struct Dispatch<'a, P> {
    program: &'a P,
    told: Told,
    /// Of the last request; its memory is used again.
    introduction: Introduction,
}

impl<P: Program> Dispatch<'_, P> {
    /// Hands over whole messages as long as one follows the other.
    fn read_whole(&self) {
        let next = || {
            with_engine(|engine| {
                let (id, kind, message) = engine.next_whole()?;
                Some((id, kind, message.as_mut_ptr(), message.len()))
            })
        };
        while let Ok(Some((id, kind, start, len))) = next() {
            // SAFETY: the engine leaves the message where it is, and touches it only at the next event.
            let message = unsafe { std::slice::from_raw_parts_mut(start, len) };
            self.program.read(from_id(id), kind, message);
        }
    }

    fn open(&mut self, id: ConnId) {
        // What a client may send is too much for the reserve.
        let introduced = host::with(|state| reserve::spare(|| self.introduce(state, id)));
        let is_wanted = introduced.ok().flatten().is_some();
        let is_accepted = is_wanted && self.program.open(from_id(id), &mut self.introduction) == 0;
        let _ = host::with(|State { engine, openings, .. }| {
            let engine = engine.as_mut()?;
            match is_accepted {
                true => openings.accept(engine, id),
                false => openings.refuse(engine, id),
            }
            Some(())
        });
    }

    /// Finds what the program is told of a client; `None` where the client is not wanted.
    fn introduce(&mut self, state: &mut State, id: ConnId) -> Option<()> {
        let State { engine, openings, settings, .. } = state;
        let request = engine.as_ref()?.request(id)?;
        if !settings.is_origin_allowed(request) {
            return None;
        }
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

/// Calls what `ws_set_periodic` set.
fn tick() {
    if let Ok(Some(periodic)) = host::with(|state| state.periodic) {
        // SAFETY: a function of the program's, given to be called here.
        unsafe { (periodic.func)() };
    }
}
