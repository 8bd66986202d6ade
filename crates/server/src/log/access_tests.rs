use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

use nix::sys::stat::Mode as NixMode;
use nix::unistd::mkfifo;

use super::*;

/// 26 November 2026, 15:19:04 UTC.
const SECOND: u64 = 1_795_706_344;

/// A directory of a test's own, removed at its end.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("access-log-{test}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn log(&self) -> PathBuf {
        self.0.join("a.log")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(path: &Path) -> AccessLog {
    AccessLog::open(&AccessDestination::File(path.into())).unwrap()
}

fn request(head: &[u8]) -> Request {
    let mut request = Request::new().unwrap();
    assert_eq!(request.receive(head, 0).unwrap(), Some(head.len()));
    request
}

/// The line of a request from `192.0.2.7` that was answered with 200 and ten bytes.
fn line(head: &[u8]) -> String {
    let request = request(head);
    let mut log = open(Path::new("/dev/null"));
    let entry =
        Entry { address: Some("192.0.2.7"), request: Some(&request), status: 200, bytes: 10 };
    log.write_at(SECOND, &entry);
    String::from_utf8(log.buffer.clone()).unwrap()
}

const NOTHING: Entry<'static> = Entry { address: None, request: None, status: 400, bytes: 0 };
const NOTHINGS_LINE: &str = "- - - [26/Nov/2026:15:19:04 +0000] \"-\" 400 0 \"-\" \"-\"\n";

#[test]
fn the_combined_format() {
    let head = b"POST /x?y=1 HTTP/1.1\r\nHost: a\r\nUser-Agent: Mozilla/5.0 (X11)\r\n\
        Referer: https://example.org/\r\n\r\n";
    let expected = "192.0.2.7 - - [26/Nov/2026:15:19:04 +0000] \"POST /x?y=1 HTTP/1.1\" 200 10 \
        \"https://example.org/\" \"Mozilla/5.0 (X11)\"\n";
    assert_eq!(line(head), expected);
}

#[test]
fn what_is_missing_is_a_dash() {
    assert!(line(b"GET / HTTP/1.0\r\n\r\n").ends_with("\"GET / HTTP/1.0\" 200 10 \"-\" \"-\"\n"));
    let empty = b"GET / HTTP/1.1\r\nReferer:\r\nUser-Agent: \r\n\r\n";
    assert!(line(empty).ends_with("200 10 \"-\" \"-\"\n"));
    let mut log = open(Path::new("/dev/null"));
    log.write_at(SECOND, &NOTHING);
    assert_eq!(log.buffer, NOTHINGS_LINE.as_bytes());
}

/// A client can neither end a line nor a quoted text.
#[test]
fn bytes_that_could_break_a_line_are_escaped() {
    let head =
        b"GET /\\\" HTTP/1.1\r\nReferer: \"\t\"\r\nUser-Agent: a\x80\xc3\xa9b \\\" 200\r\n\r\n";
    let expected =
        r#""GET /\x5C\x22 HTTP/1.1" 200 10 "\x22\x09\x22" "a\x80\xC3\xA9b \x5C\x22 200""#;
    assert!(line(head).ends_with(&format!("{expected}\n")), "{}", line(head));
    let mut buffer = Vec::new();
    let all: Vec<u8> = (0..=255).collect();
    escape(&mut buffer, &all).unwrap();
    assert_eq!(buffer.len(), 256 + 3 * (256 - 93));
    let is_visible = |byte: &u8| (b' '..=b'~').contains(byte) && *byte != b'"';
    assert!(buffer.iter().all(is_visible));
}

#[test]
fn dates_are_those_of_utc() {
    let mut date = Date::NONE;
    for (second, text) in [
        (0, "01/Jan/1970:00:00:00 +0000"),
        (SECOND, "26/Nov/2026:15:19:04 +0000"),
        (SECOND, "26/Nov/2026:15:19:04 +0000"),
        (951_782_400, "29/Feb/2000:00:00:00 +0000"),
        (u64::MAX, "31/Dec/9999:23:59:59 +0000"),
    ] {
        assert_eq!(date.at(second), text.as_bytes());
    }
}

/// CONTRACT S9: the descriptor is closed on exec.
#[test]
fn lines_are_appended_to_a_file() {
    let directory = Directory::new("file");
    let mut log = open(&directory.log());
    assert_eq!(fs::metadata(directory.log()).unwrap().permissions().mode() & 0o137, 0);
    log.write_at(SECOND, &NOTHING);
    assert_eq!(fs::read_to_string(directory.log()).unwrap(), "", "it waits");
    log.flush();
    assert_eq!(fs::read_to_string(directory.log()).unwrap(), NOTHINGS_LINE);
    log.write_at(SECOND, &NOTHING);
    drop(log);
    let mut log = open(&directory.log());
    log.write_at(SECOND, &NOTHING);
    log.flush();
    assert_eq!(fs::read_to_string(directory.log()).unwrap(), NOTHINGS_LINE.repeat(3));
    // Who empties the file to rotate it is followed.
    fs::write(directory.log(), "").unwrap();
    log.write_at(SECOND, &NOTHING);
    log.flush();
    assert_eq!(fs::read_to_string(directory.log()).unwrap(), NOTHINGS_LINE);
    let Output::File { file, .. } = &log.output else { panic!("a file") };
    let flags = rustix::io::fcntl_getfd(file).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    assert_eq!(log.descriptor(), Some(file.as_raw_fd()));
}

