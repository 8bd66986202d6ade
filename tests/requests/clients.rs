//! Clients that others have written.

use std::process::Command;

use super::launch;
use crate::harness::{Need, Server, output, skipped};

fn url(server: &Server, target: &str) -> String {
    format!("http://{}{target}", server.tcp()[0])
}

fn curl(server: &Server, target: &str, arguments: &[&str]) -> String {
    output(
        Command::new("curl")
            .args(["-sS", "--max-time", "60"])
            .args(arguments)
            .arg(url(server, target)),
    )
}

/// curl: two requests on one connection, HTTP/1.0, a chunked body, one that waits to be told, HEAD, and headers.
#[test]
fn by_curl() {
    if skipped(&[Need::Tool("curl")]) {
        return;
    }
    let mut server = launch().tcp().start();
    let (first, second) = (url(&server, "/1"), url(&server, "/2"));
    let two = ["-v", "-d", "a", &first, "--next", "-sS", "-d", "b"];
    let said = Command::new("curl").args(two).arg(&second).output().expect("curl runs");
    assert_eq!(said.stdout, b"ab");
    let told = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(told.contains("Re-using existing"), "{told}");
    assert_eq!(curl(&server, "/", &["--http1.0", "-d", "older"]), "older");
    let file = server.run_dir().join("file");
    std::fs::write(&file, "x".repeat(60_000)).expect("a file");
    let path = file.display().to_string();
    let piped = format!("curl -sS --max-time 60 -T - '{}' < '{path}'", url(&server, "/put"));
    assert_eq!(output(Command::new("sh").args(["-c", &piped])).len(), 60_000);
    let waits = ["-H", "Expect: 100-continue", "--expect100-timeout", "50", "-T", &path, "-v"];
    let said =
        Command::new("curl").args(waits).arg(url(&server, "/put")).output().expect("it runs");
    assert_eq!(said.stdout.len(), 60_000);
    assert!(String::from_utf8_lossy(&said.stderr).contains("HTTP/1.1 100 Continue"));
    let head = curl(&server, "/", &["-I", "-H", "X-Do: body 0 four;add 0 X-A=b"]);
    assert!(
        head.contains("\r\nContent-Length: 4\r\n") && head.contains("\r\nX-A: b\r\n"),
        "{head}"
    );
    let status =
        curl(&server, "/", &["-o", "/dev/null", "-w", "%{http_code}", "-H", "X-Do: return 418"]);
    assert_eq!(status, "418");
    let limit = ["-o", "/dev/null", "-w", "%{http_code}", "-d", &"x".repeat(70_000)];
    assert_eq!(curl(&server, "/", &limit), "413");
    server.stop();
}

const PYTHON: &str = "
import http.client, sys
conn = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=60)
for body in [None, b'', bytes(range(256)), b'x' * 65536]:
    conn.request('POST' if body is not None else 'GET', '/python', body)
    answer = conn.getresponse()
    assert answer.status == 200 and answer.version == 11, answer.status
    assert answer.read() == (body or b''), body
    assert answer.getheader('Date')
sock = conn.sock
conn.request('PUT', '/chunks', iter([b'a' * 10, b'b' * 1000]), encode_chunked=True,
             headers={'Transfer-Encoding': 'chunked'})
assert conn.getresponse().read() == b'a' * 10 + b'b' * 1000
conn.request('HEAD', '/head', headers={'X-Do': 'body 0 text'})
answer = conn.getresponse()
assert answer.getheader('Content-Length') == '4' and answer.read() == b''
for status in [204, 304, 404, 500]:
    conn.request('GET', '/', headers={'X-Do': 'body 0 text;return %d' % status})
    answer = conn.getresponse()
    assert answer.status == status
    assert answer.read() == (b'' if status in (204, 304) else b'text')
conn.request('GET', '/late', headers={'X-Do': 'defer 0;body 0 late;post 0 200;return 0'})
assert conn.getresponse().read() == b'late'
assert conn.sock is sock, 'the connection was not kept'
print('all')
";

/// Python's own client, on one connection that stays.
#[test]
fn by_python() {
    if skipped(&[Need::Tool("python3")]) {
        return;
    }
    let mut server = launch().tcp().start();
    let port = server.tcp()[0].port().to_string();
    assert_eq!(output(Command::new("python3").args(["-c", PYTHON, &port])), "all\n");
    server.stop();
}

/// wrk, which sends as fast as it can: no answer is missing, and none is another one.
#[test]
fn by_wrk() {
    if skipped(&[Need::Tool("wrk")]) {
        return;
    }
    let mut server = launch().env("REQUESTS_QUIET", "yes").tcp().start();
    let mut other = server.connect();
    let wrk = Command::new("wrk")
        .args(["-t1", "-c50", "-d1s", "-H", "X-Do: body 0 text"])
        .arg(url(&server, "/wrk"))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("wrk runs");
    (0..100).for_each(|_| other.echo("meanwhile"));
    let said = wrk.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains(" requests in "), "{said}");
    for fault in ["Socket errors", "Non-2xx"] {
        assert!(!said.contains(fault), "{said}");
    }
    drop(other);
    server.stop();
}
