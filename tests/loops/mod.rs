//! Servers within loops that are not ours: GLib's, libuv's, libev's, and those that a C++ program and a Python
//! script have of their own.

mod ctypes;
mod ev;
mod glib;
mod uv;
mod wrapper;

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::harness::{
    Client, Compiler, Frame, Launch, Need, Op, Package, Server, Variant, program_dir, root, skipped,
};
use crate::linking::valgrind;

/// A program of c-examples within another library's loop.
struct Example {
    /// The program's name.
    name: &'static str,
    /// The library's name for pkg-config, where that knows it.
    package: Option<&'static str>,
    /// What the compiler is told besides.
    flags: &'static [&'static str],
    /// A header of the library's.
    header: &'static str,
    /// Why a test is skipped where it is not there.
    missing: &'static str,
}

impl Example {
    /// The program, compiled, about to be started; `None` where the test must be skipped.
    fn launch(&self) -> Option<Launch> {
        let flags = self.flags();
        let is_there = flags.as_ref().is_some_and(|flags| {
            let mut compiler = Command::new("cc");
            compiler.args(flags).args(["-E", "-include", self.header, "-x", "c", "/dev/null"]);
            compiler.output().is_ok_and(|it| it.status.success())
        });
        let flags = flags.filter(|_| !skipped(&[Need::Has(is_there, self.missing)]))?;
        let dir = tempfile::tempdir_in(program_dir()).expect("a directory").keep();
        let program = dir.join(self.name);
        Compiler::named("cc")
            .args(["-std=c99", "-g", "-O1"])
            .headers(Package::Dorrit)
            .args([root().join("c-examples").join(self.name).with_extension("c")])
            .args(flags)
            .shared(Package::Dorrit)
            .make(&program);
        Some(launch(&program))
    }

    /// What the compiler is told of the library; `None` where pkg-config does not know it.
    fn flags(&self) -> Option<Vec<String>> {
        let mut flags: Vec<_> = self.flags.iter().map(|&it| it.to_owned()).collect();
        if let Some(package) = self.package {
            let output = Command::new("pkg-config").args(["--cflags", "--libs", package]).output();
            let output = output.ok().filter(|it| it.status.success())?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            flags.extend(text.split_whitespace().map(str::to_owned));
        }
        Some(flags)
    }

    /// What the loops have in common.
    fn serves(&self) {
        let Some(launch) = self.launch() else { return };
        let mut server = launch.start();
        let (mut ann, mut bob) = (server.connect(), server.connect());
        said(&mut ann, "hello", &mut [&mut bob]);
        the_timer_fires_while_clients_talk(&mut ann, &mut bob);
        sleeps(&server, &mut ann);
        stops(&mut server, &mut [&mut ann, &mut bob]);
        assert!(server.complaints().is_empty(), "{}", server.stderr());
    }

    /// What is due while nothing comes, and another end.
    fn has_its_deadlines(&self) {
        let Some(launch) = self.launch() else { return };
        let mut server = launch.args(["--ping", "1,1"]).start();
        let mut client = server.connect();
        let ping = until_not_a_tick(&mut client).expect("a ping");
        assert_eq!(ping.op, Op::PING, "{ping:?}");
        // It is not answered.
        while let Some(frame) = until_not_a_tick(&mut client) {
            assert_ne!(frame.op, Op::TEXT, "{frame:?}");
        }
        server.stop_with(Signal::INT);
    }

    /// Where there is no server.
    fn leaves(&self) {
        for (argument, code) in [("--help", 0), ("--nonsense", 2)] {
            let Some(launch) = self.launch() else { return };
            leaves(launch.args([argument]), code);
        }
    }