#[test]
fn many_lines_do_not_wait() {
    let directory = Directory::new("many");
    let mut log = open(&directory.log());
    for _ in 0..10_000 {
        log.write_at(SECOND, &NOTHING);
        assert!(log.buffer.len() <= LONGEST_WAIT);
    }
    log.flush();
    assert_eq!(fs::read_to_string(directory.log()).unwrap(), NOTHINGS_LINE.repeat(10_000));
    assert!(log.buffer.capacity() <= KEPT && log.lost.count == 0 && log.lost.told.is_none());
}

#[test]
fn what_no_line_can_be_written_to_is_refused() {
    let directory = Directory::new("refused");
    let refused = |path: &Path| {
        let error = AccessLog::open(&AccessDestination::File(path.into())).unwrap_err();
        let text = error.text.strip_prefix(&format!("--access-log {}: ", path.display()));
        text.expect("the option and the path").to_owned()
    };
    assert_eq!(refused(&directory.0), "Is a directory");
    assert_eq!(refused(&directory.0.join("none/a.log")), "No such file or directory");
    mkfifo(&directory.log(), NixMode::S_IRWXU).unwrap();
    assert_eq!(refused(&directory.log()), "nobody reads from it");
}

#[test]
fn a_full_device_loses_lines_that_are_counted() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let mut log = open(full);
    for _ in 0..3 {
        log.write_at(SECOND, &NOTHING);
    }
    log.flush();
    // The first loss is told at once, the next ones with it once a minute.
    assert!(log.buffer.is_empty() && log.lost.count == 0 && log.lost.told.is_some());
    for _ in 0..3 {
        log.write_at(SECOND, &NOTHING);
        log.flush();
    }
    assert_eq!((log.lost.count, log.lost.why), (3, Errno::NOSPC));
    log.lost.told = Instant::now().checked_sub(MINUTE);
    log.flush();
    assert_eq!(log.lost.count, 0);
}

/// A FIFO that is full makes nobody wait, and all its lines are whole.
#[test]
fn a_fifo_that_is_full_loses_whole_lines() {
    let directory = Directory::new("fifo");
    mkfifo(&directory.log(), NixMode::S_IRWXU).unwrap();
    let reader = || {
        let flags = OFlags::NONBLOCK.bits() as i32;
        fs::OpenOptions::new().read(true).custom_flags(flags).open(directory.log()).unwrap()
    };
    let read = |mut reader: &fs::File| {
        let mut bytes = Vec::new();
        // At the end there is nothing more for now.
        let _ = reader.read_to_end(&mut bytes);
        bytes
    };
    let first = reader();
    let mut log = open(&directory.log());
    let mut written = 0;
    while log.lost.count == 0 && log.lost.told.is_none() {
        log.write_at(SECOND, &NOTHING);
        written += 1;
    }
    assert!(written < 1_000_000 && log.is_torn, "the end of a line waits");
    let mut bytes = read(&first);
    while !log.buffer.is_empty() {
        log.flush();
        bytes.extend(read(&first));
    }
    assert!(bytes == NOTHINGS_LINE.repeat(written - 1).as_bytes(), "all but the one that was told");
    // The reader leaves in the middle of a line, and another one comes.
    while !log.is_torn {
        log.write_at(SECOND, &NOTHING);
        log.flush();
    }
    drop(first);
    log.flush();
    assert!(log.buffer.is_empty() && log.lost.why == Errno::PIPE);
    let second = reader();
    log.write_at(SECOND, &NOTHING);
    log.flush();
    let mut bytes = read(&second);
    log.flush();
    bytes.extend(read(&second));
    let text = String::from_utf8(bytes).unwrap();
    let torn = text.strip_suffix(NOTHINGS_LINE).and_then(|text| text.lines().next_back()).unwrap();
    assert!(NOTHINGS_LINE.starts_with(torn) && torn.len() < NOTHINGS_LINE.len() - 1, "{torn}");
}

/// Who asks for syslogd gets no descriptor of its own, and lines that nobody takes are counted.
#[test]
fn syslogd_may_not_be_there() {
    let mut log = AccessLog::open(&AccessDestination::Syslog).unwrap();
    log.write_at(SECOND, &NOTHING);
    log.flush();
    assert!(log.buffer.is_empty() && log.descriptor().is_none());
}
