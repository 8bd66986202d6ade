//! The hand-over on SIGHUP: the server starts its program anew, which may be another version of it, and
//! leaves it the sockets. It serves the clients that it has until they leave.
//!
//! The two speak through three pipes. The new server says on one that it could begin, and waits on another
//! until it may; it takes the pidfile, says that it has, and waits once more. A supervisor reads what it
//! says, tells it to the old one on the third, and tells also that it has ended. Up to its last permission, by which
//! the new one begins, the old server can go on as if nothing had been.

use std::ffi::CString;
use std::fmt;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::Arc;
use std::time::Duration;

use dorrit_engine::Listener;
use rustix::process::getpid;

use super::crash;
use super::exec_image::ExecImage;
use super::inheritance::Handoff;
use super::invocation::Invocation;
use super::status::{GO, NO, Status};
use super::supervisor::Supervisor;
use crate::error::errno_text;
use crate::event_loop::{with_engine, with_loop};
use crate::files::{Files, Pidfile};
use crate::log::Destination;
use crate::process::{self, Notifier};
use crate::{log, sigpipe};

/// How long the new server may take to begin.
const PATIENCE: Duration = Duration::from_secs(90);

/// The old server's side of a hand-over.
#[derive(Debug)]
pub(crate) struct HandOver {
    pub(crate) invocation: Invocation,
    pub(crate) name: CString,
    /// Where the server's log goes.
    pub(crate) log: Destination,
    pub(crate) is_foreground: bool,
    /// How long clients are served after the hand-over.
    pub(crate) drain: Duration,
    pub(crate) progress: Progress,
}

/// How far a hand-over has come.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Nothing is handed over.
    None,
    /// The new server starts.
    Starting(Attempt),
    /// The new server may take over.
    Offered(Attempt, i32),
    /// The new server has taken over.
    Done,
}

/// The pipes of a hand-over that is under way. Where they are closed it is called off.
#[derive(Debug)]
pub(crate) struct Attempt {
    news: PipeReader,
    go: PipeWriter,
}

impl HandOver {
    /// Begins a hand-over, as SIGHUP has come. In the foreground it may be the terminal that has hung up,
    /// which is no wish for another server.
    pub(crate) fn hang_up(&mut self, files: &Files, listeners: &[Arc<Listener>]) {
        if self.is_foreground && self.invocation.has_lost_terminal() {
            process::request_stop();
        } else if !process::is_stopping() {
            // Who is to stop, as from a service manager that sends both signals, starts nobody.
            self.begin(files, listeners);
        }
    }

    fn begin(&mut self, files: &Files, listeners: &[Arc<Listener>]) {
        match self.progress {
            Progress::None => {}
            Progress::Starting(_) | Progress::Offered(..) => {
                return log::warning("SIGHUP: a hand-over is under way already");
            }
            Progress::Done => {
                return log::warning("SIGHUP: this server has handed over already");
            }
        }
        if getpid().is_init() {
            // Its end is the end of every process in its namespace.
            return log::warning("hand-over: process 1 cannot be replaced; this server goes on");
        }
        if process::is_reaper() {
            // The supervisor and the new server would become its children (CONTRACT S28).
            let why = "a process that adopts others cannot be replaced";
            return log::warning(&format!("hand-over: {why}; this server goes on"));
        }
        let program = self.invocation.program.clone().unwrap_or_default();
        match self.attempt(files, listeners) {
            Ok(attempt) => {
                log::notice(&format!("hand-over: starts {}", program.display()));
                self.progress = Progress::Starting(attempt);
            }
            Err(error) => self.fail(errno_text(&error)),
        }
    }

    fn attempt(&self, files: &Files, listeners: &[Arc<Listener>]) -> io::Result<Attempt> {
        let (news, news_end) = io::pipe()?;
        let (status, status_end) = io::pipe()?;
        let (go_end, go) = io::pipe()?;
        rustix::io::ioctl_fionbio(&news, true)?;
        rustix::io::ioctl_fionbio(&go, true)?;
        let listeners: Vec<_> = listeners.iter().map(|it| it.as_fd().as_raw_fd()).collect();
        let handoff = Handoff {
            name: &self.name,
            directory: &self.invocation.path,
            log: self.log,
            listeners: &listeners,
            is_shared: true,
            files,
            predecessor: Some([status_end.as_raw_fd(), go_end.as_raw_fd()]),
        };
        let mut kept = handoff.descriptors();
        kept.extend([status.as_raw_fd(), news_end.as_raw_fd()]);
        kept.extend(self.invocation.descriptors());
        kept.extend(self.invocation.directory.as_ref().map(|directory| directory.as_raw_fd()));
        let mut image = ExecImage::new(&self.invocation, &handoff, None)?;
        let mut supervisor = Supervisor {
            image: &mut image,
            kept: &kept,
            status: [status.as_raw_fd(), status_end.as_raw_fd()],
            news: news_end.as_raw_fd(),
            patience: PATIENCE,
            is_daemon: !self.is_foreground,
            ignored: &self.invocation.ignored,
        };
        supervisor.send()?;
        let attempt = Attempt { news, go };
        with_loop(|it| {
            it.own([attempt.go.as_raw_fd()]);
            it.engine.watch_control(&attempt.news)
        })
        .map_err(|_| io::Error::from(ErrorKind::NotFound))??;
        Ok(attempt)
    }

