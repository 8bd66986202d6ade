//! Chromium, commanded over the DevTools protocol.
//!
//! Commands and answers are JSON, each ended by a zero byte, over two pipes: no port that someone
//! else may have, and the browser ends when we do.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use serde_json::{Value, json};

use crate::harness::LIMIT;

/// A browser without tabs yet, in a profile of its own; it ends when this is dropped.
pub(crate) struct Browser {
    child: Child,
    wire: RefCell<Wire>,
    _profile: tempfile::TempDir,
}

/// The browser that is installed here.
pub(crate) fn chromium_program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let mut all = std::env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name)));
    all.find(|it| it.is_file())
}

struct Wire {
    /// `None` when the browser is to end.
    commands: Option<ChildStdin>,
    answers: Receiver<Value>,
    last: u64,
    complaints: Vec<String>,
}

impl Browser {
    /// Starts the program. The sandbox is not for root, and may not be had in containers.
    pub(crate) fn start(program: &Path) -> Browser {
        let profile = tempfile::tempdir().expect("a temporary directory");
        // The browser wants the pipes as its descriptors 3 and 4.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"])
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--disable-quic", "--no-first-run", "--no-proxy-server", "--disable-sync"])
            .args(["--disable-background-networking", "--disable-component-update", "--lang=en"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("--remote-debugging-pipe")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh runs");
        let (sender, answers) = channel();
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            while output.read_until(0, &mut bytes).is_ok_and(|count| count > 0) {
                bytes.pop();
                let answer = serde_json::from_slice(&bytes).expect("DevTools speaks JSON");
                // A test that has failed hears no more.
                let _ = sender.send(answer);
                bytes.clear();
            }
        });
        let commands = child.stdin.take();
        let wire = Wire { commands, answers, last: 0, complaints: Vec::new() };
        Browser { child, wire: wire.into(), _profile: profile }
    }

    /// What a command returns; `session` is that of a tab, or "" for the browser itself.
    pub(crate) fn call(&self, session: &str, method: &str, parameters: Value) -> Value {
        let mut wire = self.wire.borrow_mut();
        let id = wire.send(session, method, parameters);
        loop {
            let answer = wire.receive(method);
            if answer["id"] == id {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// A command after which there is nobody to answer.
    pub(crate) fn tell(&self, session: &str, method: &str) {
        self.wire.borrow_mut().send(session, method, json!({}));
    }

    /// All errors of the pages so far: those on their consoles, and those that nobody caught.
    pub(crate) fn complaints(&self) -> Vec<String> {
        // What was said before the answer to this has come by then.
        self.call("", "Browser.getVersion", json!({}));
        self.wire.borrow().complaints.clone()
    }
}

impl Wire {
    fn send(&mut self, session: &str, method: &str, parameters: Value) -> u64 {
        self.last += 1;
        let mut command = json!({ "id": self.last, "method": method, "params": parameters });
        if !session.is_empty() {
            command["sessionId"] = session.into();
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        let pipe = self.commands.as_mut().expect("the browser is not to end yet");
        pipe.write_all(&bytes).unwrap_or_else(|e| panic!("{method}: the browser has gone: {e}"));
        self.last
    }

    fn receive(&mut self, method: &str) -> Value {
        let mut answer = Err(RecvTimeoutError::Timeout);
        // A browser that starts on a busy machine may take longer than a server.
        for _ in 0..4 {
            answer = self.answers.recv_timeout(LIMIT);
            if answer != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        let answer = answer.unwrap_or_else(|e| panic!("no answer to {method}: {e}"));
        self.complaints.extend(complaint(&answer));
        answer
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // At the end of its commands it leaves, and takes its other processes with it.
        self.wire.get_mut().commands = None;
        let left = crate::harness::until(|| self.child.try_wait().ok().flatten());
        if left.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// What a page has to say against itself.
fn complaint(event: &Value) -> Option<String> {
    let parameters = &event["params"];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(parameters["exceptionDetails"].to_string()),
        "Runtime.consoleAPICalled" if parameters["type"] == "error" => {
            Some(parameters["args"].to_string())
        }
        "Log.entryAdded" if parameters["entry"]["level"] == "error" => {
            Some(text(&parameters["entry"]["text"]))
        }
        _ => None,
    }
}
