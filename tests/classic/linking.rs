//! The ways in which people compile and link: in each, a classic program serves, and all its
//! callbacks run.

use crate::harness::{Frame, Op, Variant};
use crate::linking::{each_way, linked, runs_its_own_main};

each_way!(serves);

fn serves(variant: Variant) {
    let Some(launch) = linked("classic/probe.c", variant) else { return };
    let mut server = launch.start();
    assert!(super::last_start(&server).ends_with(" file=/etc/dorrit.conf"));
    let mut client = super::connect_for(&server, "say=welcome");
    client.expect_text("welcome");
    client.echo("hello");
    client.send(&Frame::text("in two ").unfinished());
    client.send(&Frame::new(Op::CONTINUATION, "parts"));
    client.expect_text("in two parts");
    assert_eq!(client.ask("!data 0"), "kept null kept");
    client.text("!misuse");
    client.expect_text("aaaaa");
    client.expect_text("-2 -2 -2 -2 0 0 0");
    assert_eq!(client.ask("!thread"), "nothing kept");
    server.await_journal("tick");
    client.send(&Frame::close(1000, ""));
    client.expect_close(1000);
    let line = server.await_journal("close 1 ");
    assert!(line.ends_with("buffer=same"), "{line}");
    let _still_there = server.connect();
    server.stop();
    server.await_journal("exit ");
    assert!(!server.stderr().contains("Sanitizer"), "{}", server.stderr());
}

mod own_main {
    use super::{Variant, each_way, runs_its_own_main};

    each_way!(runs);

    fn runs(variant: Variant) {
        runs_its_own_main("classic/own_main.c", variant);
    }
}