    /// Goes on with what the supervisor has told.
    pub(crate) fn proceed(
        &mut self,
        files: &mut Files,
        listeners: &mut Vec<Arc<Listener>>,
        notifier: &mut Notifier,
    ) {
        loop {
            let (Progress::Starting(attempt) | Progress::Offered(attempt, _)) = &self.progress
            else {
                return;
            };
            match attempt.receive() {
                Ok(None) => return,
                Ok(Some(Status::Ready(pid))) => self.offer(pid, files),
                Ok(Some(Status::Taken)) if self.let_begin(notifier) => {
                    self.complete(files, listeners, notifier)
                }
                Ok(Some(Status::Taken)) => self.fall_back("the new server has ended", files),
                Ok(Some(status)) => self.fall_back(format_args!("the new server {status}"), files),
                Err(_) => self.fall_back("nobody tells what becomes of the new server", files),
            }
        }
    }

    /// Lets the new server, which could begin, take what it needs.
    fn offer(&mut self, pid: i32, files: &Files) {
        let Progress::Starting(attempt) = std::mem::replace(&mut self.progress, Progress::None)
        else {
            return;
        };
        let offered = files.pidfile.as_ref().map_or(Ok(()), Pidfile::offer);
        match offered {
            Ok(()) => {
                // Where it has ended meanwhile, that is what the supervisor tells next.
                attempt.go();
                self.progress = Progress::Offered(attempt, pid);
            }
            Err(error) => {
                attempt.call_off();
                self.fail(format_args!("pidfile: {}", errno_text(&error)));
            }
        }
    }

    /// Lets the new server begin, which has all that it needs. False where it has ended.
    fn let_begin(&self, notifier: &mut Notifier) -> bool {
        let Progress::Offered(attempt, pid) = &self.progress else { return false };
        // A service manager believes nobody but whom it takes for the server: it is told first who that is.
        notifier.notify_main_pid(pid.unsigned_abs());
        attempt.go()
    }

    /// Leaves files and sockets to the new server, which has taken over.
    fn complete(
        &mut self,
        files: &mut Files,
        listeners: &mut Vec<Arc<Listener>>,
        notifier: &mut Notifier,
    ) {
        let Progress::Offered(attempt, pid) = std::mem::replace(&mut self.progress, Progress::Done)
        else {
            return;
        };
        attempt.leave();
        notifier.give_way();
        crash::disarm();
        files.disown();
        let drain = self.drain;
        listeners.iter().for_each(|listener| listener.share());
        let _ = with_engine(|engine| engine.drain(drain));
        listeners.clear();
        log::notice(&format!(
            "hand-over: process {pid} has taken over; those who are here are served for {} s at most",
            drain.as_secs()
        ));
    }

    /// Ends a hand-over that came to nothing: this server has all as before.
    fn fall_back(&mut self, why: impl fmt::Display, files: &Files) {
        let progress = std::mem::replace(&mut self.progress, Progress::None);
        let (Progress::Starting(attempt) | Progress::Offered(attempt, _)) = progress else {
            return;
        };
        attempt.call_off();
        let kept = files.pidfile.as_ref().map_or(Ok(()), Pidfile::keep);
        self.fail(why);
        if let Err(error) = kept {
            log::error(&format!("hand-over: pidfile: {}", errno_text(&error)));
        }
    }

    fn fail(&self, why: impl fmt::Display) {
        log::warning(&format!("hand-over: {why}; this server goes on"));
    }

    /// Calls off a hand-over that is under way, as the server is to stop.
    pub(crate) fn call_off(&mut self) {
        match std::mem::replace(&mut self.progress, Progress::None) {
            Progress::Starting(attempt) | Progress::Offered(attempt, _) => {
                attempt.call_off();
                log::notice("hand-over: called off, as the server is to stop");
            }
            progress => self.progress = progress,
        }
    }

    /// Says that the time is over for those who have not left.
    pub(crate) fn log_drain_expired(&self) {
        let left = with_engine(|engine| engine.stats().connections).unwrap_or_default();
        log::notice(&format!(
            "hand-over: {} s are over; clients told to connect again: {left}",
            self.drain.as_secs()
        ));
    }

    /// Says that the server ends because another has taken over and nobody is left.
    pub(crate) fn log_end(&self) {
        if matches!(self.progress, Progress::Done) && !process::is_stopping() {
            log::notice("hand-over: nobody is here any more, and the server ends");
        }
    }
}

impl Attempt {
    /// The next status that the supervisor tells; `None` where there is none yet.
    fn receive(&self) -> io::Result<Option<Status>> {
        let mut bytes = [0; Status::LEN];
        match (&self.news).read_exact(&mut bytes) {
            Ok(()) => Ok(Status::parse(bytes)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lets the new server do its next step. False where it has ended.
    fn go(&self) -> bool {
        sigpipe::write_all(&self.go, &[GO]).is_ok()
    }

    /// Calls the hand-over off, also where the news that the new server has taken over is on its way: no
    /// two may hold themselves for the one that has the files.
    fn call_off(self) {
        // Where the new one has ended, nobody has to be told.
        let _ = sigpipe::write_all(&self.go, &[NO]);
        self.leave();
    }

    /// Listens to the supervisor no more.
    fn leave(self) {
        let _ = with_engine(|engine| engine.unwatch_control(&self.news));
    }
}
