//! Requests of which there are always more, and those that come too slowly: nobody else waits for them.

use std::io::Write;
use std::time::{Duration, Instant};

use super::{OK, answer, ask, count, get, launch};
use crate::harness::{Launch, Response};

/// A hundred thousand requests behind each other, without waiting for answers, while another connection's echo is answered.
#[test]
fn a_hundred_thousand_behind_each_other() {
    const ALL: usize = 100_000;
    let mut server = launch().env("REQUESTS_QUIET", "yes").tcp().start();
    let mut other = server.connect();
    let mut client = server.raw();
    let stream = std::os::fd::AsFd::as_fd(&client).try_clone_to_owned().expect("a descriptor");
    let writer = std::thread::spawn(move || {
        let request = get("/many", "X-Do: body 0 x\r\n");
        std::net::TcpStream::from(stream).write_all(&request.repeat(ALL)).expect("all are read");
    });
    let start = Instant::now();
    let mut longest = Duration::ZERO;
    for number in 0..ALL {
        let (head, body) = answer(&mut client);
        assert_eq!((&*head.status, &*body), (OK, &b"x"[..]), "{number}");
        if number % 1000 == 0 {
            let asked = Instant::now();
            other.echo("meanwhile");
            longest = longest.max(asked.elapsed());
        }
    }
    writer.join().expect("it has written");
    assert!(longest < Duration::from_secs(2), "{longest:?} of {:?}", start.elapsed());
    drop((client, other));
    server.stop();
}

/// CONTRACT S17: a body that trickles in is ended by 408, and its client alone.
#[test]
fn a_body_at_one_byte_a_second() {
    let root = rustix::process::geteuid().is_root();
    let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
    let launch: Launch = launch().args(user.iter().copied()).args(["--access-log", "access.log"]);
    let mut server = launch.start();
    let start = Instant::now();
    let mut slow = server.raw();
    slow.send_bytes(b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    let mut other = server.connect();
    while !slow.hears_within(Duration::from_secs(1)) {
        slow.send_bytes(b"x");
        other.echo("meanwhile");
        let mut quick = server.raw();
        assert_eq!(ask(&mut quick, &get("/", "")).0.status, OK);
        assert!(start.elapsed() < Duration::from_secs(60), "it goes on for ever");
    }
    let head: Response = slow.response();
    assert_eq!(head.status, "HTTP/1.1 408 Request Timeout");
    slow.expect_end();
    assert!(start.elapsed().as_millis() >= 9_500, "too early: {:?}", start.elapsed());
    let path = server.run_dir().join("access.log");
    let logged = crate::harness::until(|| {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.contains("\"POST /slow HTTP/1.1\" 408 ").then_some(())
    });
    assert!(logged.is_some(), "{:?}", std::fs::read_to_string(&path));
    drop(other);
    server.stop();
    assert_eq!(server.journal().matches(" /slow ").count(), 0);
    assert!(count(&server, "request ") > 5);
}
