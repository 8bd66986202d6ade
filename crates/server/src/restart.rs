//! Starting anew on SIGSEGV and SIGBUS, in the same process (CONTRACT E6).
//!
//! The handler runs in a server whose memory cannot be trusted: all that it needs stands ready, and it
//! calls only what signal-safety(7) allows. What is to be said or decided is left to the new start, which
//! finds a [`Note`] in its environment. After one crash too many it ends by the same signal.

use std::cell::UnsafeCell;
use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_int};
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction, signal};
use nix::unistd::getpid;

use crate::files::{self, FileId, Files};
use crate::log::{self, Destination};
use crate::note::{CRASHES, Note, WINDOW};
use crate::signals;

/// The note's name in the environment.
const VARIABLE: &str = "DORRIT_RESTART";
/// What else stands there: see [`Place`].
const PLACE: [&str; 5] = [
    "DORRIT_RESTART_NAME",
    "DORRIT_RESTART_SOCKET",
    "DORRIT_RESTART_DIRECTORY",
    "DORRIT_RESTART_FOREGROUND",
    "DORRIT_RESTART_SYSLOG",
];
const SIGNALS: [Signal; 2] = [Signal::SIGSEGV, Signal::SIGBUS];

/// How the server was started: noted before it changes that.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The program's name and what follows it.
    arguments: Vec<OsString>,
    directory: Option<File>,
    /// The path of that directory.
    pub(crate) path: PathBuf,
    /// As it was before the program has run.
    environment: Vec<(OsString, OsString)>,
    /// The signals that were blocked.
    mask: SigSet,
    /// Of the crash after which this is the new start.
    note: Option<Note>,
}

/// What a new start has inherited.
#[derive(Debug)]
pub(crate) struct Legacy {
    pub(crate) listener: UnixListener,
    /// The socket's device and inode; nothing where it is not the server's own.
    pub(crate) file: FileId,
    /// The ends of the janitor's pipes: for orders, and for the word that they are done.
    pub(crate) janitor: Option<[OwnedFd; 2]>,
    /// The pidfile, which stays locked.
    pub(crate) pidfile: Option<OwnedFd>,
}

/// Where a server is, in words.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) name: &'a CStr,
    /// The socket, where it is the server's own.
    pub(crate) socket: Option<&'a Path>,
    pub(crate) is_foreground: bool,
    /// Where its log goes.
    pub(crate) log: Destination,
}

impl Origin {
    /// Notes it. A new start has a legacy; one that comes once too often does not return.
    pub(crate) fn find(arguments: Vec<OsString>) -> (Self, Option<Legacy>) {
        let note = take_variable(VARIABLE).and_then(|text| Note::parse(text.as_bytes()));
        let [name, socket, directory, is_foreground, is_syslog] = PLACE.map(take_variable);
        // A program may have handed its environment to another server.
        let note = note.filter(|note| note.pid() == u64::from(std::process::id()));
        let legacy = note.as_ref().and_then(Legacy::take_over);
        if let Some(note) = &note {
            let name = CString::new(name.unwrap_or_default().into_vec()).unwrap_or_default();
            let socket = socket.map(PathBuf::from);
            let place = Place {
                name: &name,
                socket: socket.as_deref(),
                is_foreground: is_foreground.is_some(),
                log: is_syslog.map_or(Destination::Stderr, |_| Destination::Syslog),
            };
            if is_told_to_stop() {
                remove_left(note, &place, legacy);
                // SAFETY: nothing of the program's has run.
                unsafe { libc::_exit(0) }
            }
            if note.is_enough() {
                give_up(note, &place, legacy);
            }
        }
        let inherited = directory.filter(|_| note.is_some()).map(PathBuf::from);
        let origin = Self {
            arguments,
            directory: File::open(".").ok(),
            path: inherited.or_else(|| std::env::current_dir().ok()).unwrap_or_default(),
            environment: std::env::vars_os().collect(),
            mask: SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty()),
            note,
        };
        (origin, legacy)
    }

    /// The signal after which this is the new start.
    pub(crate) fn signal(&self) -> Option<c_int> {
        self.note.as_ref().map(Note::signal)
    }

    /// The signals that were blocked at the start.
    pub(crate) fn mask(&self) -> &SigSet {
        &self.mask
    }

    /// What follows the program's name.
    pub(crate) fn options(&self) -> &[OsString] {
        self.arguments.get(1..).unwrap_or_default()
    }
}

