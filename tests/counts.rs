//! The numbers: system calls, allocations, bytes and processor time.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use crate::harness::{Client, Frame, Launch, Need, Server, Trace, Variant, say, skipped};

fn number(client: &mut Client, command: &str) -> i64 {
    client.ask(command).parse().expect("a number")
}

/// An echo costs two system calls, and one of the wait where nobody else shares it. There are none to
/// spare: the ceiling is what was reached.
#[test]
fn an_echo_costs_two_system_calls() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    const ECHOES: usize = 2000;
    let (launch, trace) = Trace::of(Launch::of("counts.c", Variant::Default), &[]);
    let mut server = launch.start();
    let mut client = server.connect();
    (0..100).for_each(|_| client.echo("warm"));
    client.ask("!mark");
    (0..ECHOES).for_each(|_| client.echo("hello"));
    client.ask("!mark");
    drop(client);
    server.stop();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in trace.between_marks(&server) {
        *counts.entry(call.split('(').next().unwrap_or("").to_owned()).or_default() += 1;
    }
    say(&format!("{ECHOES} echoes, one at a time: {counts:?}"));
    let mut take =
        |names: &[&str]| -> usize { names.iter().filter_map(|it| counts.remove(*it)).sum() };
    let received = take(&["recvfrom", "recvmsg", "read"]);
    let sent = take(&["sendto", "sendmsg", "write", "writev"]);
    let waited = take(&["epoll_wait", "epoll_pwait", "epoll_pwait2"]);
    // The last mark's question was received between the marks, and the first one's answer sent.
    assert_eq!((received, sent), (ECHOES + 1, ECHOES + 1));
    assert!(waited <= ECHOES + 1, "{waited} waits");
    assert!(counts.is_empty(), "and nothing else: {counts:?}");
}

/// What an echo of twenty bytes costs in user space. Each ceiling is 2 % above what was reached.
#[test]
fn instructions_of_an_echo() {
    if skipped(&[Need::Tool("valgrind")]) {
        return;
    }
    for (in_flight, most) in [(1, 1381), (16, 404)] {
        let each = instructions_each(in_flight);
        say(&format!("an echo, {in_flight} in flight: {each} instructions in user space"));
        assert!(each <= most, "{each} instructions, {in_flight} in flight");
    }
}

/// The program's and the libraries' instructions for each echo, of so many that arrive together.
fn instructions_each(in_flight: usize) -> u64 {
    const ROUNDS: [u64; 2] = [200, 1200];
    let [few, many] = ROUNDS.map(|rounds| {
        let launch = Launch::of("counts.c", Variant::Default);
        let profile = launch.dir().join("out/profile");
        // The server is somebody else when it writes it.
        std::fs::write(&profile, "").expect("a file");
        std::fs::set_permissions(&profile, Permissions::from_mode(0o666)).expect("its mode");
        let file = format!("--callgrind-out-file={}", profile.display());
        let mut server = launch.under(["valgrind", "-q", "--tool=callgrind", &file]).start();
        let mut client = server.connect();
        let text = "twenty bytes of text";
        let packet = Frame::text(text).bytes().repeat(in_flight);
        for _ in 0..rounds {
            client.send_bytes(&packet);
            (0..in_flight).for_each(|_| client.expect_text(text));
        }
        drop(client);
        server.stop();
        let profile = std::fs::read_to_string(profile).expect("callgrind has written");
        let total = profile.lines().find_map(|line| line.strip_prefix("totals: "));
        total.and_then(|total| total.parse::<u64>().ok()).expect("a number of instructions")
    });
    (many - few) / ((ROUNDS[1] - ROUNDS[0]) * in_flight as u64)
}

/// An echo on a warm connection allocates nothing, whoever else is there.
#[test]
fn an_echo_allocates_nothing() {
    let mut server = Launch::of("counts.c", Variant::Default).start();
    let mut clients: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for client in &mut clients {
        (0..20).for_each(|_| client.echo("warm"));
    }
    let before = number(&mut clients[0], "!allocations");
    for _ in 0..40 {
        clients.iter_mut().for_each(|client| client.text("hello"));
        clients.iter_mut().for_each(|client| client.expect_text("hello"));
    }
    let one_each = number(&mut clients[0], "!allocations") - before;
    burst(&mut clients[1]);
    let before = number(&mut clients[0], "!allocations");
    (0..20).for_each(|_| burst(&mut clients[1]));
    let bursts = number(&mut clients[0], "!allocations") - before;
    say(&format!("2000 echoes of fifty clients: {one_each} allocations; 2000 of one: {bursts}"));
    assert_eq!((one_each, bursts), (0, 0));
    drop(clients);
    server.stop();
}

fn burst(client: &mut Client) {
    client.send_bytes(&Frame::text("hello").bytes().repeat(100));
    (0..100).for_each(|_| client.expect_text("hello"));
}

/// Ten thousand idle connections: each under 200 bytes of resident memory, and together no processor
/// time. The ceiling of what is allocated, the loop's own buffers among it, is 5 % above what was
/// reached.
#[test]
fn ten_thousand_idle_connections() {
    const COUNT: usize = 10_000;
    const MOST: i64 = 224;
    if skipped(&[Need::Descriptors(COUNT as u64 + 1000)]) {
        return;
    }
    raise_our_own_limit();
    let most = (COUNT + 1).to_string();
    let mut server = Launch::of("counts.c", Variant::Default).args(["-m", &most]).start();
    let mut asker = server.connect();
    asker.echo("warm");
    let at_first = number(&mut asker, "!bytes");
    let resident = server.process().resident();
    let idle: Vec<Client> = (0..COUNT).map(|_| connected_and_used(&server)).collect();
    // What the process has allocated altogether: what was taken at the start for connections to
    // come is in it.
    let all = number(&mut asker, "!bytes");
    let each = all / COUNT as i64;
    let resident = (server.process().resident() - resident) / COUNT as u64;
    say(&format!(
        "{COUNT} idle connections: {each} bytes allocated for each ({} since the first), \
         {resident} resident",
        (all - at_first) / COUNT as i64
    ));
    assert!(each <= MOST, "{each} bytes");
    assert!(resident <= 200, "{resident} bytes");

    // The two seconds are what is measured: two hundred ticks, if the loop were busy.
    let before = server.process().ticks();
    assert!(!asker.hears_within(Duration::from_secs(2)));
    let used = server.process().ticks() - before;
    say(&format!("{COUNT} idle connections: {used} ticks of processor time in two seconds"));
    assert_eq!(used, 0);

    drop(idle);
    drop(asker);
    server.stop();
}

fn connected_and_used(server: &Server) -> Client {
    let mut client = server.connect();
    client.echo("hello");
    client
}

/// Ten thousand connections take as many descriptors on this side.
pub(crate) fn raise_our_own_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .expect("up to the hard limit");
}
