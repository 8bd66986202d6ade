//! Requests that the program answers, by the C API and as clients see them: `ws_request_callback` and the functions
//! beside it. The server is tests/c/requests.c.

mod access_log;
mod addresses;
mod adoption;
mod alone;
mod answers;
mod bodies;
mod clients;
mod deferred;
mod ends;
mod forms;
mod functions;
mod headers;
mod load;
mod many;

use crate::harness::{Client, Launch, Request, Response, Server, Variant};

const OK: &str = "HTTP/1.1 200 OK";

fn launch() -> Launch {
    Launch::of("requests.c", Variant::Default)
}

/// A GET of that target with these lines of the head more, each with its end.
fn get(target: &str, lines: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n").into_bytes()
}

/// A GET for which the callback makes these calls.
fn doing(calls: &str) -> Vec<u8> {
    get("/do", &format!("X-Do: {calls}\r\n"))
}

/// An upgrade for which the open callback makes these calls.
fn opening(calls: &str) -> Request {
    Request::new().with("X-Do", calls)
}

fn post(body: &[u8]) -> Vec<u8> {
    let head = format!("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The answer to what was sent: its head and its body.
fn answer(client: &mut Client) -> (Response, Vec<u8>) {
    let head = client.head();
    let body = client.bytes(head.length());
    (head, body)
}

fn ask(client: &mut Client, bytes: &[u8]) -> (Response, Vec<u8>) {
    client.send_bytes(bytes);
    answer(client)
}

/// What that call returned in the callback that it names: "open", "request" or "did".
fn returned(server: &Server, call: &str) -> String {
    let beginning = format!("{call}: ");
    server.await_journal(&beginning)[beginning.len()..].to_owned()
}

/// Has the read callback of that client make a call: what it returned.
fn command(client: &mut Client, call: &str) -> String {
    client.ask(&format!("!{call}"))
}

/// How many lines of the journal begin so.
fn count(server: &Server, beginning: &str) -> usize {
    server.journal().lines().filter(|line| line.starts_with(beginning)).count()
}

/// Has a server make calls for a request, and sees what each has returned.
fn sees(server: &Server, request: impl Fn(&str) -> Vec<u8>, place: &str, calls: &[(&str, &str)]) {
    let list: Vec<&str> = calls.iter().map(|(call, _)| *call).collect();
    let mut client = server.raw();
    client.send_bytes(&request(&list.join(";")));
    client.head();
    for (call, value) in calls {
        assert_eq!(returned(server, &format!("{place} {call}")), *value, "{place} {call}");
    }
}
