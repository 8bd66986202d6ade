//! The functions for a program that has a `main`, a loop, or callbacks of its own.

use std::ffi::{c_char, c_int};
use std::ptr;

use dorrit_server::abi::own_main::{self, Stepped};
use dorrit_server::abi::setup;

use crate::callbacks::{self, Callbacks, ws_callbacks};
use crate::exports::FLAVOR;

static SERVER: Stepped<Callbacks> = Stepped::new(Callbacks);

/// An array of no strings.
static mut NO_ARGUMENTS: [*mut c_char; 1] = [ptr::null_mut()];

/// What follows `--` on the command line, for the program: strings that end with a zero byte, and NULL
/// behind the last one. It is never NULL, belongs to the library, and lives as long as the server.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name is the manual's")]
pub static mut ws_arguments: *mut *mut c_char = (&raw mut NO_ARGUMENTS).cast();

/// Does what the library's own `main` does, which a program that defines one leaves out: the whole life of a
/// server. The calling thread becomes the server's. `argc` and `argv` are those of `main`.
///
/// User, group and limits stay as the server has made them; signals are as before. The parent of a
/// daemon does not return from it. It may be called again.
///
/// Returns the exit status for `main`: 0 where the server was told to stop, 1 where it could not start or a
/// server runs in this process already, 2 where the command line is not understood.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn ws_main(argc: c_int, argv: *mut *mut c_char) -> c_int {
    // SAFETY: the header's promise.
    unsafe { SERVER.main(argc, argv.cast(), &FLAVOR) }
}

/// Has the server stop as SIGTERM does; see `ws_exit_func()`. Where none runs it does nothing, and in a child
/// process of the server's neither. It may be called on any thread, and in a signal handler.
#[unsafe(no_mangle)]
pub extern "C" fn ws_stop() {
    own_main::stop()
}

/// Begins a server in a process that is the program's own: it listens, and `ws_step()` serves. The
/// calling thread becomes the server's. `argc` and `argv` are as those of `main`: options behind a name.
///
/// The server is none that becomes a daemon, and touches neither signals, standard streams, the working
/// directory nor LISTEN_FDS; it has no pidfile, is not handed over, and tells no service manager that it is
/// ready. Started by root it stays root, unless -u or -g is among the options. Its log goes to standard error.
///
/// Returns 0 where the server listens, or where --help or --version was all that was asked for: then the
/// first `ws_step()` returns 0. Otherwise the exit status: 1 where it could not start, 2 where the options
/// are not understood, after a line in the log; -1 where a server runs in this process already.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn ws_begin(argc: c_int, argv: *mut *mut c_char) -> c_int {
    // SAFETY: the header's promise.
    unsafe { SERVER.begin(argc, argv.cast(), &FLAVOR) }
}

/// Returns a descriptor that is readable when `ws_step()` has work, for a loop of the program's own:
/// poll(2), epoll(7), kqueue(2), GLib's, libuv's, libev's. It is the library's, there in `ws_start_callback()` first, and
/// the same until `ws_exit_func()` has returned, which still finds it. Whoever waits for it waits no longer than
/// `ws_get_timeout()` says. -1 before that and after it, so in `ws_init_func()` too, on another thread than the
/// server's, or in a child process.
#[unsafe(no_mangle)]
pub extern "C" fn ws_get_fd() -> c_int {
    own_main::get_fd()
}

/// Returns after how many milliseconds `ws_step()` has work though the descriptor of `ws_get_fd()`
/// is not readable: 0 while work is left, and within each of the program's functions that the library calls, from
/// `ws_init_func()` to `ws_exit_func()`; -1 where that is never. To be asked for anew each time before the
/// program waits, as each call of the library's can change it. On the server's thread; -1 elsewhere, and where there
/// is no server.
#[unsafe(no_mangle)]
pub extern "C" fn ws_get_timeout() -> c_int {
    SERVER.timeout()
}

/// Waits for work for so many milliseconds at most, for ever where that is negative, and does one
/// round of it: each connection that is ready has its turn, and so have posts, timers and watched
/// descriptors. After 10 milliseconds it returns, beside the callback that is running; what is left is for
/// the next call.
///
/// An exception of C++ that leaves a callback passes through it, and the server is whole afterwards.
///
/// To be called on the server's thread. Returns 1; 0 where the server has stopped, or none was begun: all that
/// it had is given back, and another one may begin; -1 from within a callback; -3 on another thread, or in
/// a child process.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn ws_step(millis: c_int) -> c_int {
    SERVER.step(millis)
}

/// Has these functions be the program's callbacks, in the place of all those that were linked: for a
/// plugin, another language, a class. `callbacks` is copied, and `size` is `sizeof *callbacks`; what is not within it
/// is left out. NULL, with `size` 0, gives the place back to those that were linked.
///
/// To be called while no server is there or about to be, before `ws_begin()` or `ws_main()`. Returns 0, or -1 elsewhere, and
/// where `size` is that of no struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_set_callbacks(callbacks: *const ws_callbacks, size: usize) -> c_int {
    let size = if callbacks.is_null() { 0 } else { size };
    own_main::set_callbacks(size, || {
        // SAFETY: the header's promise.
        unsafe { callbacks::set(ws_callbacks::copy(callbacks, size)) }
    })
}

/// Sets an option as the command line does: "max-message", "65536", or "p", "8080". `value` is NULL
/// for an option that has no argument. Where the command line gives an option itself, what is set here does not
/// count, also where the option may be repeated.
///
/// Both strings are copied. To be called in `ws_init_func()`, or before `ws_begin()` or `ws_main()`, for the
/// server that begins then. Returns 0; -1 for an option or a value that cannot be, for help, version and
/// check, later, and where there is no memory; -3 on another thread than the server's, or in a child process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_set_option(name: *const c_char, value: *const c_char) -> c_int {
    // SAFETY: the header's promise.
    unsafe { setup::set_option(&FLAVOR, name, value) }
}
