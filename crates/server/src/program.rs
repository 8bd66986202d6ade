//! The C program behind a library.

use std::ffi::{c_char, c_int, c_void};

use dorrit_engine::Buffers;
use dorrit_proto::{Binary, Fragments, MessageKind};

/// The functions that a program defines, as one of the libraries knows them. None of them is called
/// while the server is borrowed: they may call any `ws_*` function.
pub trait Program {
    /// The names of the functions that must be there and are not (CONTRACT S15).
    fn missing(&self) -> Vec<&'static str>;

    /// Where the variable `ws_config_file` is.
    fn config_file(&self) -> *mut *mut c_char;

    /// `ws_init_func`.
    fn init(&self);

    /// `ws_exit_func`.
    fn exit(&self);

    /// `ws_open_callback`, with the cookie's bytes and a zero byte behind them. 0 accepts.
    fn open(&self, conn: *mut c_void, cookie: &mut [u8]) -> c_int;

    /// `ws_read_callback`, with the payload and a zero byte behind it.
    fn read(&self, conn: *mut c_void, kind: MessageKind, payload: &mut [u8]);

    /// `ws_close_callback`.
    fn close(&self, conn: *mut c_void);
}

/// In what the libraries differ besides their functions' signatures.
#[derive(Clone, Copy, Debug)]
pub struct Flavor {
    /// How many connections there may be where `-m` does not say so.
    pub max_connections: usize,
    /// Whether clients may send binary messages.
    pub binary: Binary,
    /// Whether clients may send messages in fragments.
    pub fragments: Fragments,
    /// How long `ws_read_callback`'s buffer is good.
    pub buffers: Buffers,
}
