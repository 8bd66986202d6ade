//! c-examples/terminal.c: real shells, at whose terminals clients sit.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use rustix::process::Signal;

use crate::harness::{Client, Frame, Launch, Op, Process, Server, until};

use super::{binary, compile, with_operands};

pub(super) fn program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| compile("terminal", &[])).clone()
}

/// The server, about to run that command for each client. It pings none: on a busy machine many a client
/// is silent for long.
fn running(command: &[&str]) -> Launch {
    with_operands(&program(), command).args(["--ping", "0"])
}

/// The same for a script.
fn script(text: &str) -> Launch {
    running(&["sh", "-c", text])
}

/// All that is printed until this is, which must come.
fn read_until(client: &mut Client, part: &str) -> String {
    let mut bytes = Vec::new();
    loop {
        bytes.extend(binary(client));
        let text = String::from_utf8_lossy(&bytes);
        if text.contains(part) {
            return text.into_owned();
        }
    }
}

/// All that is printed until the command ends, as its end is told.
fn read_to_end(client: &mut Client) -> String {
    let mut bytes = Vec::new();
    loop {
        let frame = client.receive();
        if frame.op == Op::CLOSE {
            assert_eq!(frame.code(), Some(1000));
            client.send(&frame.masked([1, 2, 3, 4]));
            client.expect_end();
            return String::from_utf8(bytes).expect("UTF-8");
        }
        assert_eq!(frame.op, Op::BINARY);
        bytes.extend(frame.payload);
    }
}

/// The shell reckons what stands in no echo of what was typed.
fn answers(client: &mut Client) {
    client.text("echo $((6 * 7))\r");
    read_until(client, "42\r\n");
}

fn children_are(server: &Server, count: usize) {
    let came = until(|| (server.process().children().len() == count).then_some(()));
    assert!(came.is_some(), "{:?} instead of {count}", server.process().children());
}

/// A shell answers, knows the window's size, and its end is the connection's.
#[test]
fn a_shell() {
    let mut server = running(&["sh"]).start();
    let mut client = server.connect();
    answers(&mut client);
    client.text("stty size\r");
    read_until(&mut client, "24 80\r\n");
    client.send(&Frame::new(Op::BINARY, [1, 2, 0, 33]));
    // These are no sizes.
    client.send(&Frame::new(Op::BINARY, ""));
    client.send(&Frame::new(Op::BINARY, [0; 5]));
    client.text("");
    client.text("stty size; exit 3\r");
    assert!(read_to_end(&mut client).contains("33 258\r\n"));
    children_are(&server, 0);
    server.stop();
    assert_eq!(server.complaints(), [""; 0]);
}

/// Without a command it is the user's shell.
#[test]
fn the_users_shell() {
    for (shell, answer) in [("/bin/echo", "\r\n"), ("", "no newline")] {
        let mut server = running(&[]).env("SHELL", shell).start();
        let mut client = server.connect();
        if shell.is_empty() {
            answers(&mut client);
        } else {
            assert_eq!(read_to_end(&mut client), answer);
        }
        server.stop();
    }
}

/// The command has a terminal of its own, and nothing of the server's.
#[test]
fn what_a_command_inherits() {
    let text =
        "grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd; tty; echo $TERM >/dev/tty";
    // Started as nohup(1) and a shell without job control do.
    let mut server =
        script(text).under(["sh", "-c", "trap '' HUP INT QUIT; exec \"$0\" \"$@\""]).start();
    // Neither has the second what belongs to the first.
    let _first = server.connect();
    let printed = read_to_end(&mut server.connect());
    let mut lines = printed.lines();
    for name in ["SigBlk:", "SigIgn:"] {
        let mask = lines.next().and_then(|it| it.strip_prefix(name)).expect("proc(5) has it");
        // Those beyond are the C library's own, which no program can set.
        let mask = u64::from_str_radix(mask.trim(), 16).expect("a mask") & 0x7fff_ffff;
        assert_eq!(mask, 0, "{printed}");
    }
    // ls(1) sees its own look at the directory.
    let listed = lines.by_ref().take_while(|line| !line.starts_with("/dev/"));
    let words = listed.flat_map(str::split_whitespace).collect::<Vec<_>>();
    assert_eq!(words, ["0", "1", "2", "3"], "{printed}");
    assert_eq!(lines.next(), Some("dumb"), "{printed}");
    server.stop();
}

/// Ctrl-C goes to what runs there.
#[test]
fn an_interrupt() {
    let text = "trap 'echo caught; exit' INT; echo ready; while :; do sleep 0.1; done";
    let mut server = script(text).start();
    let mut client = server.connect();
    read_until(&mut client, "ready\r\n");
    client.text("\x03");
    assert!(read_to_end(&mut client).contains("caught\r\n"));
    server.stop();
}

/// What was printed comes whole, and before the end.
#[test]
fn a_long_output() {
    let mut server = running(&["seq", "200000"]).start();
    let whole: String = (1..=200_000).map(|number| format!("{number}\r\n")).collect();
    let mut clients = [(); 3].map(|()| server.connect());
    for client in &mut clients {
        assert!(read_to_end(client) == whole);
    }
    children_are(&server, 0);
    server.stop();
}

/// The shell's end is the terminal's, though something in the background keeps it open.
#[test]
fn who_stays_in_the_background() {
    let mut server = script("trap '' HUP; sleep 1000 & echo bye").start();
    let before = server.processes().len();
    assert_eq!(read_to_end(&mut server.connect()), "bye\r\n");
    assert_eq!(server.processes().len(), before + 1, "who sleeps is there");
    children_are(&server, 0);
    server.stop();
}

