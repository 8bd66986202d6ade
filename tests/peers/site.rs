//! What a visitor meets: nginx, and behind it the C server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::nginx::Nginx;
use crate::harness::{Frame, LIMIT, Launch, Need, Request, Server, skipped};

/// The server of tests/c/probe.c, and nginx before it.
pub(crate) struct Site {
    // Dropped first: a server that is killed would leave errors in its log.
    nginx: Nginx,
    /// The server, which the operator sees from behind.
    pub(crate) server: Server,
}

impl Site {
    /// Starts both. `None` where the test must be skipped, which is said.
    pub(crate) fn open() -> Option<Site> {
        let program = Nginx::find();
        if skipped(&[Need::Has(program.is_some(), "nginx is not installed")]) {
            return None;
        }
        let server = Launch::probe().start();
        let nginx = Nginx::start(&program?, &server);
        Some(Site { nginx, server })
    }

    /// Where visitors connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.nginx.address()
    }

    /// A TCP connection on which nothing has been said.
    pub(crate) fn raw(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).expect("nginx listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        stream.set_write_timeout(Some(LIMIT)).expect("a timeout");
        stream
    }

    /// A TCP connection that is upgraded, of which nothing has been read behind that; and its number.
    pub(crate) fn unread(&self) -> (TcpStream, u32) {
        let mut stream = self.raw();
        let question = Frame::text("!id").bytes();
        stream.write_all(&[Request::new().bytes(), question].concat()).expect("nginx reads");
        let mut byte = || {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the server answers");
            byte[0]
        };
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(byte());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        assert_eq!(byte(), 0x81, "a whole text");
        let number: String = (0..byte()).map(|_| char::from(byte())).collect();
        (stream, number.parse().expect("a number"))
    }

    /// All visitors have gone: there were so many, and each connection was closed, once, while the server went on
    /// (CONTRACT S5). Then the server is stopped.
    pub(crate) fn finish(mut self, connections: usize) {
        for number in 1..=connections {
            self.server.await_journal(&format!("close {number} "));
        }
        self.server.stop();
        let journal = self.server.journal();
        let count = |kind| journal.lines().filter(|line| line.starts_with(kind)).count();
        assert_eq!((count("open "), count("close ")), (connections, connections), "{journal}");
    }
}
