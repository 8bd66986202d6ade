//! The process between a server that hands over and the new one: its parent, so that the program's
//! wait(2) never meets it, and the one who tells what becomes of it.
//!
//! It is forked by a process that may have threads: it calls only what signal-safety(7) lists.

use std::ffi::c_int;
use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::time::Duration;

use nix::errno::Errno;

use super::exec_image::ExecImage;
use super::status::Status;
use crate::process::{self, Child, monotonic_time};

/// How often the supervisor looks whether the new server is there: a child of that one's may keep the pipe
/// open on which it speaks.
const LOOK: Duration = Duration::from_millis(500);

/// What a supervisor has to go by.
pub(crate) struct Supervisor<'a> {
    /// The new server that is executed.
    pub(crate) image: &'a mut ExecImage,
    /// The descriptors that the new server gets, and those of the pipes below.
    pub(crate) kept: &'a [RawFd],
    /// The pipe on which the new server speaks: its ends for reading and writing.
    pub(crate) status: [RawFd; 2],
    /// The end for writing of the pipe to the server that hands over. Where nobody reads it any more, the
    /// hand-over is called off.
    pub(crate) news: RawFd,
    /// How long the new server may take to begin.
    pub(crate) patience: Duration,
    /// Whether the new server is a daemon, with a session of its own.
    pub(crate) is_daemon: bool,
    /// The signals that are ignored when the new server starts.
    pub(crate) ignored: &'a [c_int],
}

impl Supervisor<'_> {
    /// Forks the supervisor, which goes its way.
    pub(crate) fn send(&mut self) -> io::Result<()> {
        // SAFETY: all that needs memory is there already.
        unsafe { process::start_helper(self.kept, || self.serve()) }
    }

    /// The supervisor's life.
    fn serve(&mut self) {
        // SAFETY: until it is executed the new server calls only what signal-safety(7) lists.
        match unsafe { Child::start(|| self.execute()) } {
            Err(errno) => drop(self.report(Status::NotExecuted(errno))),
            Ok(new) => {
                // What is the new server's must end with it.
                let highest = self.kept.iter().copied().max().unwrap_or(0);
                process::close_all_but(&[self.status[0], self.news], highest);
                self.watch(new);
            }
        }
    }

    /// Becomes the new server. Returns the exit status where that fails.
    fn execute(&mut self) -> c_int {
        process::reset_signals(self.ignored);
        // SAFETY: these take and give numbers.
        let pid = unsafe {
            if self.is_daemon {
                libc::setsid();
            }
            libc::getpid()
        };
        self.image.record.set_pid(pid);
        self.image.carry_out();
        write(self.status[1], Status::NotExecuted(Errno::last_raw()));
        127
    }

    /// Tells what the new server says, until it has taken over or has ended.
    fn watch(&self, new: Child) {
        let until = monotonic_time().saturating_add(self.patience);
        loop {
            let left = until.saturating_sub(monotonic_time());
            if left.is_zero() {
                new.kill();
                self.report(Status::Silent(self.patience.as_secs() as c_int));
                return;
            }
            let mut polled = [
                libc::pollfd { fd: self.status[0], events: libc::POLLIN, revents: 0 },
                libc::pollfd { fd: self.news, events: 0, revents: 0 },
            ];
            let millis = left.min(LOOK).as_millis() as c_int + 1;
            // SAFETY: there are two of them.
            unsafe { libc::poll(polled.as_mut_ptr(), 2, millis) };
            if polled[1].revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0 {
                return new.kill();
            }
            if polled[0].revents == 0 {
                if let Some(status) = wait(&new, monotonic_time()) {
                    self.report(status);
                    return;
                }
                continue;
            }
            match read(self.status[0]) {
                Some(status @ Status::Ready(_)) if self.report(status) => {}
                Some(status @ Status::Taken) if self.report(status) => return,
                Some(status) => {
                    self.report(status);
                    return new.kill();
                }
                None => {
                    if let Some(status) = wait(&new, until) {
                        self.report(status);
                        return;
                    }
                }
            }
        }
    }

    /// Tells the server that hands over; false where it does not want to hear.
    fn report(&self, status: Status) -> bool {
        write(self.news, status)
    }
}

/// Writes a status; false where nobody reads it.
fn write(pipe: RawFd, status: Status) -> bool {
    let bytes = status.encode();
    // SAFETY: there are so many bytes. SIGPIPE is blocked.
    unsafe { libc::write(pipe, bytes.as_ptr().cast(), bytes.len()) == bytes.len() as isize }
}