impl Legacy {
    /// Whether the socket was passed to the server: its file is somebody else's.
    pub(crate) fn is_passed(&self) -> bool {
        self.file == FileId::default()
    }

    fn take_over(note: &Note) -> Option<Self> {
        let [listener, orders, done, pidfile] = note.descriptors();
        let own = |fd: Option<RawFd>| -> Option<OwnedFd> {
            // SAFETY: this sets a flag, and fails where nothing is open under the number.
            let is_open = unsafe { libc::fcntl(fd?, libc::F_SETFD, libc::FD_CLOEXEC) } == 0;
            // SAFETY: the handler left it open for us, and nobody else in this process knows of it.
            is_open.then(|| unsafe { OwnedFd::from_raw_fd(fd.unwrap_or(-1)) })
        };
        let listener = UnixListener::from(own(listener)?);
        let janitor = own(orders).zip(own(done)).map(|(orders, done)| [orders, done]);
        Some(Self { listener, file: note.file(), janitor, pidfile: own(pidfile) })
    }
}

/// Takes a variable out of the environment.
fn take_variable(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name)?;
    // SAFETY: the server has one thread.
    unsafe { std::env::remove_var(name) };
    Some(value)
}

/// Whether SIGTERM has come between the crash and the new start. From now on it does what it does.
fn is_told_to_stop() -> bool {
    let mut pending = *SigSet::empty().as_ref();
    // SAFETY: it fills what it is given.
    let found = unsafe { libc::sigpending(&mut pending) } == 0;
    // SAFETY: it looks at what it is given.
    let is_pending = found && unsafe { libc::sigismember(&pending, libc::SIGTERM) } == 1;
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTERM);
    is_pending || stop.thread_unblock().is_err()
}

/// Removes the files of a server that is not started anew. The janitor does so, where there is one, when
/// its pipe is closed.
fn remove_left(note: &Note, place: &Place<'_>, legacy: Option<Legacy>) {
    if legacy.is_some_and(|legacy| legacy.janitor.is_none()) {
        files::remove_left(place, note.file());
    }
}

/// Ends by the signal that has come too often, and leaves no file behind.
fn give_up(note: &Note, place: &Place<'_>, legacy: Option<Legacy>) -> ! {
    log::open(place.name);
    log::set_destination(place.log);
    let number = note.signal();
    log::error(&format!(
        "signal {number} came {CRASHES} times within {} seconds: not started again",
        WINDOW.as_secs()
    ));
    remove_left(note, place, legacy);
    if let Ok(number) = Signal::try_from(number) {
        // SAFETY: the default action is no handler.
        let _ = unsafe { signal(number, SigHandler::SigDfl) };
        let _ = raise(number);
    }
    // SAFETY: nothing of the program's has run.
    unsafe { libc::_exit(1) }
}

/// What the handler needs.
struct Plan {
    note: Note,
    /// The note's variable, as it stands in `environment`, with a zero byte at its end.
    variable: Vec<u8>,
    program: CString,
    /// What `arguments` and `environment` point to, besides `variable`.
    _strings: Vec<CString>,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    directory: RawFd,
    mask: SigSet,
    /// The handler's own: the program's may be what has overflown.
    stack: Vec<u8>,
}

/// The plan, once there is one. Nobody but the handler looks at it.
static PLAN: AtomicPtr<UnsafeCell<Plan>> = AtomicPtr::new(ptr::null_mut());

