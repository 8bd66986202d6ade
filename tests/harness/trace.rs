//! System calls, as strace(1) saw them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::launch::Launch;
use super::server::Server;

/// The trace of a server that runs under strace.
pub(crate) struct Trace {
    file: PathBuf,
}

impl Trace {
    /// Puts the launch under strace; `more` are arguments of it.
    pub(crate) fn of(launch: Launch, more: &[&str]) -> (Launch, Trace) {
        let file = launch.dir().join("out/trace");
        let path = file.display().to_string();
        let strace = ["strace", "-f", "-q", "-o", &path];
        (launch.under(strace.into_iter().chain(more.iter().copied())), Trace { file })
    }

    /// The calls of the server's own process, one a line: `name(arguments) = result`. It must have
    /// been stopped.
    pub(crate) fn calls(&self, server: &Server) -> Vec<String> {
        self.calls_of(server, server.process().0)
    }

    /// The processes that made calls.
    pub(crate) fn processes(&self, server: &Server) -> BTreeSet<String> {
        let pid = |line: &str| line.split_once(' ').map(|(pid, _)| pid.to_owned());
        self.text(server).lines().filter_map(pid).collect()
    }

    fn text(&self, server: &Server) -> String {
        assert!(server.processes().is_empty(), "strace has written all when it has ended");
        std::fs::read_to_string(&self.file).expect("strace has written")
    }

    /// The calls of another process.
    pub(crate) fn calls_of(&self, server: &Server, process: impl ToString) -> Vec<String> {
        let text = self.text(server);
        let pid = process.to_string();
        let mut unfinished = String::new();
        let mut calls = Vec::new();
        for line in text.lines() {
            let Some((_, call)) = line.split_once(' ').filter(|(it, _)| *it == pid) else {
                continue;
            };
            // Where another process has come between, a call stands in two lines.
            if let Some((start, _)) = call.trim_start().split_once(" <unfinished ...>") {
                unfinished = start.to_owned();
            } else if let Some((_, end)) = call.split_once(" resumed>") {
                calls.push(std::mem::take(&mut unfinished) + end);
            } else {
                calls.push(call.trim_start().to_owned());
            }
        }
        calls
    }

    /// The calls between the last two that the "mark" command made.
    pub(crate) fn between_marks(&self, server: &Server) -> Vec<String> {
        let calls = self.calls(server);
        let marks: Vec<_> = calls
            .iter()
            .enumerate()
            .filter(|(_, call)| call.starts_with("getpgid("))
            .map(|(index, _)| index)
            .collect();
        let [.., first, last] = marks[..] else {
            panic!("two marks in a trace of {} calls", calls.len());
        };
        calls[first + 1..last].to_vec()
    }
}
