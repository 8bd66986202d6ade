//! Requests that are being decided on: what the program is told, asks for and decides.

use std::collections::{HashMap, TryReserveError};
use std::ffi::{CStr, CString};

use dorrit_engine::{ConnId, Engine};
use dorrit_proto::{Plain, Refusal};

use super::answer::{Answer, Decision, string};
use crate::config::Origins;
use crate::forwarded::{Forwarded, Found};
use crate::log::{self, Level};

/// How much of a foreign origin is logged, in bytes: it can be as long as a head.
const MAX_LOGGED: usize = 100;

/// What was found and decided about requests, and what of it lasts as long as a connection.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// The request whose callback is running.
    running: Option<ConnId>,
    /// What is said of its answer.
    current: Answer,
    /// What is said of the answers to requests on which the decision was put off.
    deferred: Option<HashMap<ConnId, Answer>>,
    /// What is known of connections that are open, where anything is.
    known: Option<HashMap<ConnId, Known>>,
}

/// What is known of a connection: strings that the program was given live as long as it.
#[derive(Debug, Default)]
struct Known {
    protocol: Option<CString>,
    address: Option<CString>,
}

impl Requests {
    /// Notes that a callback is about to run: what its request asks for, where it asks for no upgrade, and the
    /// `protocol` that was chosen without it. The last callback may have been left by an exception.
    pub(crate) fn begin(
        &mut self,
        id: ConnId,
        plain: Option<Plain>,
        protocol: Option<&[u8]>,
    ) -> Result<(), TryReserveError> {
        self.current.clear();
        (self.running, self.current.plain) = (Some(id), plain);
        protocol.map_or(Ok(()), |name| self.choose(id, name))
    }

    /// Whether the callback for this request is running.
    pub(crate) fn is_running(&self, id: ConnId) -> bool {
        self.running == Some(id)
    }

    /// Notes that the callback has returned, or was not called. Returns what was said in it.
    pub(crate) fn end(&mut self) -> &mut Answer {
        self.running = None;
        &mut self.current
    }

    /// What is said of the answer to a request that is being decided on.
    pub(crate) fn answer(&mut self, id: ConnId) -> Option<&mut Answer> {
        match self.running == Some(id) {
            true => Some(&mut self.current).filter(|answer| answer.decision.is_none()),
            false => self.deferred.as_mut()?.get_mut(&id),
        }
    }

    /// Has a connection that is being decided on be paused from its acceptance on, or not; also where its callback has
    /// accepted it and is running still. Returns whether it may be accepted.
    pub(crate) fn set_paused(&mut self, id: ConnId, is_paused: bool) -> bool {
        let is_accepted =
            self.running == Some(id) && self.current.decision == Some(Decision::Accept);
        let answer = if is_accepted { Some(&mut self.current) } else { self.answer(id) };
        answer.map(|answer| answer.is_paused = is_paused).is_some()
    }

    /// Chooses a sub-protocol, and makes room to keep it.
    pub(crate) fn choose(&mut self, id: ConnId, name: &[u8]) -> Result<(), TryReserveError> {
        self.known.get_or_insert_default().try_reserve(1)?;
        self.answer(id).map_or(Ok(()), |answer| answer.choose(name))
    }

    /// Makes room for the answer of the callback that is running to be given later.
    pub(crate) fn reserve_deferred(&mut self) -> Result<(), TryReserveError> {
        self.deferred.get_or_insert_default().try_reserve(1)
    }

    /// Keeps what was said of an answer that is given later.
    pub(crate) fn put_off(&mut self, id: ConnId, answer: Answer) {
        self.deferred.get_or_insert_default().insert(id, answer);
    }

    /// What was said of an answer that is given now.
    pub(crate) fn take_deferred(&mut self, id: ConnId) -> Option<Answer> {
        self.deferred.as_mut()?.remove(&id)
    }

    /// Decides on a request whose callback is running, and has put that off. Returns whether it could.
    pub(crate) fn decide_running(&mut self, id: ConnId, decision: Decision) -> Option<bool> {
        if self.running != Some(id) {
            return None;
        }
        let may = self.current.is_deferred && self.current.decision.is_none();
        if may {
            self.current.decision = Some(decision);
        }
        Some(may)
    }

    /// Keeps what is to be known of a connection that was accepted.
    pub(crate) fn open(&mut self, id: ConnId, protocol: Option<CString>, address: Option<CString>) {
        if protocol.is_none() && address.is_none() {
            return;
        }
        let known = self.known.get_or_insert_default();
        if known.try_reserve(1).is_ok() {
            known.insert(id, Known { protocol, address });
        }
    }

    /// The sub-protocol of a connection: of one that is being decided on, or of one that is open.
    pub(crate) fn protocol(&mut self, id: ConnId) -> Option<&CStr> {
        let found = if self.running == Some(id) {
            self.current.protocol.as_ref()
        } else if let Some(answer) = self.deferred.as_ref().and_then(|all| all.get(&id)) {
            answer.protocol.as_ref()
        } else {
            self.known.as_ref()?.get(&id)?.protocol.as_ref()
        };
        found.map(CString::as_c_str)
    }

    /// The address of a client, which lives as long as the request or the connection does; `None` where it is not
    /// known, or there is no memory.
    pub(crate) fn address(
        &mut self,
        engine: &Engine,
        forwarded: Option<Forwarded>,
        id: ConnId,
    ) -> Option<&CStr> {
        if !engine.is_known(id) {
            return None;
        }
        let place = if self.running == Some(id) {
            &mut self.current.address
        } else if let Some(answer) = self.deferred.as_mut().and_then(|all| all.get_mut(&id)) {
            &mut answer.address
        } else {
            let known = self.known.get_or_insert_default();
            known.try_reserve(1).ok()?;
            &mut known.entry(id).or_default().address
        };
        if place.is_none() {
            *place = find_address(engine, forwarded, id);
        }
        place.as_deref()
    }

    /// Forgets a connection or a request that has ended, and whose close callback has returned.
    pub(crate) fn close(&mut self, id: ConnId) {
        if let Some(known) = &mut self.known {
            known.remove(&id);
        }
        self.take_deferred(id);
    }
}

/// The client's address in text.
pub(super) fn find_address(
    engine: &Engine,
    forwarded: Option<Forwarded>,
    id: ConnId,
) -> Option<CString> {
    let said = forwarded.and_then(|forwarded| forwarded.address(engine.request(id)?));
    let address = match said {
        Some(Found::Address(address)) => address,
        Some(Found::Unknown) => return None,
        None => engine.address(id)?,
    };
    string(address.to_string().as_bytes()).ok().flatten()
}

/// Whether a request is of a page that may not connect, as the log says then.
pub(crate) fn is_foreign(engine: &Engine, origins: &Origins, id: ConnId) -> bool {
    let Some(request) = engine.request(id) else { return false };
    let Some(found) = origins.find_foreign(request) else { return false };
    let origin = &found[..found.len().min(MAX_LOGGED)];
    let (status, why) = (Refusal::Origin.status(), Refusal::Origin.reason());
    let origin = origin.escape_ascii();
    log::limited(Level::Info, format_args!("a client is answered {status}: {why}: {origin}"));
    true
}
