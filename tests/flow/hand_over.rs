//! `ws_shutdown_callback` where the server hands over: once for each, when it begins; and at the drain's end for those
//! who have come since.

use rustix::process::Signal;

use super::{ask, launch};
use crate::handover::Chain;
use crate::harness::{Client, Frame, Launch, Process, Request};

/// The server that says goodbye, whose successor can open the journal.
fn chain(drain: &str) -> Chain {
    let root = rustix::process::geteuid().is_root();
    let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
    let launch = launch().everybodys().env("FLOW_LAST", "say 0 goodbye");
    Chain::start(
        Launch::args(launch, ["--log-stderr", "--drain", drain]).args(user.iter().copied()),
    )
}

/// How often that process has said a last word.
fn words(chain: &Chain, process: Process) -> usize {
    let pid = format!("pid={} ", process.0.as_raw_pid());
    let journal = chain.server.journal();
    journal.lines().filter(|line| line.starts_with("last ") && line.contains(&pid)).count()
}

fn answers_close(client: &mut Client, code: u16) {
    assert_eq!(client.receive().code(), Some(code));
    client.send(&Frame::close(code, ""));
    client.expect_end();
}

/// Once for each when it hands over, and those who are there are served on; at the end of the drain for who was accepted
/// since, alone.
#[test]
fn once_for_each() {
    let mut chain = chain("3");
    let first = chain.server.process();
    let mut asking = chain.server.raw();
    let request = Request::new().bytes();
    asking.send_and_drain(&request[..20]);
    let mut clients: Vec<_> = (0..3).map(|_| chain.server.connect()).collect();
    assert_eq!(ask(&mut clients[2], "pause 0"), "0");
    chain.hand_over();
    clients.iter_mut().for_each(|client| client.expect_text("goodbye"));
    clients[0].echo("served on");
    assert_eq!(words(&chain, first), 3);
    asking.send_bytes(&request[20..]);
    assert_eq!(asking.response().status, "HTTP/1.1 101 Switching Protocols");
    asking.echo("served, too");
    asking.expect_text("goodbye");
    answers_close(&mut asking, 1012);
    clients.iter_mut().for_each(|client| answers_close(client, 1012));
    assert_eq!(chain.server.wait(), Some(0), "{}", chain.server.stderr());
    assert_eq!(words(&chain, first), 4, "{}", chain.server.journal());
    let mut newcomer = chain.server.connect();
    newcomer.echo("hello");
    drop(newcomer);
    chain.stop();
}

/// SIGTERM during the drain: who has had the last word has it once.
#[test]
fn sigterm_meanwhile() {
    let mut chain = chain("600");
    let first = chain.server.process();
    let mut asking = chain.server.raw();
    let request = Request::new().bytes();
    asking.send_and_drain(&request[..20]);
    let mut client = chain.server.connect();
    client.echo("hello");
    let next = chain.hand_over();
    client.expect_text("goodbye");
    asking.send_bytes(&request[20..]);
    assert_eq!(asking.response().status, "HTTP/1.1 101 Switching Protocols");
    asking.echo("hello");
    first.signal(Signal::TERM);
    answers_close(&mut client, 1001);
    asking.expect_text("goodbye");
    answers_close(&mut asking, 1001);
    assert_eq!(chain.server.wait(), Some(0));
    assert_eq!((words(&chain, first), words(&chain, next)), (2, 0));
    let mut client = chain.server.connect();
    client.echo("hello");
    next.signal(Signal::TERM);
    client.expect_text("goodbye");
    answers_close(&mut client, 1001);
    chain.stop();
}

/// Where the new program does not start, nobody is told anything.
#[test]
fn none_where_it_fails() {
    let mut chain = chain("600");
    let mut client = chain.server.connect();
    client.echo("hello");
    let program = chain.server.process().link("exe");
    let aside = program.with_extension("aside");
    std::fs::rename(&program, &aside).expect("it is there");
    chain.server.signal(Signal::HUP);
    chain.server.await_stderr("this server goes on");
    client.echo("served on");
    assert_eq!(words(&chain, chain.server.process()), 0);
    std::fs::rename(&aside, &program).expect("it is there");
    drop(client);
    chain.stop();
}
