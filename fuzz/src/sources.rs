//! Timers, watched descriptors and calls of a program, and what must hold of them.

use std::collections::HashMap;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _, pipe};
use std::os::fd::{AsRawFd as _, RawFd};
use std::time::Duration;

use dorrit_engine::{Engine, Event, Key, Readiness, TimerId};

use crate::input::Input;

/// The most pipes.
const PIPES: usize = 3;
/// Longer than a run takes.
const LONG: Duration = Duration::from_secs(3600);
/// How often a timer is set anew from its event.
const REPEATS: usize = 5;

/// What the program has set, and is to be told.
#[derive(Default)]
pub struct Sources {
    pipes: Vec<(PipeReader, PipeWriter)>,
    /// What each descriptor is watched for, and whether it is open since.
    watched: HashMap<RawFd, (Readiness, Key, bool)>,
    /// All timers that were ever set, and how long they take; `None` of those that were told or cancelled.
    timers: Vec<(TimerId, Option<Duration>)>,
    is_call_wanted: bool,
}

impl Sources {
    /// Does what the input says.
    pub fn operate(&mut self, engine: &mut Engine, input: &mut Input<'_>) {
        let operation = input.byte();
        let choice = usize::from(operation >> 3);
        match operation & 7 {
            0 => self.set(engine, Duration::ZERO, choice),
            1 => self.set(engine, LONG, choice),
            2 => self.cancel(engine, choice),
            3 => self.watch(engine, choice, input.byte()),
            4 => self.unwatch(engine, choice),
            5 => self.write(choice),
            6 => self.replace(choice),
            _ => {
                engine.request_call();
                self.is_call_wanted = true;
            }
        }
    }

    /// Deals with an event that is of one of these.
    pub fn hear<P>(&mut self, engine: &mut Engine, event: Event<P>) {
        match event {
            Event::Timer(Key(number, habit)) => {
                let after = self.timers[number].1.take();
                assert_eq!(after, Some(Duration::ZERO), "a timer that is not due");
                engine.cancel_timer(self.timers[number].0);
                match habit & 3 {
                    0 if habit < 4 * REPEATS => self.set(engine, Duration::ZERO, habit + 4),
                    1 => self.unwatch(engine, habit >> 2),
                    2 => self.cancel(engine, habit >> 2),
                    _ => self.write(habit >> 2),
                }
            }
            Event::Ready(fd, readiness, key) => self.hear_ready(engine, fd, readiness, key),
            Event::Call => {
                assert!(std::mem::take(&mut self.is_call_wanted), "a call that nobody wants");
            }
            _ => {}
        }
    }

    /// Nothing is left to be told.
    pub fn assert_rest(&mut self) {
        let is_due = |(_, after): &(_, Option<Duration>)| *after == Some(Duration::ZERO);
        assert!(!self.is_call_wanted && !self.timers.iter().any(is_due), "it is not told");
        for (read, write) in &mut self.pipes {
            let of = |fd| self.watched.get(&fd).filter(|(.., is_open)| *is_open);
            assert!(of(write.as_raw_fd()).is_none_or(|(wanted, ..)| !wanted.write));
            if of(read.as_raw_fd()).is_some_and(|(wanted, ..)| wanted.read) {
                assert!(read.read(&mut [0]).is_err(), "there is something to read");
            }
        }
    }

    /// Ends all.
    pub fn end(&mut self, engine: &mut Engine) {
        self.timers.iter().for_each(|(id, _)| engine.cancel_timer(*id));
        self.watched.keys().for_each(|fd| engine.unwatch(*fd));
        *self = Self::default();
        assert_eq!(engine.timeout(), None, "something is left");
    }

    fn set(&mut self, engine: &mut Engine, after: Duration, habit: usize) {
        let id = engine.set_timer(after, Key(self.timers.len(), habit)).expect("there is memory");
        self.timers.push((id, Some(after)));
    }

    fn cancel(&mut self, engine: &mut Engine, choice: usize) {
        let count = self.timers.len().max(1);
        if let Some((id, after)) = self.timers.get_mut(choice % count) {
            engine.cancel_timer(*id);
            *after = None;
        }
    }

    /// A descriptor of one of the pipes.
    fn choose(&mut self, choice: usize) -> RawFd {
        while self.pipes.len() < PIPES {
            self.pipes.push(new_pipe());
        }
        let (read, write) = &self.pipes[choice / 2 % PIPES];
        if choice.is_multiple_of(2) { read.as_raw_fd() } else { write.as_raw_fd() }
    }

    fn watch(&mut self, engine: &mut Engine, choice: usize, habit: u8) {
        let fd = self.choose(choice);
        let readiness = Readiness { read: habit & 1 != 0, write: habit & 2 != 0 };
        let key = Key(self.timers.len(), usize::from(habit));
        engine.watch(fd, readiness, key).expect("it can be watched");
        self.watched.insert(fd, (readiness, key, true));
        if readiness == Readiness::default() {
            self.watched.remove(&fd);
        }
    }

    fn unwatch(&mut self, engine: &mut Engine, choice: usize) {
        let fd = self.choose(choice);
        engine.unwatch(fd);
        self.watched.remove(&fd);
    }

    fn write(&mut self, choice: usize) {
        let _ = self.choose(choice);
        let _ = self.pipes[choice / 2 % PIPES].1.write(&[7; 100]);
    }

    /// Closes a pipe, and has another one, which may have its numbers.
    fn replace(&mut self, choice: usize) {
        let _ = self.choose(choice);
        let (read, write) = self.pipes.remove(choice / 2 % PIPES);
        for fd in [read.as_raw_fd(), write.as_raw_fd()] {
            if let Some((.., is_open)) = self.watched.get_mut(&fd) {
                *is_open = false;
            }
        }
    }

    fn hear_ready(&mut self, engine: &mut Engine, fd: RawFd, readiness: Readiness, key: Key) {
        let (wanted, expected, is_open) = self.watched[&fd];
        assert_eq!(key, expected, "another one's event");
        assert!(readiness != Readiness::default() && !engine.owns(fd));
        let is_over = readiness == Readiness { read: true, write: true };
        assert!(is_over || readiness == wanted || wanted.read && wanted.write);
        let pipe = self.pipes.iter_mut().find(|(read, _)| read.as_raw_fd() == fd);
        let is_ended = match pipe {
            Some((read, _)) if is_open => read.read(&mut [0; 60]).is_ok_and(|len| len == 0),
            _ => true,
        };
        if is_ended {
            engine.unwatch(fd);
            self.watched.remove(&fd);
        }
        match key.1 >> 2 & 7 {
            0 => self.unwatch(engine, key.1 >> 5),
            1 => self.watch(engine, key.1 >> 5, 1),
            2 => self.cancel(engine, key.1 >> 5),
            3 => self.set(engine, Duration::ZERO, 1),
            4 => self.replace(key.1 >> 5),
            _ => {}
        }
    }
}

fn new_pipe() -> (PipeReader, PipeWriter) {
    let (read, write) = pipe().expect("a pipe");
    rustix::io::ioctl_fionbio(&read, true).expect("a pipe");
    rustix::io::ioctl_fionbio(&write, true).expect("a pipe");
    (read, write)
}
