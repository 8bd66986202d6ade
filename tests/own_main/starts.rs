//! What a program has a say in when a server starts: `ws_start_callback`, `ws_arguments`, and `--check`, which starts
//! nothing (tests/c/starts.c).

use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::harness::{Launch, Need, RunFiles, Variant, skipped, until};

/// The program, about to be started, and the file in which it finds what its `ws_start_callback` is to return.
fn launch() -> (Launch, PathBuf) {
    // Another user than root could not open the journal at a hand-over.
    let root = rustix::process::geteuid().is_root();
    let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
    let launch = Launch::of("starts.c", Variant::Default).args(user.iter().copied());
    let answer = launch.dir().join("out/answer");
    let launch = launch.env("START_ANSWER", &answer.display().to_string());
    (launch, answer)
}

fn answer(file: &Path, number: &str) {
    std::fs::write(file, number).expect("a file");
}

/// The words with which the lines of a journal begin.
fn words(journal: &str) -> Vec<&str> {
    journal.lines().filter_map(|line| line.split(' ').next()).collect()
}

const REFUSED: &str = "ws_start_callback has returned 3\n";

/// The exit status is 1, `ws_exit_func` is not called, and nothing is left behind.
#[test]
fn the_start_callback_calls_it_off() {
    let (launch, file) = launch();
    answer(&file, "3");
    let ended = launch.args(["-x"]).run();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.ends_with(REFUSED), "{}", ended.stderr);
    assert_eq!(words(&ended.journal()), ["init", "file", "start", "started"]);
    assert_eq!(ended.left_behind, 0);
    let left = std::fs::read_dir(ended.run_dir()).expect("it is there").count();
    assert_eq!(left, 0, "files are left");
}

/// The terminal is told by the parent, who fails too.
#[test]
fn it_calls_a_daemon_off() {
    if skipped(&[Need::Root]) {
        return;
    }
    let (launch, file) = launch();
    answer(&file, "3");
    let name = launch.unique_name();
    let files = RunFiles::of(&name);
    let started = launch.name(&name).try_start_daemon_by(|| unreachable!("it does not start"));
    let Err(ended) = started else { panic!("it has started") };
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.ends_with(REFUSED), "{}", ended.stderr);
    assert_eq!(words(&ended.journal()), ["init", "file", "start", "started"]);
    assert_eq!(ended.left_behind, 0);
    assert!(!files.path("pid").exists());
    let left = std::fs::read_dir(ended.run_dir()).expect("it is there").count();
    assert_eq!(left, 0, "files are left");
}

/// It is called in the process that serves: a daemon's own.
#[test]
fn the_start_callback_runs_in_the_daemon() {
    if skipped(&[Need::Root]) {
        return;
    }
    let (launch, _file) = launch();
    let name = launch.unique_name();
    let mut server = launch.name(&name).start_daemon();
    let process = server.process().0.as_raw_pid();
    assert_eq!(server.await_journal("start "), format!("start {process}"));
    assert_ne!(server.await_journal("init "), format!("init {process}"));
    server.stop();
    assert_eq!(server.await_journal("exit "), format!("exit {process}"));
}

/// A server that was to be handed over goes on, and may be later; the new one has the same arguments.
#[test]
fn hand_overs() {
    let (launch, file) = launch();
    // What the harness adds stands behind these words, and is the program's then.
    let socket = launch.socket_path().display().to_string();
    let operands = ["-x", "-l", &socket, "--", "a b", "", "-x", "--", "last"];
    let server = launch.args(operands).start();
    let arguments = |journal: &str| {
        let lines = journal.lines().filter(|line| line.starts_with("argument "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let socket = format!("[{}]", server.socket().display());
    let given = ["[a b]", "[]", "[-x]", "[--]", "[last]", "[-x]", "[-l]", &socket]
        .map(|it| format!("argument {it}"));
    assert_eq!(arguments(&server.journal()), given);
    let mut client = server.connect();
    client.echo("hello");

    answer(&file, "3");
    server.signal(Signal::HUP);
    server.await_stderr(REFUSED.trim_end());
    server.await_stderr("hand-over: the new server has ended with status 1; this server goes on");
    client.echo("still served");
    assert_eq!(arguments(&server.journal()), [&given[..], &given].concat());
    assert!(!words(&server.journal()).contains(&"exit"));

    answer(&file, "0");
    drop(client);
    server.signal(Signal::HUP);
    let old = server.process();
    assert!(until(|| old.is_over().then_some(())).is_some(), "{}", server.stderr());
    assert_eq!(arguments(&server.journal()), [&given[..], &given, &given].concat());
    server.connect().echo("hello");
}

/// Options and callbacks are judged, and nothing runs.
#[test]
fn a_check() {
    for (source, arguments, code, said) in [
        ("starts.c", &["--check"][..], 0, ""),
        ("starts.c", &["--check", "-x", "-m", "5", "--", "word"], 0, ""),
        ("missing_two.c", &["--check"], 1, "server: missing: "),
        ("starts.c", &["--check", "-m", "0"], 1, "server: -m 0"),
        ("starts.c", &["--check", "word"], 2, "server: "),
    ] {
        let ended = Launch::of(source, Variant::Default).args(arguments.iter().copied()).run();
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.is_empty(), said.is_empty(), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.starts_with(said), "{arguments:?}: {}", ended.stderr);
        assert_eq!((ended.stdout.as_str(), ended.journal().as_str()), ("", ""));
    }
}
