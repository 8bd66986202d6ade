//! `make run` in a copy of the installed examples: a chat that one can open, or what to do instead.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::harness::{Client, Need, installation, root, skipped, until};

/// It runs in a group of processes of its own, as in a terminal.
struct Run {
    make: Child,
    output: std::path::PathBuf,
}

impl Run {
    fn start(make: &str, dir: &Path, port: u16) -> Run {
        let output = dir.join(format!("output-{make}"));
        let file = std::fs::File::create(&output).expect("a file");
        let errors = file.try_clone().expect("the same file");
        let mut command = Command::new(make);
        command
            .args(["-s", "run", &format!("PORT={port}")])
            .env("PKG_CONFIG_PATH", installation().join("lib/pkgconfig"))
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .process_group(0);
        Run { make: command.spawn().expect("make runs"), output }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.output).expect("its output")
    }

    fn await_line(&self, part: &str) {
        let came = until(|| self.said().contains(part).then_some(()));
        assert!(came.is_some(), "no {part:?} in:\n{}", self.said());
    }

    /// As Ctrl-C does; what it does to a group that has gone is nothing.
    fn interrupt(&self) {
        let _ = kill_process_group(Pid::from_child(&self.make), Signal::INT);
    }

    fn wait(&mut self) -> bool {
        let ended = until(|| self.make.try_wait().expect("our child"));
        ended.unwrap_or_else(|| panic!("it does not end:\n{}", self.said())).success()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.make), Signal::KILL);
        let _ = self.make.wait();
    }
}

fn play(make: &'static str) {
    if skipped(&[Need::Tool(make), Need::Tool("pkg-config")]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let copied = Command::new("cp")
        .arg("-R")
        .arg(installation().join("share/examples/dorrit/."))
        .arg(dir.path())
        .status();
    assert!(copied.expect("cp runs").success());

    // Taken, while the listener is there.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address: SocketAddr = listener.local_addr().expect("its address");
    let mut refused = Run::start(make, dir.path(), address.port());
    assert!(!refused.wait());
    refused.await_line("in use, take another: make run PORT=");
    drop(listener);

    let mut run = Run::start(make, dir.path(), address.port());
    run.await_line(&format!("listening on {address}"));
    run.await_line(&format!("http://{address}/"));
    run.await_line("ws_read_callback() in chat.c");
    let mut client = Client::raw_tcp(address);
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let page = std::fs::read_to_string(root().join("c-examples/chat/index.html"));
    assert!(client.response().body == page.expect("the page"));
    run.interrupt();
    run.wait();
    let gone = until(|| TcpListener::bind(address).ok());
    assert!(gone.is_some(), "the server goes on:\n{}", run.said());
}

#[test]
fn gnu_make() {
    play("make");
}

#[test]
fn bsd_make() {
    play("bmake");
}
