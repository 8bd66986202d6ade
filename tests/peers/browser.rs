//! A browser: a page that visits the server through nginx, and says how it went.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::beyond::server;
use crate::browser::chromium_program;
use crate::harness::{LIMIT, Need, root, skipped, until};
use crate::proxies::{NGINX, Proxy, behind, missing};

/// USERS 35: compression, sub-protocols, long messages, close codes and origins, by Chromium.
#[test]
fn chromium() {
    let browser = chromium_program();
    if skipped(&[Need::Has(browser.is_some(), "no Chromium is installed")]) || missing(&NGINX) {
        return;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("its address"));
    // No page but ours may visit.
    let mut server = behind(server().args(["--origin", &origin])).start();
    let nginx = Proxy::start(&NGINX, &server);
    let page = std::fs::read_to_string(root().join("tests/peers/browser.html")).expect("the page");
    let page = page.replace("ADDRESS", &nginx.address().to_string());
    let _browser = Browser::start(&browser.expect("it was found"), &origin);
    assert_eq!(serve(&listener, &page), "ok");
    let exits = server.journal().matches("code=3001").count();
    assert_eq!(exits, 4, "{}", server.journal());
    server.stop();
}

struct Browser {
    child: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Opens the page in a profile of its own. The sandbox is not for root.
    fn start(program: &Path, url: &str) -> Browser {
        let profile = tempfile::tempdir().expect("a temporary directory");
        let child = Command::new(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--no-proxy-server"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(["--remote-debugging-port=0", url])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Browser { child: child.expect("it was there a moment ago"), _profile: profile }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its processes end with the first one.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives the page to whoever asks, until it reports: what it has said.
fn serve(listener: &TcpListener, page: &str) -> String {
    listener.set_nonblocking(true).expect("a listener");
    // A browser that starts on a busy machine, and the page, may each take the limit.
    for _ in 0..4 {
        let reported = until(|| match listener.accept() {
            Ok((stream, _)) => answer(stream, page),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("cannot accept: {error}"),
        });
        if let Some(text) = reported {
            return text;
        }
    }
    panic!("the page does not report");
}

/// One request, one answer; what a report says.
fn answer(mut stream: TcpStream, page: &str) -> Option<String> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    let mut request = Vec::new();
    let (head, body) = loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).ok().filter(|count| *count > 0)?;
        request.extend(&part[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            break (head.to_owned(), body.to_owned());
        }
    };
    let is_page = head.starts_with("GET / ");
    let body_out = if is_page { page } else { "" };
    let answer = format!(
        "HTTP/1.1 {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body_out}",
        if is_page { "200 OK" } else { "204 No Content" },
        body_out.len()
    );
    stream.write_all(answer.as_bytes()).ok()?;
    head.starts_with("POST /report ").then_some(body)
}
