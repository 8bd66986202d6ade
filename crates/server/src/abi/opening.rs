//! What `ws_open_callback` may ask and decide, beyond the manuals.

use std::collections::{HashMap, TryReserveError};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

use dorrit_engine::{ConnId, Engine};
use dorrit_proto::Refusal;

use super::handle;
use crate::event_loop::current::{State, guard, with};
use crate::log;
use crate::log::Level;
use crate::process::reserve;

/// How much of a foreign origin the log tells, in bytes: it can be as long as a head.
const MAX_TOLD: usize = 100;

/// What was found and decided about connections besides the engine's part.
#[derive(Debug, Default)]
pub(crate) struct Openings {
    /// Of the connection whose callback is running.
    protocol: Option<CString>,
    refusal: Option<Refusal>,
    /// What the callback was given; it lives until the callback returns.
    strings: Vec<CString>,
    /// Of connections that are open and have one.
    protocols: Option<HashMap<ConnId, CString>>,
}

impl Openings {
    /// None yet.
    pub(crate) const NONE: Self =
        Self { protocol: None, refusal: None, strings: Vec::new(), protocols: None };

    /// The callback is about to run; `protocol` is what was chosen without it.
    pub(crate) fn begin(&mut self, protocol: Option<&[u8]>) -> Result<(), TryReserveError> {
        self.protocol = None;
        if let Some(name) = protocol {
            self.choose(name)?;
        }
        Ok(())
    }

    /// There is no memory for what the callback is to be told: the client is answered so.
    pub(crate) fn be_short(&mut self) {
        self.refusal = Some(Refusal::Status(503));
    }

    /// Chooses a protocol, and makes room to keep it. What was chosen before stays until the callback
    /// returns.
    fn choose(&mut self, name: &[u8]) -> Result<(), TryReserveError> {
        let name = string(name)?;
        self.protocols.get_or_insert_default().try_reserve(1)?;
        self.strings.try_reserve(1)?;
        self.strings.extend(self.protocol.take());
        self.protocol = name;
        Ok(())
    }

    /// The callback has returned, and accepts the connection.
    pub(crate) fn accept(&mut self, engine: &mut Engine, id: ConnId) {
        self.end();
        let protocol = self.protocol.take();
        engine.accept(id, protocol.as_deref().map(CStr::to_bytes));
        if let (Some(protocol), Some(protocols)) = (protocol, &mut self.protocols) {
            protocols.insert(id, protocol);
        }
    }

    /// The callback has returned, and does not accept it.
    pub(crate) fn refuse(&mut self, engine: &mut Engine, id: ConnId) {
        self.protocol = None;
        let refusal = self.refusal.take().unwrap_or(Refusal::Forbidden);
        self.end();
        engine.refuse(id, refusal);
    }

    /// Refuses a request of a page that may not connect, and says so.
    pub(crate) fn refuse_foreign(id: ConnId) -> bool {
        let refuse = |state: &mut State| {
            let State { engine, settings, .. } = state;
            let engine = engine.as_mut()?;
            let found = settings.origins.find_foreign(engine.request(id)?)?;
            let origin = found[..found.len().min(MAX_TOLD)].to_owned();
            engine.refuse(id, Refusal::Origin);
            Some(origin)
        };
        let Some(origin) = with(refuse).ok().flatten() else { return false };
        let (status, why) = (Refusal::Origin.status(), Refusal::Origin.reason());
        let origin = origin.escape_ascii();
        log::folded(Level::Info, format_args!("a client is answered {status}: {why}: {origin}"));
        true
    }

    fn end(&mut self) {
        self.refusal = None;
        self.strings.clear();
    }

    /// A connection has ended, and its close callback has returned.
    pub(crate) fn close(&mut self, id: ConnId) {
        if let Some(protocols) = &mut self.protocols {
            protocols.remove(&id);
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<*const c_char, TryReserveError> {
        self.strings.try_reserve(1)?;
        let Some(string) = string(bytes)? else { return Ok(ptr::null()) };
        let start = string.as_ptr();
        self.strings.push(string);
        Ok(start)
    }
}

/// These bytes as a string of C's; `None` where one of them is zero.
fn string(bytes: &[u8]) -> Result<Option<CString>, TryReserveError> {
    let mut string = Vec::new();
    string.try_reserve_exact(bytes.len() + 1)?;
    string.extend_from_slice(bytes);
    string.push(0);
    Ok(CString::from_vec_with_nul(string).ok())
}

/// Acts while this connection's open callback runs; else `fallback`.
fn within<R>(
    conn: *mut c_void,
    fallback: R,
    act: impl FnOnce(&dorrit_proto::Request, &mut Openings) -> Option<R>,
) -> R {
    let acted = with(|state| {
        let State { engine, openings, .. } = state;
        let request = engine.as_ref()?.request(handle::to_id(conn)?)?;
        // What clients send and programs ask for is too much for the reserve.
        reserve::spare(|| act(request, openings))
    });
    acted.ok().flatten().unwrap_or(fallback)
}

/// # Safety
/// `text` is NULL or a string that ends with a zero byte.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a CStr> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

/// `ws_get_header`.
///
/// # Safety
/// `name` is NULL or a string that ends with a zero byte.
pub unsafe fn get_header(conn: *mut c_void, name: *const c_char) -> *const c_char {
    // SAFETY: the caller's promise.
    let name = unsafe { text(name) };
    guard(ptr::null(), || {
        within(conn, ptr::null(), |request, openings| {
            let name = name?.to_str().ok()?;
            request.header(name).next()?;
            let mut value = Vec::new();
            request.join_header(name, b", ", &mut value).ok()?;
            openings.keep(&value).ok()
        })
    })
}

/// `ws_get_target`.
pub fn get_target(conn: *mut c_void) -> *const c_char {
    guard(ptr::null(), || {
        within(conn, ptr::null(), |request, openings| openings.keep(request.target()).ok())
    })
}

/// `ws_choose_protocol`.
///
/// # Safety
/// `name` is NULL or a string that ends with a zero byte.
pub unsafe fn choose_protocol(conn: *mut c_void, name: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    let name = unsafe { text(name) };
    guard(-1, || {
        within(conn, -1, |request, openings| {
            let name = name?;
            request.protocols().find(|offered| *offered == name.to_bytes())?;
            openings.choose(name.to_bytes()).is_ok().then_some(0)
        })
    })
}

/// `ws_set_status`.
pub fn set_status(conn: *mut c_void, status: c_int) -> c_int {
    let status = u16::try_from(status).ok().filter(|status| (400..600).contains(status));
    guard(-1, || {
        within(conn, -1, |_, openings| {
            openings.refusal = Some(Refusal::Status(status?));
            Some(0)
        })
    })
}

/// `ws_get_protocol`.
pub fn get_protocol(conn: *mut c_void) -> *const c_char {
    guard(c"".as_ptr(), || {
        let found = with(|state| {
            let State { engine, openings, .. } = state;
            let id = handle::to_id(conn)?;
            let found = match engine.as_ref()?.request(id) {
                Some(_) => openings.protocol.as_ref(),
                None => openings.protocols.as_ref()?.get(&id),
            };
            found.map(|protocol| protocol.as_ptr())
        });
        found.ok().flatten().unwrap_or(c"".as_ptr())
    })
}
