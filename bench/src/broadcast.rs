//! A closed loop of broadcasts: one connection sends, all receive, and then it sends again. One of
//! them may be slow.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::client::{Address, PATIENCE, Socket};
use crate::echo::new_histogram;
use crate::wire::{self, Content, Language, Ring};

const MESSAGES: usize = 61;
/// How little the slow reader takes, and how seldom.
const SIP: usize = 512;
const PAUSE: Duration = Duration::from_millis(20);

pub struct Broadcast {
    poll: Epoll,
    sockets: Vec<Socket>,
    /// The place in the ring of the next byte to come, for each connection.
    places: Vec<usize>,
    requests: Vec<Vec<u8>>,
    answers: Ring,
    buffer: Vec<u8>,
    sent: u64,
    sent_at: Instant,
    missing: usize,
    slow: Option<Slow>,
    latencies: Histogram<u64>,
    pub delivered: u64,
}

/// The last connection, which is out of the loop.
struct Slow {
    index: usize,
    next: Instant,
    rest: Vec<u8>,
}

impl Broadcast {
    pub fn new(
        address: &Address,
        language: Language,
        size: usize,
        count: usize,
    ) -> io::Result<Self> {
        let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut sockets = Vec::new();
        for index in 0..count {
            let socket = Socket::upgraded(address, language)?;
            poll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
            sockets.push(socket);
        }
        let messages = wire::messages(Content::Text, size, MESSAGES);
        let answers: Vec<_> =
            messages.iter().map(|message| wire::server_frame(message, Content::Text)).collect();
        let requests = match language {
            Language::Bare => answers.clone(),
            _ => {
                let frame = |(index, message): (usize, &Vec<u8>)| {
                    wire::client_frame(message, Content::Text, language, index)
                };
                messages.iter().enumerate().map(frame).collect()
            }
        };
        Ok(Self {
            poll,
            places: vec![0; sockets.len()],
            sockets,
            requests,
            answers: Ring::new(&answers),
            buffer: vec![0; 65536],
            sent: 0,
            sent_at: Instant::now(),
            missing: 0,
            slow: None,
            latencies: new_histogram(),
            delivered: 0,
        })
    }

    /// Lets the last connection read next to nothing from now on.
    pub fn slow_down(&mut self) -> io::Result<()> {
        let index = self.sockets.len() - 1;
        self.poll.delete(&self.sockets[index])?;
        self.slow = Some(Slow { index, next: Instant::now(), rest: Vec::new() });
        Ok(())
    }

    pub fn latencies(&mut self) -> Histogram<u64> {
        std::mem::replace(&mut self.latencies, new_histogram())
    }

    /// Goes on for as long, and until all have what was sent last.
    pub fn run(&mut self, time: Duration) -> io::Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.send()?;
            while self.missing > 0 {
                self.turn()?;
            }
            self.sip()?;
        }
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        let request = &self.requests[(self.sent % MESSAGES as u64) as usize];
        self.sent_at = Instant::now();
        if self.sockets[0].send(request)? != request.len() {
            return Err(io::Error::other("the server does not read"));
        }
        self.sent += 1;
        self.missing = self.sockets.len() - usize::from(self.slow.is_some());
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); 512];
        let timeout = EpollTimeout::try_from(PATIENCE).unwrap_or(EpollTimeout::NONE);
        let count = self.poll.wait(&mut events, timeout)?;
        if count == 0 {
            return Err(io::Error::other(format!("{} deliveries are missing", self.missing)));
        }
        for event in &events[..count] {
            self.receive(event.data() as usize)?;
        }
        Ok(())
    }

    fn receive(&mut self, index: usize) -> io::Result<()> {
        let Some(got) = self.sockets[index].receive(&mut self.buffer)? else { return Ok(()) };
        if got == 0 {
            return Err(io::Error::other("the server has closed a connection"));
        }
        let last = ((self.sent - 1) % MESSAGES as u64) as usize;
        let (place, end) = (self.places[index], self.answers.starts[last + 1]);
        // One broadcast at a time: nothing but the rest of its frame may come.
        if place + got > end || self.buffer[..got] != self.answers.bytes[place..place + got] {
            return Err(io::Error::other(format!("delivery {} is wrong", self.sent)));
        }
        self.places[index] = place + got;
        if place + got == end {
            self.latencies.saturating_record(self.sent_at.elapsed().as_nanos() as u64);
            self.delivered += 1;
            self.missing -= 1;
            if end == self.answers.round() {
                self.places[index] = 0;
            }
        }
        Ok(())
    }

    /// The slow reader's turn: what it gets must be whole messages of ours, though a server may leave
    /// some out.
    fn sip(&mut self) -> io::Result<()> {
        let Some(slow) = &mut self.slow else { return Ok(()) };
        if Instant::now() < slow.next {
            return Ok(());
        }
        slow.next = Instant::now() + PAUSE;
        let Some(got) = self.sockets[slow.index].receive(&mut self.buffer[..SIP])? else {
            return Ok(());
        };
        if got == 0 {
            return Err(io::Error::other("the server has closed the slow connection"));
        }
        slow.rest.extend_from_slice(&self.buffer[..got]);
        while let Some((_, _, len)) = wire::frame(&slow.rest) {
            let frame: Vec<u8> = slow.rest.drain(..len).collect();
            let ring = &self.answers;
            if !ring.starts.windows(2).any(|ends| ring.bytes[ends[0]..ends[1]] == frame[..]) {
                return Err(io::Error::other("the slow reader was sent something else"));
            }
        }
        Ok(())
    }
}
