//! Requests whose server ends, is replaced, or whose callback throws.

use rustix::process::Signal;

use super::{OK, answer, ask, command, count, doing, get, launch, opening};
use crate::handover::Chain;
use crate::harness::{Launch, Need, Variant, skipped};

/// CONTRACT S10: those that wait are answered 503 or closed, each is told of once, and the status is 0.
#[test]
fn sigterm_while_decisions_are_awaited() {
    let mut server = launch().start();
    let mut kept = server.raw();
    assert_eq!(ask(&mut kept, &get("/", "")).0.status, OK);
    let mut clients = Vec::new();
    for number in 2..10 {
        let mut client = server.raw();
        let request = match number % 2 {
            0 => doing("defer 0;body 0 x;return 0"),
            _ => opening("defer 0;send 0 x").bytes(),
        };
        client.send_bytes(&request);
        clients.push(client);
    }
    let told = crate::harness::until(|| {
        let journal = server.journal();
        (journal.matches("request return 0: 0\n").count() == 4
            && journal.matches("open send 0 x: 1\n").count() == 4)
            .then_some(())
    });
    assert!(told.is_some(), "{}", server.journal());
    let mut half = server.raw();
    half.send_bytes(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
    server.stop();
    for client in &mut clients {
        let said = client.bytes(10_000);
        let said = String::from_utf8(said).expect("text, and no frame");
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 503 "), "{said}");
    }
    kept.expect_end();
    for number in 2..10 {
        assert_eq!(count(&server, &format!("close {number} ")), 1, "{}", server.journal());
    }
    assert_eq!(server.await_journal("exit "), "exit 8");
}

/// SIGHUP: who waits is still decided on by the server that was asked; the new one answers new clients.
#[test]
fn a_hand_over_while_decisions_are_awaited() {
    let launch = launch().everybodys().args(["--log-stderr", "--drain", "30"]);
    let mut chain = Chain::start(launch);
    let mut control = chain.server.connect();
    let mut request = chain.server.raw();
    request.send_bytes(&doing("defer 0;keep 0 7;return 0"));
    let mut upgrade = chain.server.raw();
    upgrade.send_bytes(&opening("defer 0;keep 0 8").bytes());
    for number in ["2", "3"] {
        let kept = ["7", "8"];
        let told = crate::harness::until(|| {
            kept.contains(&&*command(&mut control, &format!("kept {number}"))).then_some(())
        });
        assert!(told.is_some(), "{}", chain.server.journal());
    }
    chain.hand_over();
    let mut newer = chain.server.raw();
    assert_eq!(ask(&mut newer, &get("/new", "")).0.status, OK);
    for number in ["2", "3"] {
        let call = if command(&mut control, &format!("kept {number}")) == "7" {
            format!("respond {number} 202")
        } else {
            format!("accept {number}")
        };
        assert_eq!(command(&mut control, &call), "0", "{call}");
    }
    let (head, _) = answer(&mut request);
    assert_eq!(
        (&*head.status, head.header("Connection")),
        ("HTTP/1.1 202 Accepted", Some("close"))
    );
    request.expect_end();
    assert_eq!(upgrade.response().status, "HTTP/1.1 101 Switching Protocols");
    upgrade.echo("served by the older one");
    drop((control, upgrade, newer));
}

/// CONTRACT S26: an exception that leaves `ws_request_callback` ends the program where it was thrown.
#[test]
fn an_exception() {
    if skipped(&[Need::Tool(Variant::Cxx.compiler())]) {
        return;
    }
    let mut server = Launch::of("requests_throws.cc", Variant::Cxx).start();
    let mut client = server.raw();
    assert_eq!(ask(&mut client, &get("/", "")).0.status, OK);
    client.send_bytes(&get("/throws", ""));
    assert_eq!(server.wait_signal(), Signal::ABORT.as_raw(), "{}", server.stderr());
    let said = server.stderr();
    assert!(said.ends_with("it ends: /throws, the stack of the throw is there\n"), "{said}");
}
