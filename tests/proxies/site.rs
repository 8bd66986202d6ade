//! What a visitor meets: one of the web servers, and behind it the C server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::proxy::{Kind, Proxy};
use crate::harness::{LIMIT, Launch, Need, Response, Server, find, skipped};

/// The server as it is started to stand behind a web server, whose group it needs: only root may choose one.
pub(crate) fn behind(launch: Launch) -> Launch {
    let is_root = rustix::process::geteuid().is_root();
    launch.args(if is_root { &["-g", "www-data"][..] } else { &[] }.iter().copied())
}

/// Whether that web server, or what it needs, is not there, which is said.
pub(crate) fn missing(kind: &Kind) -> bool {
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let has_group = groups.lines().any(|line| line.starts_with("www-data:"));
    skipped(&[
        Need::Has(find(kind.program).is_some(), kind.missing),
        Need::Has(has_group, "there is no group www-data, which the configurations name"),
    ])
}

/// A server, and a web server before it.
pub(super) struct Site {
    // Dropped first: a server that is killed would leave errors in its log.
    pub(super) proxy: Proxy,
    pub(super) server: Server,
}

impl Site {
    /// Starts tests/c/probe.c and the web server. `None` where the test must be skipped, which is said.
    pub(super) fn open(kind: &'static Kind) -> Option<Site> {
        Site::open_with(kind, Launch::probe())
    }

    /// The same with another server.
    pub(super) fn open_with(kind: &'static Kind, launch: Launch) -> Option<Site> {
        if missing(kind) {
            return None;
        }
        let server = behind(launch).start();
        let proxy = Proxy::start(kind, &server);
        Some(Site { proxy, server })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.proxy.address()
    }

    /// What the web server says to these bytes.
    pub(super) fn answer(&self, bytes: &[u8]) -> Response {
        let stream = TcpStream::connect(self.address()).expect("the web server listens");
        answer(stream, bytes)
    }

    /// Both are there, and have been all the time; then the server is stopped.
    pub(super) fn finish(mut self) {
        assert!(self.proxy.lives(), "the web server has ended");
        self.server.connect().echo("as ever");
        self.server.stop();
    }
}

/// What is said on that stream to these bytes.
pub(super) fn answer(mut stream: TcpStream, bytes: &[u8]) -> Response {
    stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
    // A peer that has heard enough may close: what it says is read all the same.
    let _ = stream.write_all(bytes);
    let mut input = Vec::new();
    let mut part = [0; 4096];
    loop {
        if let Some((response, _)) = Response::parse(&input) {
            return response;
        }
        let count = stream.read(&mut part).unwrap_or_else(|e| panic!("{e} after {input:?}"));
        assert!(count > 0, "the end instead of an answer: {input:?}");
        input.extend(&part[..count]);
    }
}
