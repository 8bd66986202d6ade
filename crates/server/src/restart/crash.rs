//! Starting anew on SIGSEGV and SIGBUS, in the same process (CONTRACT E6).
//!
//! The handler runs in a server whose memory cannot be trusted: all that it needs stands ready, and it
//! calls only what signal-safety(7) allows. What is to be said or decided is left to the new start, which
//! finds a [`CrashRecord`] in its environment. After one crash too many it ends by the same signal.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::crash_record::{CRASHES, CrashRecord, WINDOW};
use super::exec_image::ExecImage;
use super::inheritance::{Handoff, Inheritance};
use super::invocation::Invocation;
use crate::error::{Ending, StartError};
use crate::{log, process};

/// The signals of a crash.
const SIGNALS: [Signal; 2] = [Signal::SIGSEGV, Signal::SIGBUS];

/// Begins a new start, whose lines have a place from now on. Fails with how the process ends, where the
/// start may not be.
pub(crate) fn begin(
    record: &CrashRecord,
    inheritance: Inheritance,
) -> Result<Inheritance, StartError> {
    log::set_name(&inheritance.name);
    log::set_destination(inheritance.log);
    let is_crash = record.signal().is_some();
    if is_crash && process::is_sigterm_pending() {
        inheritance.files.remove_all();
        return Err(StartError::silent(Ending::Exit(0)));
    }
    process::resume_signals(record.blocked());
    match record.signal() {
        Some(signal) if record.is_enough() => Err(give_up(signal, inheritance)),
        _ => Ok(inheritance),
    }
}

/// Removes all files, as the signal has come too often. The process ends by it.
fn give_up(number: c_int, inheritance: Inheritance) -> StartError {
    log::error(&format!(
        "signal {number} came {CRASHES} times within {} seconds: not started again",
        WINDOW.as_secs()
    ));
    inheritance.files.remove_all();
    StartError::silent(Ending::Signal(number))
}

/// What the handler needs.
struct Ready {
    image: ExecImage,
    /// The handler's own stack: the program's may be what has overflown.
    stack: Vec<u8>,
}

/// What the handler needs, once it is there. Nobody but the handler looks at it.
static READY: AtomicPtr<UnsafeCell<Ready>> = AtomicPtr::new(ptr::null_mut());

/// Has a crash start the server anew from now on, unless the program has set a handler of its own.
pub(crate) fn arm(invocation: &Invocation, handoff: &Handoff<'_>) -> io::Result<()> {
    let image = ExecImage::new(invocation, handoff, invocation.record.as_ref())?;
    let mut ready = Ready { image, stack: Vec::new() };
    give_stack(&mut ready.stack)?;
    READY.store(Box::into_raw(Box::new(UnsafeCell::new(ready))), Ordering::Release);
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGTERM);
    let action = SigAction::new(SigHandler::Handler(crashed), SaFlags::SA_ONSTACK, blocked);
    for signal in SIGNALS {
        // SAFETY: the handler calls only what signal-safety(7) allows; the program's is put back.
        unsafe {
            let before = sigaction(signal, &action)?;
            if !matches!(before.handler(), SigHandler::SigDfl) {
                sigaction(signal, &before)?;
            }
        }
    }
    Ok(())
}

/// Has a crash end the process from now on: another server has taken this one's place.
pub(crate) fn disarm() {
    // It is left where it is: its stack is the handler's.
    READY.store(ptr::null_mut(), Ordering::Release);
}

/// The handler: starts the server anew, or lets the signal do what it does.
extern "C" fn crashed(number: c_int) {
    let ready = READY.load(Ordering::Acquire);
    // SAFETY: it is there before the handler is, for as long as the process runs; a crash within
    // the handler does not come here again, as the signal is blocked meanwhile.
    if let Some(ready) = unsafe { ready.as_ref() }.map(|ready| unsafe { &mut *ready.get() })
        && ready.image.record.pid() == u64::from(std::process::id())
        // A server that is to stop need not be there again.
        && !process::is_stopping()
    {
        ready.image.record.add_crash(number, process::monotonic_time());
        ready.image.carry_out();
    }
    // SAFETY: without a new start, or in a child of the program's, the signal does what it does.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        libc::raise(number);
    }
}

/// Gives the handler a stack of its own.
fn give_stack(stack: &mut Vec<u8>) -> io::Result<()> {
    const SIZE: usize = 64 * 1024;
    let mut present = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: 0, ss_size: 0 };
    // SAFETY: it fills what it is given.
    unsafe { libc::sigaltstack(ptr::null(), &mut present) };
    if present.ss_flags & libc::SS_DISABLE == 0 {
        // The program has seen to that.
        return Ok(());
    }
    stack.resize(SIZE.max(libc::SIGSTKSZ), 0);
    let stack =
        libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
    // SAFETY: the stack is the handler's for as long as the process runs.
    match unsafe { libc::sigaltstack(&stack, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
