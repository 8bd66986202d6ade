//! What clients ask for, handed to the program to decide.

use std::ffi::c_int;

use dorrit_engine::ConnId;
use dorrit_proto::Refusal;

use super::{Dispatch, Lost, step};
use crate::abi::from_id;
use crate::event_loop::{Loop, SHORTAGE, is_foreign};
use crate::log::{self, Level};
use crate::process::without_reserve;
use crate::program::{OpenArguments, Program, RequestArguments};

impl<P: Program> Dispatch<'_, P> {
    /// Has the program decide on a connection.
    pub(super) fn open(&mut self, id: ConnId) -> Result<(), Lost> {
        // What a client may send is too much for the reserve.
        let prepared = step(|it| without_reserve(|| prepare_open(it, id)))?;
        let Some(mut arguments) = prepared else { return Ok(()) };
        let asking = Asking(id);
        let answer = self.program.open(from_id(id), &mut arguments);
        std::mem::forget(asking);
        step(|it| {
            it.arguments = arguments;
            end_open(it, id, answer);
        })
    }

    /// Has the program answer a request that asks for no upgrade.
    pub(super) fn request(&mut self, id: ConnId) -> Result<(), Lost> {
        if !self.program.has_request() {
            return step(|it| answer_by_pages(it, id));
        }
        let prepared = step(|it| without_reserve(|| prepare_request(it, id)))?;
        let Some((arguments, body)) = prepared else { return Ok(()) };
        let asking = Asking(id);
        let told = if body.is_empty() { &[0][..] } else { &body };
        let status = self.program.request(from_id(id), &arguments, told);
        std::mem::forget(asking);
        step(|it| {
            it.request_arguments = arguments;
            end_request(it, id, status);
        })
    }
}

/// A request that the program is asked about. Where an exception leaves its callback nothing was decided, nor put off.
struct Asking(ConnId);

impl Drop for Asking {
    fn drop(&mut self) {
        // Without a loop nothing is kept.
        let _ = step(|it| {
            it.engine.undefer(self.0);
            it.requests.end();
        });
    }
}

/// Finds what the program is told of a client, to be given back; `None` where the client is answered already.
fn prepare_open(it: &mut Loop, id: ConnId) -> Option<OpenArguments> {
    let Loop { engine, requests, arguments, server, .. } = it;
    if is_foreign(engine, &server.settings.origins, id) {
        it.refuse(id, Refusal::Origin);
        return None;
    }
    let request = engine.request(id)?;
    let chosen = server.settings.protocols.choose(request.protocols());
    let begun = requests.begin(id, None, chosen);
    if begun.and_then(|()| arguments.fill(server.fields, request, chosen)).is_err() {
        requests.end();
        it.refuse(id, SHORTAGE);
        return None;
    }
    Some(std::mem::take(arguments))
}

/// Does what `ws_open_callback` has said.
fn end_open(it: &mut Loop, id: ConnId, answer: c_int) {
    let (requests, mut answering) = it.answering();
    let said = requests.end();
    match (answer, said.is_deferred) {
        (0, is_deferred) => {
            let said = std::mem::take(said);
            match is_deferred {
                true => it.settle_deferred(id, said),
                false => drop(it.accept(id, said)),
            }
        }
        (_, is_deferred) => {
            if is_deferred {
                answering.undefer(id);
            }
            answering.respond(id, said.status.unwrap_or(403), said);
        }
    }
}

/// Finds what the program is told of a request, to be given back; `None` where it is answered already.
fn prepare_request(it: &mut Loop, id: ConnId) -> Option<(RequestArguments, Vec<u8>)> {
    let Loop { engine, requests, request_arguments: arguments, .. } = it;
    let (request, plain, mut body) = engine.take_asked(id)?;
    let begun = requests.begin(id, Some(plain), None).and_then(|()| arguments.fill(request));
    let zero = usize::from(!body.is_empty());
    if begun.and_then(|()| body.try_reserve(zero)).is_err() {
        requests.end();
        it.refuse(id, SHORTAGE);
        return None;
    }
    body.resize(body.len() + zero, 0);
    Some((std::mem::take(arguments), body))
}

/// Does what `ws_request_callback` has said.
fn end_request(it: &mut Loop, id: ConnId, status: c_int) {
    let (requests, mut answering) = it.answering();
    let said = requests.end();
    if said.is_deferred {
        if status == 0 {
            let said = std::mem::take(said);
            return it.settle_deferred(id, said);
        }
        answering.undefer(id);
    }
    match u16::try_from(status) {
        Ok(0) => answer_by_pages(it, id),
        Ok(status @ 200..600) => answering.respond(id, status, said),
        _ => {
            let why = "is no status from 200 to 599, nor 0";
            log::limited(Level::Warning, format_args!("ws_request_callback: {status} {why}"));
            answering.refuse(id, Refusal::Status(500));
        }
    }
}

/// Answers a request that is none of the program's affair.
fn answer_by_pages(it: &mut Loop, id: ConnId) {
    let Loop { engine, server, .. } = it;
    let page = match (&server.pages, engine.request(id)) {
        (_, None) => return,
        (None, _) => Err(Refusal::UpgradeRequired),
        (Some(pages), Some(request)) => {
            request.judge_page().and_then(|()| pages.find_page(request))
        }
    };
    match page {
        Ok(page) => it.answering().1.respond_with_page(id, page),
        Err(refusal) => it.refuse(id, refusal),
    }
}
