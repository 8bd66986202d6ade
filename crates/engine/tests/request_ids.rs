//! The id of each request, which is no connection's and no other's (CONTRACT S6).

mod support;

use std::collections::HashSet;

use dorrit_engine::ConnId;
use dorrit_proto::MessageKind;
use support::site::*;
use support::*;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &[u8] = b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

/// The id of the connection, which makes its n-th plain request.
fn own(request: ConnId, number: u64) -> ConnId {
    ConnId::from_bits(request.to_bits() - (number << 32)).unwrap()
}

/// CONTRACT S6: the id of a request is its own: stale when it is answered, and no other's, whatever follows.
#[test]
fn stale_ids() {
    let mut site = Site::new(SITE);
    let (earlier, seen) = shared(Vec::new());
    site.decide = Box::new(move |engine, asked| {
        let mut earlier = earlier.borrow_mut();
        assert!(!earlier.contains(&asked.id), "an id is given anew");
        for id in &*earlier {
            assert_stale(engine, *id);
        }
        let number = earlier.len() as u64 + 1;
        if asked.plain.is_some() {
            assert_stale(engine, own(asked.id, number));
        }
        engine.set_tag(asked.id, 5);
        assert_eq!(engine.tag(asked.id), 5);
        assert!(engine.request(asked.id).is_some());
        // The other kind of answer does nothing.
        match asked.plain {
            Some(_) => {
                assert!(!engine.accept(asked.id, None, b""));
                assert_eq!(engine.send_to(asked.id, MessageKind::Text, b"no"), Ok(0));
                answer(engine, asked);
                assert_stale(engine, asked.id);
                assert_stale(engine, own(asked.id, number));
                earlier.push(asked.id);
            }
            None => assert!(engine.accept(asked.id, None, b"")),
        }
    });
    let mut client = site.client();
    client.write(&[GET, POST, POST].concat());
    site.pump();
    let answers = [echo_of("GET", "/a", b""), echo_of("POST", "/b", b"body").repeat(2)].concat();
    assert_eq!(client.read(), answers);
    for id in seen.borrow().iter() {
        assert_stale(site.engine(), *id);
    }
    client.write(REQUEST);
    site.pump();
    assert!(client.read().starts_with(b"HTTP/1.1 101 "));
    let id = site.last();
    assert_eq!(id, own(seen.borrow()[2], 3), "what it was all the time, as nobody knew");
    for stale in seen.borrow().iter() {
        assert_stale(site.engine(), *stale);
    }
    assert_eq!(
        (site.engine().tag(id), site.engine().send_to(id, MessageKind::Text, b"a")),
        (5, Ok(1))
    );
    site.pump();
    assert_eq!(client.read(), b"\x81\x01a");
    drop(client);
    site.assert_empty();
    assert_eq!(site.server.closed, [id]);
}

/// However often a place is used, also by engines that come later, no id is given twice.
#[test]
fn ids_of_thousands() {
    let mut all = HashSet::new();
    for round in 0..300 {
        let mut site = Site::new(SITE);
        for count in [round % 3, 1] {
            let mut client = site.client();
            client.write(&GET.repeat(count));
            if round % 2 == 0 {
                client.write(REQUEST);
            }
            site.pump();
            drop(client);
            site.pump_once();
        }
        assert!(site.asked.len() >= round % 3 + 1);
        for asked in &site.asked {
            assert!(all.insert(asked.id), "{:?} is given twice", asked.id);
        }
    }
    let mut site = Site::new(SITE);
    for round in 0..3000 {
        let mut client = site.client();
        client.write(&[&GET.repeat(round % 4), REQUEST].concat());
        site.pump();
        drop(client);
        site.pump_once();
    }
    assert!(site.asked.len() > 7000);
    for asked in &site.asked {
        assert!(all.insert(asked.id), "{:?} is given twice", asked.id);
    }
}
