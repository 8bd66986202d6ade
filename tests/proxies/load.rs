//! Visitors who come and go, and visitors who stay, while something happens to the servers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::harness::until;
use crate::peers::{Trouble, Visitor, run};

/// How many stay.
pub(super) const STAYING: usize = 20;
/// How many others come, speak and leave, again and again.
const COMING: usize = 4;
/// How long each pauses: a server of the tests counts its connections up to 20,000.
const PAUSE: Duration = Duration::from_millis(10);

/// What the visitors have met so far.
#[derive(Clone, Default, Debug)]
pub(super) struct Report {
    /// How many of those who stay have been connected.
    connected: usize,
    /// How many answers they have had.
    pub(super) echoes: usize,
    /// What has ended their stay.
    pub(super) ends: Vec<Trouble>,
    /// How many of the others have come, been answered, and left.
    pub(super) came: usize,
    /// What has kept others from that.
    pub(super) troubles: Vec<Trouble>,
}

/// The visitors, on a thread of their own.
pub(super) struct Load {
    shared: Shared,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    /// They come; returns when all are served.
    pub(super) fn start(address: SocketAddr) -> Load {
        let shared = Shared::default();
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || run(shared.visit(address))
        });
        let load = Load { shared, thread: Some(thread) };
        load.wait("all are served", |now| now.connected == STAYING && now.came > 2 * COMING);
        load
    }

    /// Waits until they have met that.
    pub(super) fn wait(&self, what: &str, is_so: impl Fn(&Report) -> bool) {
        let met = until(|| is_so(&self.shared.report()).then_some(()));
        let report = self.shared.report().clone();
        assert!(met.is_some(), "not so: {what}: {report:?}");
    }

    /// Waits until so many have come who had not come before.
    pub(super) fn wait_for_others(&self, count: usize) {
        let before = self.shared.report().came;
        self.wait("others are served", |now| now.came >= before + count);
    }

    /// Waits until those who stay have had so many more answers.
    pub(super) fn wait_for_echoes(&self, count: usize) {
        let before = self.shared.report().echoes;
        self.wait("those who stay are served", |now| now.echoes >= before + count);
    }

    /// All leave: what they have met.
    pub(super) fn stop(mut self) -> Report {
        self.shared.over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is stopped once");
        thread.join().expect("visitors do not panic");
        self.shared.report().clone()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // The thread ends by itself, and before the servers where it was stopped.
        self.shared.over.store(true, Ordering::Relaxed);
    }
}

#[derive(Clone, Default)]
struct Shared {
    report: Arc<Mutex<Report>>,
    over: Arc<AtomicBool>,
}

impl Shared {
    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().expect("no panic under it")
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    async fn visit(self, address: SocketAddr) {
        let mut visitors = JoinSet::new();
        for _ in 0..STAYING {
            let shared = self.clone();
            visitors.spawn(async move {
                if let Err(trouble) = shared.stay(address).await {
                    shared.report().ends.push(trouble);
                }
            });
        }
        for _ in 0..COMING {
            let shared = self.clone();
            visitors.spawn(async move {
                while !shared.is_over() {
                    match shared.come(address).await {
                        Ok(()) => shared.report().came += 1,
                        Err(trouble) => shared.report().troubles.push(trouble),
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        visitors.join_all().await;
    }

    async fn stay(&self, address: SocketAddr) -> Result<(), Trouble> {
        let mut visitor = Visitor::try_connect(address).await?;
        self.report().connected += 1;
        while !self.is_over() {
            visitor.try_echo("still here").await?;
            self.report().echoes += 1;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn come(&self, address: SocketAddr) -> Result<(), Trouble> {
        let mut visitor = Visitor::try_connect(address).await?;
        visitor.try_echo("here").await
    }
}
