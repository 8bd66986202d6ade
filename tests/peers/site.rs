//! What a visitor meets: nginx, and behind it the C server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::harness::{Frame, LIMIT, Launch, Request, Server};
use crate::proxies::{NGINX, Proxy, behind, missing};

/// The server of tests/c/probe.c, and nginx before it.
pub(crate) struct Site {
    // Dropped first: a server that is killed would leave errors in its log.
    nginx: Proxy,
    /// The server, which the operator sees from behind.
    pub(crate) server: Server,
}

impl Site {
    /// Starts both. `None` where the test must be skipped, which is said.
    pub(crate) fn open() -> Option<Site> {
        if missing(&NGINX) {
            return None;
        }
        let server = behind(Launch::probe()).start();
        // The kernel is to keep little for a visitor who does not read, so that it is the server who has to; and
        // nginx is to have patience with that visitor on a busy machine.
        let changes = [("listen 80", "listen 80 sndbuf=64k"), ("60s", "10m")];
        let nginx = Proxy::start_with(&NGINX, &server, &changes);
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
        stream
            .write_all(&[Request::new().line("GET /ws HTTP/1.1").bytes(), question].concat())
            .expect("nginx reads");
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