    /// All that was taken is given back.
    fn leaks_nothing(&self) {
        if skipped(&[Need::Tool("valgrind")]) {
            return;
        }
        let Some(launch) = self.launch() else { return };
        // GLib has a thread to the end, which is a possible leak.
        let launch = valgrind(launch).under(["--errors-for-leak-kinds=definite,indirect"]);
        let mut server = launch.start();
        let (mut ann, mut bob) = (server.connect(), server.connect());
        said(&mut ann, "hello", &mut [&mut bob]);
        drop(bob);
        said(&mut ann, "again", &mut []);
        server.stop();
        assert!(server.stderr().contains("ERROR SUMMARY: 0 errors"), "{}", server.stderr());
    }
}

/// Tests of an example: what each loop must do.
macro_rules! each_test {
    ($example:ident) => {
        #[test]
        fn serves() {
            $example.serves();
        }

        #[test]
        fn has_its_deadlines() {
            $example.has_its_deadlines();
        }

        #[test]
        fn leaves() {
            $example.leaves();
        }

        #[test]
        fn leaks_nothing() {
            $example.leaks_nothing();
        }
    };
}
use each_test;

/// A program that is compiled, about to be started.
fn launch(program: &Path) -> Launch {
    Launch::of("parentheses.c", Variant::Default).with_program(program.to_owned())
}

/// A program that begins no server says why, and leaves.
fn leaves(launch: Launch, code: i32) {
    let ended = launch.run();
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count() > 10, code == 0, "{}", ended.stdout);
    assert_eq!(ended.stderr.is_empty(), code == 0, "{}", ended.stderr);
}

/// How many are here, where that is what the program's own timer says.
fn tick(frame: &Frame) -> Option<u32> {
    let text = (frame.op == Op::TEXT).then(|| frame.as_text())?;
    text.strip_suffix(" here")?.parse().ok()
}

/// The next frame that the timer does not send.
fn until_not_a_tick(client: &mut Client) -> Option<Frame> {
    loop {
        match client.next() {
            Some(frame) if tick(&frame).is_some() => {}
            frame => return frame,
        }
    }
}

/// Waits for the timer, which counts so many clients; what else comes is left out.
fn await_tick(client: &mut Client, count: u32) {
    while tick(&client.receive()) != Some(count) {}
}

/// What one client says, it and the others hear.
fn said(client: &mut Client, text: &str, others: &mut [&mut Client]) {
    client.text(text);
    for client in [client].into_iter().chain(others.iter_mut().map(|it| &mut **it)) {
        let frame = until_not_a_tick(client).expect("what was said");
        assert_eq!((frame.op, frame.as_text()), (Op::TEXT, text));
    }
}

/// A client that is never silent keeps the timer from nothing.
fn the_timer_fires_while_clients_talk(talker: &mut Client, listener: &mut Client) {
    let mut ticks = 0;
    for _ in 0..64 {
        talker.text("x");
    }
    while ticks < 2 {
        let frame = talker.receive();
        match tick(&frame) {
            Some(_) => ticks += 1,
            // There are always some of its messages under way.
            None => talker.text("x"),
        }
        assert_eq!(listener.receive().payload, frame.payload, "both hear the same");
    }
    // All that is still under way goes by.
    talker.text("the end");
    for client in [talker, listener] {
        while client.receive().payload != b"the end" {}
    }
}

/// Beside its timer the program does nothing while nobody speaks.
fn sleeps(server: &Server, client: &mut Client) {
    await_tick(client, 2);
    let before = server.process().ticks();
    for _ in 0..3 {
        await_tick(client, 2);
    }
    let used = server.process().ticks() - before;
    // Three seconds have 300 ticks.
    assert!(used < 20, "{used} ticks of processor time within three seconds of silence");
}

/// The server is told to stop by SIGTERM, says so, and leaves when the clients have.
fn stops(server: &mut Server, clients: &mut [&mut Client]) {
    server.signal(Signal::TERM);
    for client in clients {
        let frame = until_not_a_tick(client).expect("a close frame");
        assert_eq!(frame.code(), Some(1001), "{frame:?}");
        client.send(&Frame::close(1001, ""));
        client.expect_end();
    }
    assert_eq!(server.wait(), Some(0), "{}", server.stderr());
}