/// What cannot be run says so to the client.
#[test]
fn no_such_command() {
    let mut server = running(&["/no/such/command"]).start();
    let printed = read_to_end(&mut server.connect());
    assert_eq!(printed, "/no/such/command: No such file or directory\r\n");
    children_are(&server, 0);
    server.stop();
}

/// Each client has a shell of its own. Those that end, and those whose client leaves, leave no zombie; those
/// that are there when the server stops end with it.
#[test]
fn many_terminals() {
    let mut server = running(&["sh"]).start();
    let mut clients: Vec<_> = (0..50).map(|_| server.connect()).collect();
    let mut shells = BTreeSet::new();
    clients.iter_mut().for_each(|client| client.text("echo $$ sh''ell\r"));
    for client in &mut clients {
        let printed = read_until(client, " shell\r\n");
        // A prompt may stand before it, and behind it.
        let before = printed.split(" shell\r\n").next().and_then(|it| it.split_whitespace().last());
        let shell = before.and_then(|it| it.parse::<i32>().ok());
        shells.insert(shell.unwrap_or_else(|| panic!("no number in {printed:?}")));
    }
    assert_eq!(shells.len(), 50);
    let children = server.process().children();
    assert_eq!(children.iter().map(|it| it.0.as_raw_pid()).collect::<BTreeSet<_>>(), shells);

    for mut client in clients.drain(..20) {
        client.text("exit\r");
        read_to_end(&mut client);
    }
    children_are(&server, 30);
    clients.truncate(10);
    children_are(&server, 10);
    // Killed by somebody else.
    server.process().children()[0].signal(Signal::KILL);
    children_are(&server, 9);
    let over = clients.iter_mut().map(is_over).filter(|it| *it);
    assert_eq!(over.count(), 1);
    server.stop();
    server.await_nobody();
}

/// Whether the client's shell is over, or answers.
fn is_over(client: &mut Client) -> bool {
    client.text("echo $((6 * 7))\r");
    let mut printed = String::new();
    loop {
        let Some(frame) = client.next().filter(|it| it.op == Op::BINARY) else { return true };
        printed.push_str(&String::from_utf8_lossy(&frame.payload));
        if printed.contains("42\r\n") {
            return false;
        }
    }
}

/// A command that does not read holds nobody up; what is typed waits for it, and comes whole and in order.
#[test]
fn a_command_that_reads_late() {
    let launch = running(&["sh"]);
    let typed: String = (0..200_000_u32).map(|it| char::from(b'a' + (it % 23) as u8)).collect();
    std::fs::write(launch.run_dir().join("typed"), &typed).expect("a file");
    let gate = launch.run_dir().join("gate");
    let made = Command::new("mkfifo").args(["-m", "666"]).arg(&gate).status();
    assert!(made.expect("mkfifo runs").success());
    let mut server = launch.start();

    let mut slow = server.connect();
    slow.text("stty raw -echo; echo rea''dy; cat gate; head -c 200000 | cmp - typed && echo sa''me; exit\r");
    read_until(&mut slow, "ready\n");
    for piece in typed.as_bytes().chunks(50_000) {
        slow.send_and_drain(&Frame::new(Op::TEXT, piece).bytes());
    }
    answers(&mut server.connect());
    drop(File::options().write(true).open(&gate).expect("it opens"));
    assert_eq!(read_to_end(&mut slow), "same\n");
    server.stop();
}

/// Where a command never reads, what is typed is bounded: then the terminal rings. Its client leaves, and
/// the command ends.
#[test]
fn a_command_that_never_reads() {
    let mut server = running(&["sh"]).start();
    let mut slow = server.connect();
    slow.text("stty raw -echo; echo rea''dy; exec sleep 1000\r");
    read_until(&mut slow, "ready\n");
    for _ in 0..10 {
        slow.send(&Frame::new(Op::TEXT, [b'x'; 60_000]));
    }
    assert_eq!(binary(&mut slow), b"\x07");
    let mut other = server.connect();
    answers(&mut other);
    children_are(&server, 2);
    drop(slow);
    children_are(&server, 1);
    answers(&mut other);
    server.stop();
}

/// How many bytes a process has written.
fn written(process: Process) -> u64 {
    let process = procfs::process::Process::new(process.0.as_raw_pid()).expect("it runs");
    process.io().expect("the kernel counts").wchar
}

/// A client that does not read has its command wait, and nobody else. When it reads, it misses nothing.
#[test]
fn a_client_that_reads_late() {
    let mut server = running(&["sh"]).start();
    let mut slow = server.connect();
    slow.text("PS1=; stty -echo -onlcr; echo rea''dy; exec seq 1000000000\r");
    let begun = read_until(&mut slow, "ready\n");
    let command = server.process().children()[0];
    let mut other = server.connect();
    let waits = until(|| {
        let before = written(command);
        (0..20).for_each(|_| answers(&mut other));
        (before > 100_000 && written(command) == before).then_some(before)
    });
    let printed = waits.expect("the command waits");
    assert!(printed < 4 << 20, "{printed} bytes wait somewhere");

    let mut bytes = begun.split("ready\n").last().expect("what follows").as_bytes().to_vec();
    while (bytes.len() as u64) < printed + (4 << 20) {
        bytes.extend(binary(&mut slow));
    }
    let whole = bytes.iter().rposition(|it| *it == b'\n').expect("lines");
    let text = std::str::from_utf8(&bytes[..whole]).expect("digits");
    for (line, number) in text.lines().zip(1_u64..) {
        assert!(line == number.to_string(), "{line} instead of {number}");
    }
    // It goes while its command prints.
    drop(slow);
    children_are(&server, 1);
    answers(&mut other);
    server.stop();
}
