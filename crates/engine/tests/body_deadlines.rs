//! How long a client may take for the body of its request: here time passes, ten seconds of it.

mod support;

use std::time::{Duration, Instant};

use dorrit_engine::{Config, PlainRequests};
use dorrit_proto::Refusal;
use support::site::*;

/// Ten seconds, and one more for each 500 bytes that came: who stalls, and who sends byte by byte, is answered 408;
/// who is slow and moves is served; who has nothing more to ask is left with no word; and while the caller decides nobody is late.
#[test]
fn the_time_for_a_body() {
    const PAGES: PlainRequests = PlainRequests::ToldWithBody(100_000);
    let mut site = Site::new(Config { plain_requests: PAGES, ..SITE });
    let post = b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 33000\r\n\r\n";
    let chunked = b"POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let short = b"POST /s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    let later = b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
    let get = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    site.decide = Box::new(|engine, asked| match &asked.target[..] {
        "/later" => engine.defer(asked.id).unwrap(),
        _ => answer(engine, asked),
    });
    let [mut waiting, mut second] = std::array::from_fn(|_| site.client());
    waiting.write(&[&get[..], later].concat());
    second.write(short);
    site.pump();
    second.write(b"hello");
    let mut has_second = false;
    let [mut idle, mut asking, mut silent, mut stalled, mut slow, mut chunks, mut moving] =
        std::array::from_fn(|_| site.client());
    idle.write(get);
    asking.write(&[&get[..], b"GET"].concat());
    silent.write(post);
    stalled.write(&[&post[..], b"start"].concat());
    slow.write(post);
    chunks.write(chunked);
    moving.write(post);
    let start = Instant::now();
    let mut sent = 0;
    while sent < 33_000 || site.server.refused.len() < 5 {
        let elapsed = start.elapsed();
        assert!(elapsed < Duration::from_secs(14), "{:?}", site.server.refused);
        let is_early = elapsed < Duration::from_millis(9_900);
        assert!(!is_early || site.server.refused.is_empty(), "{:?}", site.server.refused);
        if elapsed.as_millis() as usize / 100 > sent / 300 && sent < 33_000 {
            // More than 500 bytes a second; the last of them after the tenth.
            moving.write(&[b'm'; 300]);
            sent += 300;
            if is_early {
                slow.write(b"s");
                chunks.write(b"1\r\nc\r\n");
            }
        }
        if !has_second && elapsed > Duration::from_secs(4) {
            second.write(short);
            has_second = true;
        }
        site.engine().wait(Some(Duration::from_millis(20))).unwrap();
        site.pump_once();
    }
    site.pump();
    assert_eq!(site.server.refused, [Refusal::TooSlow; 5]);
    let answer_of_get = echo_of("GET", "/a", b"");
    assert_eq!(idle.read(), answer_of_get);
    assert!(asking.read().strip_prefix(&answer_of_get[..]).unwrap().starts_with(b"HTTP/1.1 408 "));
    for client in [&mut silent, &mut stalled, &mut slow, &mut chunks] {
        assert!(client.read().starts_with(b"HTTP/1.1 408 "));
    }
    for client in [&mut idle, &mut silent, &mut stalled, &mut slow, &mut chunks] {
        assert!(client.is_at_end());
    }
    assert_eq!(moving.read(), echo_of("POST", "/b", &[b'm'; 33_000]));
    assert!(!moving.is_at_end());
    // The second body's time began with its request, and the caller's is another one.
    second.write(b"hello");
    let waits = site.asked.iter().find(|asked| asked.target == "/later").unwrap().id;
    answer_late(&mut site, waits);
    site.pump();
    assert_eq!(second.read(), echo_of("POST", "/s", b"hello").repeat(2));
    assert_eq!(waiting.read(), [answer_of_get, echo_of("GET", "/later", b"")].concat());
}
