//! The server that has handed over: it serves those who are there, and goes.

use rustix::process::Signal;

use super::{BOTH, Chain, launch, pid, plan, who};
use crate::harness::{Client, Frame, Request, until};

/// It serves its clients until the last has left, then calls `ws_exit_func` and ends with 0. Who was
/// about to ask is served too.
#[test]
fn until_the_last_client_has_left() {
    for source in BOTH {
        let launch = launch(source).args(["--drain", "600"]);
        plan(&launch, "periodic\n");
        let mut chain = Chain::start(launch);
        let first = chain.now;
        let mut leaving = chain.server.connect();
        let mut staying = chain.server.connect();
        let mut asking = chain.server.raw();
        let request = Request::new().bytes();
        asking.send_and_drain(&request[..20]);
        chain.hand_over();
        asking.send_bytes(&request[20..]);
        assert_eq!(asking.response().status, "HTTP/1.1 101 Switching Protocols");
        for client in [&mut leaving, &mut staying, &mut asking] {
            assert_eq!(who(client), (1, pid(first)));
        }
        assert_eq!(who(&mut chain.server.connect()), (1, pid(chain.now)));
        // The periodic function of both goes on.
        for server in [first, chain.now] {
            let ticks = || chain.server.journal().matches(&format!("tick {}\n", server.0)).count();
            let seen = ticks();
            assert!(until(|| (ticks() > seen).then_some(())).is_some());
        }
        drop((leaving, asking));
        staying.send(&Frame::close(1000, ""));
        staying.expect_close(1000);
        assert_eq!(chain.wait(first), Some(0));
        assert_eq!(chain.count("hand-over: nobody is here any more"), 1);
        assert_eq!(chain.server.journal().matches(&format!("close {}\n", first.0)).count(), 3);
        chain.stop();
        assert_eq!(chain.server.journal().matches("exit ").count(), 2);
    }
}

/// When its time is over it tells those who are left 1012, after what is queued for them.
#[test]
fn until_the_time_is_over() {
    for (seconds, source) in [("0", BOTH[0]), ("0", BOTH[1]), ("1", BOTH[0])] {
        let mut chain = Chain::start(launch(source).args(["--drain", seconds]));
        let first = chain.now;
        let mut clients: Vec<_> = (0..5).map(|_| chain.server.connect()).collect();
        clients.iter_mut().for_each(|client| client.echo("hello"));
        chain.hand_over();
        for mut client in clients {
            assert_eq!(client.receive().code(), Some(1012));
            client.send(&Frame::close(1012, ""));
            client.expect_end();
        }
        assert_eq!(chain.wait(first), Some(0));
        let told = format!("{seconds} s are over; clients told to connect again: 5");
        assert_eq!(chain.count(&told), 1, "{}", chain.server.stderr());
        assert_eq!(chain.server.journal().matches(&format!("close {}\n", first.0)).count(), 5);
        assert_eq!(who(&mut chain.server.connect()).1, pid(chain.now));
        chain.stop();
    }
}

/// Who has connected, and asks only when the time is over, is not refused: it is told the same.
#[test]
fn a_request_that_comes_too_late() {
    let mut chain = Chain::start(launch(BOTH[0]).args(["--drain", "0"]));
    let first = chain.now;
    let mut asking = chain.server.raw();
    let request = Request::new().bytes();
    asking.send_and_drain(&request[..20]);
    chain.hand_over();
    chain.server.await_stderr("0 s are over");
    asking.send_bytes(&request[20..]);
    assert_eq!(asking.response().status, "HTTP/1.1 101 Switching Protocols");
    assert_eq!(asking.receive().code(), Some(1012));
    asking.send(&Frame::close(1012, ""));
    asking.expect_end();
    assert_eq!(chain.wait(first), Some(0));
    chain.stop();
}

/// A client that does not answer holds it up for two seconds at most (S10): it ends by itself.
#[test]
fn a_client_that_never_reads() {
    let mut chain = Chain::start(launch(BOTH[0]).args(["--drain", "0"]));
    let first = chain.now;
    let mut stuck = chain.server.connect();
    stuck.echo("hello");
    chain.hand_over();
    assert_eq!(chain.wait(first), Some(0));
    chain.stop();
    drop(stuck);
}