/// The next status that the new server tells; `None` where there will be none.
fn read(pipe: RawFd) -> Option<Status> {
    let mut bytes = [0; Status::LEN];
    // SAFETY: there is room for so many bytes.
    let len = unsafe { libc::read(pipe, bytes.as_mut_ptr().cast(), bytes.len()) };
    Status::parse(bytes).filter(|_| len == bytes.len() as isize)
}

/// Waits for the end of a process that has nothing more to say. `None`: the time is over.
fn wait(child: &Child, until: Duration) -> Option<Status> {
    /// How long it waits in between, in milliseconds: there is no waiting for a child and a time at once.
    const PAUSE: c_int = 10;
    loop {
        match child.try_wait() {
            Some(status) => return Some(status.into()),
            None if monotonic_time() < until => {
                // SAFETY: nothing is polled.
                unsafe { libc::poll(ptr::null_mut(), 0, PAUSE) };
            }
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read as _, pipe};
    use std::os::fd::AsRawFd as _;
    use std::path::Path;

    use super::*;
    use crate::files::Files;
    use crate::log::Destination;
    use crate::restart::inheritance::Handoff;
    use crate::restart::invocation::Invocation;

    const LONG: Duration = Duration::from_secs(600);

    /// Sends a supervisor with a shell that does this: the pipe with the news, and one that ends with the
    /// shell.
    fn send(script: &str, patience: Duration) -> (PipeReader, PipeReader) {
        let arguments = ["sh", "-c", script].map(Into::into).into();
        let mut invocation = Invocation::find(arguments, None, None);
        invocation.program = Some("/bin/sh".into());
        let [(news, news_end), (status, status_end), (alive, alive_end)] =
            [(); 3].map(|()| pipe().unwrap());
        let handoff = Handoff {
            name: c"test",
            directory: Path::new("/"),
            log: Destination::Stderr,
            listeners: &[],
            is_shared: true,
            files: &Files::default(),
            predecessor: Some([status_end.as_raw_fd(), alive_end.as_raw_fd()]),
        };
        let mut kept = handoff.descriptors();
        kept.extend([0, 1, 2, status.as_raw_fd(), news_end.as_raw_fd()]);
        let mut image = ExecImage::new(&invocation, &handoff, None).unwrap();
        let mut supervisor = Supervisor {
            image: &mut image,
            kept: &kept,
            status: [status.as_raw_fd(), status_end.as_raw_fd()],
            news: news_end.as_raw_fd(),
            patience,
            is_daemon: false,
            ignored: &invocation.ignored,
        };
        supervisor.send().unwrap();
        (news, alive)
    }

    fn statuses(mut news: PipeReader) -> Vec<Status> {
        let mut bytes = Vec::new();
        news.read_to_end(&mut bytes).unwrap();
        let statuses = bytes.chunks(Status::LEN).map(|it| Status::parse(it.try_into().unwrap()));
        statuses.collect::<Option<_>>().unwrap()
    }

    fn is_over(mut alive: PipeReader) -> bool {
        alive.read(&mut [0]).unwrap() == 0
    }

    #[test]
    fn it_tells_how_the_new_server_ends() {
        for (script, status) in [
            ("exit 3", Status::Ended(3)),
            ("kill -SEGV $$", Status::Killed(libc::SIGSEGV)),
            // It waits for a server that catches it.
            ("kill -TERM $$", Status::Ended(0)),
        ] {
            let (news, alive) = send(script, LONG);
            assert_eq!(statuses(news), [status], "{script}");
            assert!(is_over(alive));
        }
    }

    /// One that is not ready in time is ended, whatever it ignores.
    #[test]
    fn it_waits_so_long() {
        let (news, alive) = send("trap '' TERM; exec sleep 1000", Duration::from_millis(200));
        assert_eq!(statuses(news), [Status::Silent(0)]);
        assert!(is_over(alive));
    }

    /// A child of its own that has all that it has, as one of `ws_init_func`, keeps the pipe open.
    #[test]
    fn it_leaves_a_child_behind() {
        let (news, _alive) = send("sleep 5 & exit 3", Duration::from_secs(3));
        assert_eq!(statuses(news), [Status::Ended(3)]);
    }

    #[test]
    fn nobody_wants_to_know() {
        let (news, alive) = send("exec sleep 1000", LONG);
        drop(news);
        assert!(is_over(alive));
    }
}
