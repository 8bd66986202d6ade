//! c-examples/ctypes/echo.py: a server in Python.

use rustix::process::Signal;

use super::{launch, stops};
use crate::harness::{Launch, Need, Server, find, library, root, skipped};

/// The server, about to be started; `None` where the test must be skipped.
fn script() -> Option<Launch> {
    if skipped(&[Need::Tool("python3")]) {
        return None;
    }
    let python = find("python3").expect("it was found");
    let script = root().join("c-examples/ctypes/echo.py").display().to_string();
    let library = library().dir.join("libdorrit.so").display().to_string();
    let launch = launch(&python).env("LIBDORRIT", &library);
    // Nobody's settings count, and what Python compiles stays out of the sources.
    Some(launch.args(["-I", "-B", &script]))
}

fn heard(server: &Server, text: &str) {
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.text(text);
    for client in [&mut ann, &mut bob] {
        client.expect_text(text);
    }
}

#[test]
fn serves() {
    let Some(launch) = script() else { return };
    let mut server = launch.start();
    heard(&server, "hello");
    let mut client = server.connect();
    client.echo("");
    client.echo(&"x".repeat(60_000));
    client.send(&crate::harness::Frame::new(crate::harness::Op::BINARY, [0, 1, 2]));
    assert_eq!(client.receive().payload, [0, 1, 2]);
    stops(&mut server, &mut [&mut client]);
    assert!(server.complaints().is_empty(), "{}", server.stderr());
}

/// Ctrl-C reaches Python at once, though it waits for ever.
#[test]
fn is_interrupted() {
    let Some(launch) = script() else { return };
    let mut server = launch.start();
    heard(&server, "it waits, or is about to");
    server.stop_with(Signal::INT);
    assert!(server.complaints().is_empty(), "{}", server.stderr());
}

/// Where there is no server.
#[test]
fn leaves() {
    for (argument, code) in [("--help", 0), ("--nonsense", 2)] {
        let Some(launch) = script() else { return };
        super::leaves(launch.args([argument]), code);
    }
}
