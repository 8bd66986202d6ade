//! Errors of accept(2), and of what follows it, as strace(1) injects them.

use std::time::Duration;

use crate::harness::{Launch, Need, Server, Trace, skipped};

/// A server of which this call fails like that, each `when` of strace(1), and that says nothing else on stderr.
fn failing(call: &str, error: &str, when: &str) -> (Server, Trace) {
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:error={error}:when={when}");
    let (launch, trace) = Trace::of(Launch::probe(), &["-e", &trace, "-e", &inject]);
    (launch.start(), trace)
}

/// How many of its calls have failed so. The server must have been stopped.
fn injected(trace: &Trace, server: &Server) -> usize {
    server.await_nobody();
    trace.calls(server).iter().filter(|call| call.ends_with("(INJECTED)")).count()
}

/// CONTRACT S16: what accept(2) tells of one connection that waits is nobody else's affair: accepting goes on at
/// once, and nothing is said of it.
#[test]
fn errors_of_one_connection() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    for error in [
        "ECONNABORTED",
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "ENETDOWN",
        "ENETUNREACH",
        "ENONET",
        "ENOPROTOOPT",
        "EOPNOTSUPP",
        "EPERM",
        "EPROTO",
        "ETIMEDOUT",
    ] {
        let (mut server, trace) = failing("accept4", error, "2+2");
        let mut clients: Vec<_> = (0..10).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(|client| client.echo("hello"));
        drop(clients);
        server.stop();
        assert!(server.complaints().is_empty(), "{error}: {:?}", server.complaints());
        assert!(injected(&trace, &server) >= 5, "{error} was not injected");
    }
}

/// CONTRACT S16: a socket that tells nothing but such errors makes no busy loop, and is told once; who is there
/// is served.
#[test]
fn nothing_but_errors() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    // The first connection is the one that has found out that the server listens.
    let (mut server, trace) = failing("accept4", "EPROTO", "8+");
    let mut client = server.connect();
    // Each time that nobody waits is a call, too: the errors begin with one of these.
    let waiting: Vec<_> = (0..8).map(|_| server.raw()).collect();
    server.await_stderr("connections have to wait: ");
    assert!(!client.hears_within(Duration::from_secs(3)));
    client.echo("still here");
    drop((client, waiting));
    server.stop();
    assert_eq!(server.complaints().len(), 1, "{}", server.stderr());
    // A batch a second, and those of a machine that pauses.
    let count = injected(&trace, &server);
    assert!((64..1000).contains(&count), "{count} calls in three seconds");
}

/// CONTRACT S27, S16: a connection that cannot be watched is closed, which is told like any other failure to
/// accept; the next ones are served.
#[test]
fn a_connection_that_cannot_be_watched() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    // Those of the control pipe and of the listening socket succeed.
    let (mut server, trace) = failing("epoll_ctl", "ENOSPC", "3");
    server.await_stderr("connections have to wait: ");
    server.connect().echo("hello");
    server.stop();
    assert_eq!(server.complaints().len(), 1, "{}", server.stderr());
    assert_eq!(injected(&trace, &server), 1);
}
