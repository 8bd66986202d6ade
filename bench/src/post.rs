//! A call that has a function run on the server's thread: the server makes it from other threads, and says what
//! came of it.

use std::io::{self, ErrorKind};
use std::time::Duration;

use crate::client::{Address, Socket};
use crate::wire::{self, Content, Language};

/// So many threads call at a time, as the servers have it.
pub const THREADS: u32 = 4;

/// A server that makes such calls where it is asked to.
pub struct Post {
    socket: Socket,
    language: Language,
}

/// What came of one call at a time.
pub struct Latency {
    /// Nanoseconds from the call to its function.
    pub p50: f64,
    pub p99: f64,
}

impl Post {
    pub fn new(address: &Address, language: Language) -> io::Result<Self> {
        Ok(Self { socket: Socket::upgraded(address, language)?, language })
    }

    /// One call after the other, each while the server sleeps, for so long.
    pub fn one_by_one(&self, time: Duration) -> io::Result<Latency> {
        let [_, p50, p99] = self.ask(&format!("latency {}", time.as_nanos()))?;
        Ok(Latency { p50, p99 })
    }

    /// So many calls from each thread, all of them on the load generator's core, which has nothing else to do. Returns
    /// after how many nanoseconds the last of their functions had run; each must have, in the order of its thread.
    pub fn at_a_time(&self, each: u32) -> io::Result<f64> {
        let core = nix::sched::sched_getcpu()?;
        let [lost, disordered, elapsed] = self.ask(&format!("rate {each} {core}"))?;
        if lost != 0.0 || disordered != 0.0 {
            let what = format!("{lost} posts were lost, {disordered} ran out of order");
            return Err(io::Error::other(what));
        }
        Ok(elapsed)
    }

    /// The three numbers with which the server answers.
    fn ask(&self, question: &str) -> io::Result<[f64; 3]> {
        let sent = match self.language {
            Language::Bare => wire::server_frame(question.as_bytes(), Content::Text),
            _ => wire::client_frame(question.as_bytes(), Content::Text, self.language, 0),
        };
        let came = self.socket.exchange(&sent, |bytes| wire::frame(bytes).is_some())?;
        let payload = wire::frame(&came).map_or(&[][..], |(_, payload, _)| payload);
        let answer = String::from_utf8_lossy(payload);
        let numbers: Option<Vec<f64>> =
            answer.split(' ').map(|number| number.parse().ok()).collect();
        numbers.and_then(|numbers| numbers.try_into().ok()).ok_or_else(|| {
            io::Error::new(ErrorKind::InvalidData, format!("answered with {answer}"))
        })
    }
}
