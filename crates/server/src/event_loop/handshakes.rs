//! Handshakes under way: what `ws_open_callback` is told, asks for and decides.

use std::collections::{HashMap, TryReserveError};
use std::ffi::{CStr, CString, c_char};
use std::ptr;

use dorrit_engine::{ConnId, Engine};
use dorrit_proto::Refusal;

use crate::config::Origins;
use crate::log::{self, Level};

/// How much of a foreign origin is logged, in bytes: it can be as long as a head.
const MAX_LOGGED: usize = 100;

/// What was found and decided about handshakes under way, and the sub-protocols that were chosen.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    /// The sub-protocol that was chosen for the connection whose callback is running.
    protocol: Option<CString>,
    /// How the connection whose callback is running is refused, where the callback does not accept it.
    refusal: Option<Refusal>,
    /// The strings that the callback was given; they live until it returns.
    strings: Vec<CString>,
    /// The sub-protocols of connections that are open and have one.
    protocols: Option<HashMap<ConnId, CString>>,
}

impl Handshakes {
    /// Notes that the callback is about to run; `protocol` is what was chosen without it. The last callback may have
    /// been left by an exception.
    pub(crate) fn begin(&mut self, protocol: Option<&[u8]>) -> Result<(), TryReserveError> {
        self.end();
        self.protocol = None;
        if let Some(name) = protocol {
            self.choose(name)?;
        }
        Ok(())
    }

    /// Notes that there is no memory for what the callback is to be given: the client is answered so.
    pub(crate) fn report_shortage(&mut self) {
        self.refuse_with(503);
    }

    /// Has the client answered this status where the callback does not accept it.
    pub(crate) fn refuse_with(&mut self, status: u16) {
        self.refusal = Some(Refusal::Status(status));
    }

    /// Chooses a sub-protocol, and makes room to keep it. What was chosen before stays until the callback
    /// returns.
    pub(crate) fn choose(&mut self, name: &[u8]) -> Result<(), TryReserveError> {
        let name = string(name)?;
        self.protocols.get_or_insert_default().try_reserve(1)?;
        self.strings.try_reserve(1)?;
        self.strings.extend(self.protocol.take());
        self.protocol = name;
        Ok(())
    }

    /// Accepts the connection, as the callback has returned and says.
    pub(crate) fn accept(&mut self, engine: &mut Engine, id: ConnId) {
        self.end();
        let protocol = self.protocol.take();
        engine.accept(id, protocol.as_deref().map(CStr::to_bytes));
        if let (Some(protocol), Some(protocols)) = (protocol, &mut self.protocols) {
            protocols.insert(id, protocol);
        }
    }

    /// Refuses the connection, as the callback has returned and says.
    pub(crate) fn refuse(&mut self, engine: &mut Engine, id: ConnId) {
        self.protocol = None;
        let refusal = self.refusal.take().unwrap_or(Refusal::Forbidden);
        self.end();
        engine.refuse(id, refusal);
    }

    /// Forgets what lives until the callback returns.
    fn end(&mut self) {
        self.refusal = None;
        self.strings.clear();
    }

    /// The sub-protocol of a connection: of the one whose callback is running, or of one that is open.
    pub(crate) fn protocol(&self, id: ConnId, is_asked: bool) -> Option<&CStr> {
        let found = match is_asked {
            true => self.protocol.as_ref(),
            false => self.protocols.as_ref()?.get(&id),
        };
        found.map(CString::as_c_str)
    }

    /// Forgets a connection that has ended, and whose close callback has returned.
    pub(crate) fn close(&mut self, id: ConnId) {
        if let Some(protocols) = &mut self.protocols {
            protocols.remove(&id);
        }
    }

    /// Keeps a string for the callback; NULL where a byte of it is zero.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> Result<*const c_char, TryReserveError> {
        self.strings.try_reserve(1)?;
        let Some(string) = string(bytes)? else { return Ok(ptr::null()) };
        let start = string.as_ptr();
        self.strings.push(string);
        Ok(start)
    }
}

/// Refuses a request of a page that may not connect, and says so in the log. Returns whether it was one.
pub(crate) fn refuse_foreign(engine: &mut Engine, origins: &Origins, id: ConnId) -> bool {
    let Some(request) = engine.request(id) else { return false };
    let Some(found) = origins.find_foreign(request) else { return false };
    let origin = found[..found.len().min(MAX_LOGGED)].to_owned();
    engine.refuse(id, Refusal::Origin);
    let (status, why) = (Refusal::Origin.status(), Refusal::Origin.reason());
    let origin = origin.escape_ascii();
    log::limited(Level::Info, format_args!("a client is answered {status}: {why}: {origin}"));
    true
}

/// These bytes as a string of C's; `None` where one of them is zero.
fn string(bytes: &[u8]) -> Result<Option<CString>, TryReserveError> {
    let mut string = Vec::new();
    string.try_reserve_exact(bytes.len() + 1)?;
    string.extend_from_slice(bytes);
    string.push(0);
    Ok(CString::from_vec_with_nul(string).ok())
}
