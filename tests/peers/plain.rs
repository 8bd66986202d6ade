//! Visitors that are no WebSocket clients.

use std::io::{Read, Write};

use super::site::Site;
use crate::harness::Response;

/// CONTRACT S2: a browser that is pointed at the server learns why it sees nothing.
#[test]
fn a_plain_get_is_answered_426() {
    let Some(site) = Site::open() else {
        return;
    };
    for version in ["1.0", "1.1"] {
        let mut stream = site.raw();
        let request =
            format!("GET /ws HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("nginx reads");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer, and its end");
        let (response, length) = Response::parse(&bytes).expect("a whole answer");
        assert_eq!(length, bytes.len(), "nothing comes behind it");
        // What stands behind the code is nginx's: older ones do not know this code.
        assert!(response.status.starts_with("HTTP/1.1 426"), "{response:?}");
        assert_eq!(response.header("Sec-WebSocket-Version"), Some("13"), "{response:?}");
        assert!(response.header("Content-Type").is_some_and(|it| it.starts_with("text/plain")));
        assert!(!response.body.is_empty(), "{response:?}");
    }
    site.finish(0);
}
