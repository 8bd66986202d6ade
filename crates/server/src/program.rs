//! The C program behind a library.

use std::collections::TryReserveError;
use std::ffi::{c_char, c_int, c_void};

use crate::log::LineTaker;
use dorrit_engine::Buffers;
use dorrit_proto::{Binary, Fragments, MessageKind, Request};

/// The functions that a program defines, as one of the libraries knows them. None of them is called
/// while a loop is borrowed: they may call any `ws_*` function. Nor is one called within a guard: an
/// exception finds nobody who catches it (CONTRACT S26).
pub trait Program {
    /// The names of the functions that must be there and are not (CONTRACT S15).
    fn missing(&self) -> Vec<&'static str>;

    /// How to link a program that was compiled with the header of another library, where it was.
    fn other_library(&self) -> Option<&'static str>;

    /// Where the variable `ws_config_file` is.
    fn config_file(&self) -> *mut *mut c_char;

    /// Where the variable `ws_arguments` is, in a library that has it.
    fn arguments(&self) -> Option<*mut *mut *mut c_char> {
        None
    }

    /// The function `ws_log_callback`, where the program has it.
    fn log(&self) -> Option<LineTaker> {
        None
    }

    /// Calls `ws_init_func`.
    fn init(&self);

    /// Calls `ws_start_callback`, where the program has it. 0 goes on.
    fn start(&self) -> c_int {
        0
    }

    /// Calls `ws_exit_func`.
    fn exit(&self);

    /// Calls `ws_open_callback`. 0 accepts.
    fn open(&self, conn: *mut c_void, arguments: &mut OpenArguments) -> c_int;

    /// Whether the program has `ws_request_callback`.
    fn has_request(&self) -> bool {
        false
    }

    /// Whether the program answers plain requests alone: it has none of the functions of connections.
    fn has_no_connections(&self) -> bool {
        false
    }

    /// Calls `ws_request_callback`, with the body and a zero byte behind it. 0 is none of its affair.
    fn request(&self, _conn: *mut c_void, _arguments: &RequestArguments, _body: &[u8]) -> c_int {
        0
    }

    /// Calls `ws_read_callback`, with the payload and a zero byte behind it.
    fn read(&self, conn: *mut c_void, kind: MessageKind, payload: &mut [u8]);

    /// Calls `ws_close_callback`.
    fn close(&self, conn: *mut c_void);

    /// Calls `ws_drain_callback`, where the library has it.
    fn drain(&self, _conn: *mut c_void) {}

    /// Whether the program has `ws_shutdown_callback`.
    fn has_shutdown(&self) -> bool {
        false
    }

    /// Calls `ws_shutdown_callback`.
    fn shutdown(&self, _conn: *mut c_void) {}
}

/// What `ws_open_callback` is given about a client: strings that end with a zero byte and live until it
/// returns. Those that it is not given are empty.
#[derive(Debug, Default)]
pub struct OpenArguments {
    /// The cookie (CONTRACT S3).
    pub cookie: Vec<u8>,
    /// The host that the client asked for.
    pub hostname: Vec<u8>,
    /// The sub-protocol that was chosen.
    pub protocol: Vec<u8>,
}

/// What `ws_request_callback` is given of a request: strings that end with a zero byte and live until it returns.
#[derive(Debug, Default)]
pub struct RequestArguments {
    /// The method.
    pub method: Vec<u8>,
    /// The target, as the request has it.
    pub target: Vec<u8>,
}

impl RequestArguments {
    /// Takes these of a request, in the place of another request's.
    pub(crate) fn fill(&mut self, request: &Request) -> Result<(), TryReserveError> {
        let Self { method, target } = self;
        for (text, found) in [(method, request.method()), (target, request.target())] {
            text.clear();
            text.try_reserve(found.len() + 1)?;
            text.extend_from_slice(found);
            text.push(0);
        }
        Ok(())
    }
}

/// Which fields of a request are among the [`OpenArguments`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFields {
    /// The cookie. No sub-protocol is chosen.
    Cookie,
    /// The host and the sub-protocol: the first that the client offers.
    HostAndProtocol,
}

impl OpenArguments {
    /// Takes these fields of a request, in the place of another request's. `protocol` is what was chosen.
    pub(crate) fn fill(
        &mut self,
        fields: RequestFields,
        request: &Request,
        protocol: Option<&[u8]>,
    ) -> Result<(), TryReserveError> {
        let Self { cookie, hostname, protocol: chosen } = self;
        [cookie, hostname, chosen].into_iter().for_each(Vec::clear);
        match fields {
            RequestFields::Cookie => self.fill_cookie(request),
            RequestFields::HostAndProtocol => self.fill_host(request.host(), protocol),
        }
    }

    /// Takes the cookie (CONTRACT S3).
    fn fill_cookie(&mut self, request: &Request) -> Result<(), TryReserveError> {
        request.join_header("cookie", b"; ", &mut self.cookie)?;
        self.end()
    }

    /// Takes the host, and the sub-protocol.
    fn fill_host(&mut self, host: &[u8], protocol: Option<&[u8]>) -> Result<(), TryReserveError> {
        let protocol = protocol.unwrap_or_default();
        for (text, found) in [(&mut self.hostname, host), (&mut self.protocol, protocol)] {
            text.try_reserve(found.len())?;
            text.extend_from_slice(found);
        }
        self.end()
    }

    /// Puts the zero bytes behind the arguments.
    fn end(&mut self) -> Result<(), TryReserveError> {
        for text in [&mut self.cookie, &mut self.hostname, &mut self.protocol] {
            text.try_reserve(1)?;
            text.push(0);
        }
        Ok(())
    }
}

/// A library: in what the libraries differ besides their functions' signatures.
#[derive(Clone, Copy, Debug)]
pub struct Flavor {
    /// The manual page that says all about the library.
    pub manual: &'static str,
    /// How many connections there may be where `-m` does not say so.
    pub max_connections: usize,
    /// Whether clients may send binary messages.
    pub binary: Binary,
    /// Whether clients may send messages in fragments.
    pub fragments: Fragments,
    /// How long `ws_read_callback`'s buffer is good.
    pub buffers: Buffers,
    /// How many frames may be queued for a connection.
    pub max_queued_frames: Option<u32>,
    /// What `ws_open_callback` is given without the option `-h`, where there is that option.
    pub without_h: Option<RequestFields>,
    /// Whether the library has the options that go beyond the manuals.
    pub has_extensions: bool,
    /// Whether the server starts itself anew on SIGSEGV and SIGBUS.
    pub restarts: bool,
}
