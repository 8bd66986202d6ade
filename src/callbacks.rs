//! The functions that the program defines.

use std::ffi::{c_char, c_int, c_uchar, c_void};

use dorrit_server::{MessageKind, OpenArguments, Program};

/// What messages are made of. The header has its own definition, by which it can be `char`.
#[allow(non_camel_case_types, reason = "the name is C's")]
pub(crate) type ws_byte = c_uchar;

// Declared for the header. The library calls them by way of the table below, through which one that the
// program leaves out is NULL instead of an error of the linker's.
#[allow(dead_code, reason = "cbindgen reads them")]
unsafe extern "C" {
    /// Called once, after the command line was read: `ws_config_file` is set. The standard streams
    /// are still the terminal's, and where the server was started as root it is still root. Nothing
    /// listens yet. Do not register atexit(3) handlers here: see `ws_exit_func()`. Threads that are
    /// started here do not exist in a daemon, and locks of files are lost: it is a child of this one.
    fn ws_init_func();

    /// Called once, when the server stops on SIGTERM (or, in the foreground, on SIGINT), after the
    /// last `ws_close_callback()`. Free here what the program has made.
    fn ws_exit_func();

    /// Called when a client asks for a connection.
    ///
    /// `conn` names the connection in all other calls. It is a value, not an address, and good until
    /// `ws_close_callback()` has returned for it; afterwards it is recognised and does nothing.
    ///
    /// `cookie` is the value of the request's Cookie header, ended by a zero byte: "" where there is
    /// none, several joined by "; ". It is never NULL. It belongs to the library and lives until this
    /// function returns.
    ///
    /// Return 0 to accept the connection. Any other value refuses it: the client is answered 403,
    /// what was queued for it is thrown away, and `ws_close_callback()` does not follow. What is
    /// queued here with `ws_write_conn()` is sent first, behind the answer to the request (RFC 6455
    /// 4.2.2).
    fn ws_open_callback(conn: *mut c_void, cookie: *mut c_char) -> c_int;

    /// Called once for each complete message from a client, unframed and unmasked.
    ///
    /// `binary` is nonzero for a binary message and 0 for text, which is valid UTF-8 (RFC 6455 5.6).
    /// `len` is the payload's length in bytes, from 0 to the buffer size less 5 (option `-b`), or to
    /// what `ws_set_max_message()` or the option `--max-message` allows.
    /// `buffer` holds the payload, and a zero byte at `buffer[len]`. It belongs to the library and is
    /// used again when this function has returned: copy what is to be kept. The program may write
    /// into `buffer[0]` to `buffer[len - 1]`.
    fn ws_read_callback(conn: *mut c_void, binary: c_int, len: c_int, buffer: *mut ws_byte);

    /// Called once for each connection that was accepted, when it has ended, whoever ended it; also
    /// for those that are open when the server stops. It is never called from within another callback
    /// or from within a function of the library.
    ///
    /// `conn` is good until this function returns; nothing can be sent on it any more. Free here what
    /// `ws_set_data()` has put with it.
    fn ws_close_callback(conn: *mut c_void);

    /// Optional: a program may leave it out. Called when a connection's queue is empty, where since the
    /// last such call `ws_get_qlen()` or `ws_get_qbytes()` has returned a number other than 0, a message
    /// was left out (`WS_QUEUE_SKIP`), or some of the queue had to wait for the client to read. It is the
    /// moment to queue more. It does not follow where the connection is being closed.
    fn ws_drain_callback(conn: *mut c_void);
}

/// The addresses of what the program defines, as the linker finds them. An exception that leaves one of
/// these functions passes through the library (CONTRACT S26).
#[repr(C)]
struct Table {
    init: Option<unsafe extern "C-unwind" fn()>,
    exit: Option<unsafe extern "C-unwind" fn()>,
    open: Option<unsafe extern "C-unwind" fn(*mut c_void, *mut c_char) -> c_int>,
    read: Option<unsafe extern "C-unwind" fn(*mut c_void, c_int, c_int, *mut ws_byte)>,
    close: Option<unsafe extern "C-unwind" fn(*mut c_void)>,
    drain: Option<unsafe extern "C-unwind" fn(*mut c_void)>,
    /// A variable that the header of libdorrit(8) plants.
    header_classic: *const c_char,
    /// `ws_config_file`: ours, but a program that is not position-independent has a copy of it, which is
    /// the one.
    config_file: *mut *mut c_char,
}

dorrit_server::table! {
    "dorrit_table": "ws_init_func", "ws_exit_func", "ws_open_callback", "ws_read_callback",
    "ws_close_callback", "ws_drain_callback", "ws_header_classic"; "ws_config_file"
}

unsafe extern "C" {
    #[link_name = "dorrit_table"]
    static TABLE: Table;
}

/// The program that this library is linked into.
pub(crate) struct Callbacks;

fn table() -> &'static Table {
    // SAFETY: the linker and the loader have filled it before `main`, and nobody writes to it.
    unsafe { &TABLE }
}

impl Program for Callbacks {
    fn missing(&self) -> Vec<&'static str> {
        let Table { init, exit, open, read, close, .. } = table();
        let names = [
            ("ws_init_func", init.is_none()),
            ("ws_exit_func", exit.is_none()),
            ("ws_open_callback", open.is_none()),
            ("ws_read_callback", read.is_none()),
            ("ws_close_callback", close.is_none()),
        ];
        names.into_iter().filter_map(|(name, is_missing)| is_missing.then_some(name)).collect()
    }

    fn other_library(&self) -> Option<&'static str> {
        (!table().header_classic.is_null()).then_some("-ldorrit-classic")
    }

    fn config_file(&self) -> *mut *mut c_char {
        table().config_file
    }

    fn init(&self) {
        // SAFETY: the program's function, of the header's type.
        let _ = table().init.map(|init| unsafe { init() });
    }

    fn exit(&self) {
        // SAFETY: as in `init`.
        let _ = table().exit.map(|exit| unsafe { exit() });
    }

    fn open(&self, conn: *mut c_void, arguments: &mut OpenArguments) -> c_int {
        let cookie = arguments.cookie.as_mut_ptr().cast();
        // SAFETY: as in `init`; the cookie ends with a zero byte.
        table().open.map_or(-1, |open| unsafe { open(conn, cookie) })
    }

    fn read(&self, conn: *mut c_void, kind: MessageKind, payload: &mut [u8]) {
        let binary = c_int::from(kind == MessageKind::Binary);
        let len = payload.len().saturating_sub(1) as c_int;
        // SAFETY: as in `init`; there is a zero byte behind the payload, at the slice's end.
        let _ = table().read.map(|read| unsafe { read(conn, binary, len, payload.as_mut_ptr()) });
    }

    fn close(&self, conn: *mut c_void) {
        // SAFETY: as in `init`.
        let _ = table().close.map(|close| unsafe { close(conn) });
    }

    fn drain(&self, conn: *mut c_void) {
        // SAFETY: as in `init`.
        let _ = table().drain.map(|drain| unsafe { drain(conn) });
    }
}
