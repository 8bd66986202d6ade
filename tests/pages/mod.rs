//! The files of -w as pages, on the listeners that there are.

mod connections;
mod files;
mod long_files;

use std::fs::{File, FileTimes, create_dir_all};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::harness::{Client, Launch, Response, Server};

/// Sun, 06 Nov 1994 08:49:37 GMT, the date that RFC 9110 writes in three ways.
const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn changed() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(784_111_777)
}

/// A server with a directory of pages, and what is beside it.
struct Site {
    server: Server,
    pages: PathBuf,
}

fn write(path: PathBuf, content: impl AsRef<[u8]>) {
    create_dir_all(path.parent().expect("it is in a directory")).expect("directories");
    std::fs::write(&path, content).expect("a file");
    let file = File::options().write(true).open(path).expect("it is there");
    file.set_times(FileTimes::new().set_modified(changed())).expect("a time");
}

fn start(launch: Launch) -> Site {
    let pages = launch.run_dir().join("www");
    write(pages.join("index.html"), "<p>hello</p>");
    write(pages.join("sub/index.html"), "below");
    write(pages.join("sub/deep/a b.txt"), "blanks");
    write(pages.join("empty/none.bin"), "");
    write(pages.join(".hidden"), "secret");
    write(pages.join(".git/config"), "secret");
    write(pages.join("sub/.hidden"), "secret");
    write(launch.run_dir().join("secret"), "secret");
    write(launch.run_dir().join("www2/secret"), "secret");
    Site { server: launch.args(["-w", "www"]).start(), pages }
}

fn site() -> Site {
    start(Launch::probe().tcp())
}

fn request(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// Asks on a connection that is kept.
fn ask(client: &mut Client, line: &str) -> (Response, Vec<u8>) {
    client.send_bytes(&request(line));
    let head = client.head();
    let length = if line.starts_with("HEAD") { 0 } else { head.length() };
    let body = client.bytes(length);
    (head, body)
}

fn get(client: &mut Client, target: &str) -> (Response, Vec<u8>) {
    ask(client, &format!("GET {target} HTTP/1.1"))
}

const OK: &str = "HTTP/1.1 200 OK";
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found";

/// No page was a connection for the program.
fn stop(mut server: Server) {
    assert!(!server.journal().contains("open "), "{}", server.journal());
    server.connect().echo("as ever");
    server.stop();
}
