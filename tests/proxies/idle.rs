//! Silence: each web server ends it after a minute, unless the server asks whether the visitor is there.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::caddy::CADDY;
use super::haproxy::HAPROXY;
use super::httpd::HTTPD;
use super::lighttpd::LIGHTTPD;
use super::nginx::NGINX;
use super::proxy::Kind;
use super::site::Site;
use crate::harness::Launch;
use crate::peers::{Visitor, run};

/// How long nobody says anything: longer than any of the web servers has patience.
const SILENCE: Duration = Duration::from_secs(90);
/// From then on a web server may lose it.
const PATIENCE: Duration = Duration::from_secs(55);

/// Through all of them side by side.
#[test]
fn ninety_seconds() {
    let kinds = [&CADDY, &HAPROXY, &HTTPD, &LIGHTTPD, &NGINX];
    let there: Vec<_> = kinds.into_iter().filter(|kind| !super::missing(kind)).collect();
    let mut silent: Vec<JoinHandle<()>> = Vec::new();
    for kind in there {
        silent.push(std::thread::spawn(|| is_held(kind)));
        if kind.has_limit {
            silent.push(std::thread::spawn(|| would_end(kind)));
        }
    }
    let failed = silent.into_iter().map(JoinHandle::join).filter(Result::is_err).count();
    assert_eq!(failed, 0, "so many lines did not do what they must");
}

/// The server's pings hold the line, with its settings as they come.
fn is_held(kind: &'static Kind) {
    let site = Site::open(kind).expect("it is there");
    run(async {
        let mut visitor = Visitor::connect(site.address()).await;
        let start = Instant::now();
        let mut pings = 0;
        while let Ok(next) = timeout(SILENCE.saturating_sub(start.elapsed()), visitor.wait()).await
        {
            match next {
                Some(Ok(Message::Ping(_))) => pings += 1,
                other => panic!("{}: {other:?} after {:?}", kind.program, start.elapsed()),
            }
        }
        assert!(pings > 0, "{}: no ping in {:?}", kind.program, start.elapsed());
        visitor.echo(Message::text("as ever")).await;
        visitor.leave().await;
    });
    site.finish();
}

/// Without them the web server ends the line: there is something to hold it against.
fn would_end(kind: &'static Kind) {
    let site = Site::open_with(kind, Launch::probe().args(["--ping", "0"])).expect("it is there");
    run(async {
        let mut visitor = Visitor::connect(site.address()).await;
        let start = Instant::now();
        let end = timeout(SILENCE, visitor.wait()).await;
        let end = end.unwrap_or_else(|_| panic!("{} has no limit", kind.program));
        assert!(!matches!(end, Some(Ok(_))), "{}: {end:?}", kind.program);
        assert!(start.elapsed() > PATIENCE, "{}: {:?}", kind.program, start.elapsed());
    });
    site.finish();
}
