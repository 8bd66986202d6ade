//! A closed loop of upgrades: so many connections are on their way, the oldest is awaited, closed, and
//! followed by a new one.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::client::{Address, Socket};
use crate::echo::new_histogram;
use crate::wire::{self, Language};

pub struct Connect {
    address: Address,
    request: Vec<u8>,
    width: usize,
    pending: VecDeque<(Socket, Instant)>,
    latencies: Histogram<u64>,
    pub upgraded: u64,
}

impl Connect {
    pub fn new(address: &Address, width: usize) -> Self {
        Self {
            address: address.clone(),
            request: wire::request(Language::WebSocket),
            width,
            pending: VecDeque::new(),
            latencies: new_histogram(),
            upgraded: 0,
        }
    }

    pub fn run(&mut self, time: Duration) -> io::Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            while self.pending.len() < self.width {
                let start = Instant::now();
                self.pending.push_back((Socket::open(&self.address, &self.request)?, start));
            }
            if let Some((socket, start)) = self.pending.pop_front() {
                socket.accepted(Language::WebSocket)?;
                self.latencies.saturating_record(start.elapsed().as_nanos() as u64);
                self.upgraded += 1;
                if matches!(self.address, Address::Tcp(_)) {
                    socket.no_linger()?;
                }
            }
        }
        Ok(())
    }

    pub fn latencies(&mut self) -> Histogram<u64> {
        std::mem::replace(&mut self.latencies, new_histogram())
    }
}
