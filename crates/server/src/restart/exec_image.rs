//! All that it takes to execute the program anew, made ready while memory can be had: where it is
//! carried out only what signal-safety(7) lists may be called.

use std::ffi::{CString, OsStr, OsString, c_char};
use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::ptr;

use nix::sys::signal::{SigSet, Signal};

use super::crash_record::{CrashRecord, VARIABLE};
use super::inheritance::Handoff;
use super::invocation::Invocation;
use crate::process;

/// What is executed as a new start, and how.
pub(crate) struct ExecImage {
    pub(crate) record: CrashRecord,
    /// The record's variable, as it stands in `environment`, with a zero byte at its end.
    variable: Vec<u8>,
    program: CString,
    /// What `arguments` and `environment` point to, besides `variable`.
    _strings: Vec<CString>,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    directory: RawFd,
    /// The descriptors that stay open.
    descriptors: Vec<RawFd>,
    mask: SigSet,
}

impl ExecImage {
    /// An image for another start of the server. `earlier` is the record of the crash before.
    pub(crate) fn new(
        invocation: &Invocation,
        handoff: &Handoff<'_>,
        earlier: Option<&CrashRecord>,
    ) -> io::Result<Self> {
        let program = invocation.program.clone().ok_or(io::ErrorKind::NotFound)?;
        let variable = [VARIABLE.as_bytes(), b"=", &[0; CrashRecord::LEN], b"\0"].concat();
        let entry = |(name, value): &(OsString, OsString)| {
            [name.as_os_str(), value].map(OsStr::as_bytes).join(&b'=')
        };
        let strings = |texts: &mut dyn Iterator<Item = Vec<u8>>| {
            texts.map(CString::new).collect::<Result<Vec<_>, _>>()
        };
        let arguments = invocation.arguments.iter().cloned().map(OsString::into_vec);
        let arguments = strings(&mut { arguments })?;
        let variables = handoff.variables();
        let environment = invocation.environment.iter().chain(&variables).map(entry);
        let environment = strings(&mut environment.collect::<Vec<_>>().into_iter())?;
        let pointers = |strings: &[CString]| strings.iter().map(|s| s.as_ptr()).collect::<Vec<_>>();
        let end = [variable.as_ptr().cast(), ptr::null()];
        // Those that come meanwhile wait for the new start, which catches them before it listens.
        let mut mask = invocation.mask;
        let mut blocked = 0;
        for signal in process::caught_signals().chain([Signal::SIGTERM]) {
            if !mask.contains(signal) {
                mask.add(signal);
                blocked |= process::signal_bit(signal);
            }
        }
        Ok(Self {
            record: CrashRecord::new(blocked, earlier),
            program: CString::new(program.into_os_string().into_vec())?,
            arguments: [pointers(&arguments), vec![ptr::null()]].concat(),
            environment: [&pointers(&environment)[..], &end].concat(),
            variable,
            _strings: arguments.into_iter().chain(environment).collect(),
            directory: invocation.directory.as_ref().map_or(-1, |directory| directory.as_raw_fd()),
            descriptors: handoff.descriptors(),
            mask,
        })
    }

    /// Becomes the new start; returns only where that fails, with errno set. Safe in a signal handler.
    pub(crate) fn carry_out(&mut self) {
        self.record.write(&mut self.variable[VARIABLE.len() + 1..]);
        for &fd in &self.descriptors {
            // SAFETY: it changes a flag.
            unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
        }
        // SAFETY: the arrays end with NULL, and all that they point to is in this image. What fails on
        // the way is left as it is.
        unsafe {
            libc::fchdir(self.directory);
            libc::sigprocmask(libc::SIG_SETMASK, self.mask.as_ref(), ptr::null_mut());
            libc::execve(self.program.as_ptr(), self.arguments.as_ptr(), self.environment.as_ptr());
        }
    }
}
