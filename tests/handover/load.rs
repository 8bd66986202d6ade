//! Under load: nobody is refused, nobody is left without an answer, nothing is left behind.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{BOTH, Chain, launch, pid, who};
use crate::harness::{Client, Launch, Process, Request, until};

/// Connections at a steady pace, each of which must be answered, until it is told that it is over.
struct Load {
    is_over: AtomicBool,
    served: AtomicUsize,
}

/// How many a second.
const PACE: u32 = 200;

impl Load {
    fn run(&self, connect: impl Fn() -> Client) {
        let start = Instant::now();
        for number in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            // What a failed test must not do is to go on for ever.
            let guard = Failing(&self.is_over);
            let mut client = connect().upgrade(&Request::new());
            let text = format!("message {number}");
            client.echo(&text);
            client.echo(&text);
            drop(client);
            std::mem::forget(guard);
            self.served.fetch_add(1, Ordering::Relaxed);
            // The pace, which nothing depends on.
            let next = start + number * Duration::from_secs(1) / PACE;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }

    /// Waits until so many more were served.
    fn await_more(&self, more: usize) {
        let wanted = self.served.load(Ordering::Relaxed) + more;
        let is_enough = || {
            let is_over = self.is_over.load(Ordering::Relaxed);
            (is_over || self.served.load(Ordering::Relaxed) >= wanted).then_some(())
        };
        assert!(until(is_enough).is_some(), "nobody is served any more");
    }
}

struct Failing<'a>(&'a AtomicBool);

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What stands behind the descriptors, in order: numbers and inodes are the kernel's choice.
pub(super) fn kinds(process: Process) -> Vec<String> {
    let files = process.open_files();
    let kind = |file: &PathBuf| file.display().to_string().split(":[").next().map(str::to_owned);
    let mut kinds: Vec<_> = files.iter().filter_map(kind).collect();
    kinds.sort();
    kinds
}

/// The same of a server that has begun to serve and has no client.
pub(super) fn idle(chain: &Chain) -> Vec<String> {
    chain.server.connect().echo("hello");
    let listeners = 1 + chain.server.tcp().len();
    let without_client = until(|| {
        let kinds = kinds(chain.now);
        (kinds.iter().filter(|kind| *kind == "socket").count() == listeners).then_some(kinds)
    });
    without_client.expect("the listening sockets alone")
}

/// Twenty times, while somebody connects and others stay.
fn twenty_times(launch: Launch) {
    let mut chain = Chain::start_daemon(launch);
    let table = idle(&chain);
    let load = Load { is_over: AtomicBool::new(false), served: AtomicUsize::new(0) };
    let mut staying: Vec<(Client, i32)> = Vec::new();
    let mut servers = vec![chain.now];
    let (socket, tcp) = (chain.server.socket().to_owned(), chain.server.tcp().first().copied());
    let connect = || match tcp {
        Some(tcp) => Client::raw_tcp(tcp),
        None => Client::raw(&socket),
    };
    std::thread::scope(|scope| {
        scope.spawn(|| load.run(connect));
        let _guard = Failing(&load.is_over);
        for _ in 0..20 {
            load.await_more(10);
            let mut client = connect().upgrade(&Request::new());
            let (_, served_by) = who(&mut client);
            staying.push((client, served_by));
            chain.hand_over();
            servers.push(chain.now);
        }
        load.await_more(10);
    });
    // Each client is served by the server that it came to.
    for (client, served_by) in &mut staying {
        assert_eq!(who(client).1, *served_by);
    }
    assert_eq!(servers.len(), 21);
    for server in &servers {
        let zombies: Vec<_> =
            server.children().into_iter().filter(|child| child.is_over()).collect();
        assert_eq!(zombies, []);
    }
    let same = until(|| (kinds(chain.now) == table).then_some(()));
    assert!(same.is_some(), "{table:?} became {:?}", kinds(chain.now));
    assert_eq!(who(&mut connect().upgrade(&Request::new())).1, pid(chain.now));
    // The others end when their clients have left.
    drop(staying);
    for server in &servers[..20] {
        assert_eq!(chain.wait(*server), Some(0));
    }
    assert_eq!(chain.count("over; clients told"), 0, "{}", chain.server.stderr());
    chain.stop();
    assert_eq!(chain.server.journal().matches("exit ").count(), 21);
}

/// A daemon of its own name.
fn daemon(source: &'static str) -> Launch {
    let launch = launch(source).args(["--drain", "600"]);
    let name = launch.unique_name();
    launch.name(&name)
}

#[test]
fn on_a_unix_socket() {
    for source in BOTH {
        twenty_times(daemon(source));
    }
}

#[test]
fn on_tcp() {
    twenty_times(daemon("handover.c").tcp());
}
