//! Exceptions of C++ that leave a function of the program's.

use rustix::process::Signal;

use crate::harness::{Launch, Need, Server, Variant, skipped};

/// Starts a program of which this function throws, and makes it do so.
fn throw(source: &'static str, function: &str) {
    let launch = Launch::of(source, Variant::Cxx).env("THROWS", function);
    // These throw by themselves, some maybe before anybody has connected.
    let alone = ["init", "start", "periodic", "post", "timer", "watch"];
    let said = if alone.contains(&function) {
        let ended = launch.args(["-x"]).run();
        assert_eq!(ended.code, None, "{}", ended.stderr);
        ended.stderr
    } else {
        let mut server = launch.start();
        provoke(&server, function);
        assert_eq!(server.wait_signal(), Signal::ABORT.as_raw(), "{}", server.stderr());
        server.stderr()
    };
    let wanted = format!("it ends: {function}, the stack of the throw is there\n");
    assert!(said.ends_with(&wanted), "{function}: {said}");
}

fn provoke(server: &Server, function: &str) {
    match function {
        "open" => server.raw().send_bytes(&crate::harness::Request::new().bytes()),
        "read" => server.connect().text("x"),
        "close" => drop(server.connect()),
        "drain" => {
            let mut client = server.connect();
            client.text("x");
            // It is more than a socket holds, and all of it is queued when another client is answered.
            let _another = server.connect();
            (0..100).for_each(|_| drop(client.receive()));
        }
        "exit" => server.signal(Signal::TERM),
        other => panic!("{other} is no function"),
    }
}

/// CONTRACT S26: the program's own terminate handler gets the exception, where it was thrown.
#[test]
fn each_function_may_throw() {
    if skipped(&[Need::Tool(Variant::Cxx.compiler())]) {
        return;
    }
    for function in ["init", "start", "open", "read", "close", "drain", "periodic", "exit"] {
        throw("throws.cc", function);
    }
}

/// CONTRACT S26: and so may those that were posted, and those for timers and descriptors.
#[test]
fn each_function_of_a_task_may_throw() {
    if skipped(&[Need::Tool(Variant::Cxx.compiler())]) {
        return;
    }
    for function in ["post", "timer", "watch"] {
        throw("throws.cc", function);
    }
}

/// CONTRACT S26: the same under libdorrit(8).
#[test]
fn each_function_of_the_older_interface_may_throw() {
    if skipped(&[Need::Tool(Variant::Cxx.compiler())]) {
        return;
    }
    for function in ["init", "open", "read", "close", "periodic", "exit"] {
        throw("classic/throws.cc", function);
    }
}