/// SIGTERM stops it at once, with 1001. The new one keeps its files and goes on.
#[test]
fn sigterm_meanwhile() {
    for source in BOTH {
        let mut chain = Chain::start(launch(source).args(["--drain", "600"]));
        let first = chain.now;
        let mut client = chain.server.connect();
        client.echo("hello");
        chain.hand_over();
        first.signal(Signal::TERM);
        assert_eq!(client.receive().code(), Some(1001));
        client.send(&Frame::close(1001, ""));
        client.expect_end();
        assert_eq!(chain.wait(first), Some(0));
        assert!(chain.server.socket().exists());
        assert_eq!(who(&mut chain.server.connect()).1, pid(chain.now));
        chain.stop();
    }
}

/// The new one can be stopped while the old one serves on; it goes when its clients have left.
#[test]
fn the_new_one_is_stopped_first() {
    let mut chain = Chain::start(launch(BOTH[0]).args(["--drain", "600"]));
    let first = chain.now;
    let mut client = chain.server.connect();
    client.echo("hello");
    chain.hand_over();
    chain.now.signal(Signal::TERM);
    assert_eq!(chain.wait(chain.now), Some(0));
    assert!(!chain.server.socket().exists());
    client.echo("still served");
    drop(client);
    assert_eq!(chain.wait(first), Some(0));
    chain.server.await_nobody();
    chain.check();
}

/// SIGHUP to a server that has handed over has one line written.
#[test]
fn sighup_meanwhile() {
    let mut chain = Chain::start(launch(BOTH[0]).args(["--drain", "600"]));
    let first = chain.now;
    let mut client = chain.server.connect();
    client.echo("hello");
    chain.hand_over();
    for times in 1..=3 {
        first.signal(Signal::HUP);
        let told = || (chain.count("this server has handed over already") == times).then_some(());
        assert!(until(told).is_some(), "{}", chain.server.stderr());
    }
    client.echo("still served");
    assert_eq!(chain.successors().len(), 1);
    drop(client);
    assert_eq!(chain.wait(first), Some(0));
    chain.stop();
}

/// It does not hear of connections that are the new one's to accept: its poll forgets the sockets.
#[test]
fn the_sockets_are_not_watched_any_more() {
    for launch in [launch(BOTH[0]), launch(BOTH[0]).tcp()] {
        let mut chain = Chain::start(launch.args(["--drain", "600"]));
        let first = chain.now;
        let mut client = chain.server.connect();
        client.echo("hello");
        let watched = || {
            let numbers = first.descriptors().into_iter();
            let told = numbers.filter_map(|number| first.descriptor(number));
            told.map(|it| it.matches("tfd:").count()).sum::<usize>()
        };
        let before = watched();
        let listeners = 1 + chain.server.tcp().len();
        chain.hand_over();
        assert!(until(|| (watched() == before - listeners).then_some(())).is_some(), "{before}");
        assert_eq!(first.listening(), []);
        drop(client);
        assert_eq!(chain.wait(first), Some(0));
        chain.stop();
    }
}

/// Pages: a connection that is kept is answered once more.
#[test]
fn connections_that_are_kept_for_pages() {
    let launch = launch(BOTH[0]).tcp();
    std::fs::write(launch.run_dir().join("page"), "a page").expect("a file");
    let mut chain = Chain::start(launch.args(["-w", ".", "--drain", "600"]));
    let first = chain.now;
    let request = b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    let ask = |client: &mut Client| {
        client.send_bytes(request);
        let head = client.head();
        assert_eq!(head.status, "HTTP/1.1 200 OK");
        assert_eq!(client.bytes(6), b"a page");
        head.header("Connection").map(str::to_owned)
    };
    let mut kept = chain.server.raw();
    assert_eq!(ask(&mut kept), None);
    chain.hand_over();
    assert_eq!(ask(&mut kept), Some("close".to_owned()));
    kept.expect_end();
    drop(kept);
    assert_eq!(chain.wait(first), Some(0));
    let mut client = chain.server.raw();
    assert_eq!(ask(&mut client), None);
    drop(client);
    chain.stop();
}

/// A value of --drain that cannot be.
#[test]
fn a_time_that_cannot_be() {
    for source in BOTH {
        for bad in ["86401", "-1", "soon"] {
            let ended = launch(source).args(["-x", "--drain", bad]).run();
            let line = format!("server: --drain {bad}: must be a number from 0 to 86400\n");
            assert_eq!((ended.code, &*ended.stderr), (Some(1), &*line));
        }
    }
}

/// Nobody is there: it ends at once, whatever --drain says.
#[test]
fn without_clients() {
    let mut chain = Chain::start(launch(BOTH[0]).args(["--drain", "86400"]));
    for _ in 0..3 {
        let before = chain.now;
        chain.hand_over();
        assert_eq!(chain.wait(before), Some(0));
    }
    let mut client = chain.server.connect();
    client.echo("hello");
    drop(client);
    chain.stop();
}