/// From now on a crash starts the server anew, unless the program has set a handler of its own.
pub(crate) fn arm(
    origin: Origin,
    place: &Place<'_>,
    listener: RawFd,
    files: &Files,
    pidfile: Option<RawFd>,
) -> io::Result<()> {
    let [orders, done] = files.janitor_descriptors();
    let descriptors = [Some(listener), orders, done, pidfile];
    let pid = std::process::id();
    let note =
        Note::new(pid, descriptors, files.socket_id().unwrap_or_default(), origin.note.as_ref());
    let mut plan = Plan::new(origin, note, place)?;
    give_stack(&mut plan.stack)?;
    PLAN.store(Box::into_raw(Box::new(UnsafeCell::new(plan))), Ordering::Release);
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

impl Plan {
    fn new(origin: Origin, note: Note, place: &Place<'_>) -> io::Result<Self> {
        let program = CString::new(std::env::current_exe()?.into_os_string().into_vec())?;
        let variable = [VARIABLE.as_bytes(), b"=", &[0; Note::LEN], b"\0"].concat();
        let texts = [
            Some(OsStr::from_bytes(place.name.to_bytes())),
            place.socket.map(Path::as_os_str),
            Some(origin.path.as_os_str()),
            place.is_foreground.then_some(OsStr::new("yes")),
            (place.log == Destination::Syslog).then_some(OsStr::new("yes")),
        ];
        let place = PLACE.into_iter().zip(texts).filter_map(|(name, text)| Some((name, text?)));
        let place: Vec<_> = place.map(|(name, text)| (name.into(), text.into())).collect();
        let entry = |(name, value): (OsString, OsString)| {
            [name.as_os_str(), &value].map(OsStr::as_bytes).join(&b'=')
        };
        let arguments = origin.arguments.into_iter().map(OsString::into_vec);
        let strings = |texts: &mut dyn Iterator<Item = Vec<u8>>| {
            texts.map(CString::new).collect::<Result<Vec<_>, _>>()
        };
        let arguments = strings(&mut arguments.into_iter())?;
        let environment = strings(&mut origin.environment.into_iter().chain(place).map(entry))?;
        let pointers = |strings: &[CString]| strings.iter().map(|s| s.as_ptr()).collect::<Vec<_>>();
        let end = [variable.as_ptr().cast(), ptr::null()];
        Ok(Self {
            note,
            program,
            arguments: [pointers(&arguments), vec![ptr::null()]].concat(),
            environment: [&pointers(&environment)[..], &end].concat(),
            variable,
            _strings: arguments.into_iter().chain(environment).collect(),
            directory: origin.directory.map_or(-1, File::into_raw_fd),
            mask: {
                // One that comes meanwhile waits for the new start, which catches it before it listens.
                let mut mask = origin.mask;
                mask.add(Signal::SIGTERM);
                signals::questions().for_each(|signal| mask.add(signal));
                mask
            },
            stack: Vec::new(),
        })
    }

    /// Becomes the new start; returns only where that fails. Safe in a signal handler.
    fn carry_out(&mut self, signal: c_int) {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: it fills what it is given.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
        self.note.add_crash(signal, Duration::new(now.tv_sec as u64, now.tv_nsec as u32));
        self.note.write(&mut self.variable[VARIABLE.len() + 1..]);
        for fd in self.note.descriptors().into_iter().flatten() {
            // SAFETY: it changes a flag.
            unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
        }
        // SAFETY: the arrays end with NULL, and all that they point to is in this plan. What fails on
        // the way is left as it is.
        unsafe {
            libc::fchdir(self.directory);
            libc::sigprocmask(libc::SIG_SETMASK, self.mask.as_ref(), ptr::null_mut());
            libc::execve(self.program.as_ptr(), self.arguments.as_ptr(), self.environment.as_ptr());
        }
    }
}

extern "C" fn crashed(number: c_int) {
    let plan = PLAN.load(Ordering::Acquire);
    // SAFETY: the plan is there before the handler is, for as long as the process runs; a crash within
    // the handler does not come here again, as the signal is blocked meanwhile.
    if let Some(plan) = unsafe { plan.as_ref() }.map(|plan| unsafe { &mut *plan.get() })
        && plan.note.pid() == getpid().as_raw() as u64
        // One that has been told to stop need not be there again.
        && !signals::is_stopping()
    {
        plan.carry_out(number);
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
