//! The control script for FreeBSD, under a model of what it gets from there (tests/rc_d/rc.subr).

use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::harness::{
    Client, Need, Process, Request, RunFiles, Variant, program, root, skipped, until,
};

/// A server's own copy of the script, and its line of rc.conf(5).
struct Script {
    dir: TempDir,
    name: String,
    files: RunFiles,
}

impl Script {
    /// Copied and changed as the script itself says; `None` where the test must be skipped, which is
    /// said. The model's place is the one thing besides.
    fn copy(test: &str, is_enabled: bool) -> Option<Script> {
        if skipped(&[Need::Root]) {
            return None;
        }
        let name = format!("dorrit_test_{test}_{}", std::process::id());
        let dir = tempfile::tempdir().expect("a temporary directory");
        let script = Script { files: RunFiles::of(&name), dir, name };
        let original = std::fs::read_to_string(root().join("rc.d/dorrit")).expect("the script");
        let model = root().join("tests/rc_d/rc.subr");
        let program = program("probe.c", Variant::Default);
        let changes = [
            ("# PROVIDE: dorrit".to_owned(), format!("# PROVIDE: {}", script.name)),
            ("name=\"dorrit\"".to_owned(), format!("name=\"{}\"", script.name)),
            ("/usr/local/bin/${name}".to_owned(), program.display().to_string()),
            ("/etc/rc.subr".to_owned(), model.display().to_string()),
        ];
        let text = changes.iter().fold(original, |text, (before, after)| {
            assert_eq!(text.matches(before.as_str()).count(), 1, "{before}");
            text.replace(before.as_str(), after)
        });
        let enabled = if is_enabled { "YES" } else { "NO" };
        let name = &script.name;
        let conf = format!("{name}_enable=\"{enabled}\"\n{name}_flags=\"-u daemon -g daemon\"\n");
        std::fs::write(script.dir.path().join("script"), text).expect("a file");
        std::fs::write(script.dir.path().join("rc.conf"), conf).expect("a file");
        Some(script)
    }

    /// Runs it: whether it succeeds, and what it says.
    fn run(&self, command: &str) -> (bool, String) {
        let output = Command::new("sh")
            .arg(self.dir.path().join("script"))
            .arg(command)
            .env("RC_CONF", self.dir.path().join("rc.conf"))
            .env("PROBE_NAME", &self.name)
            .env("PROBE_LOG", self.journal())
            .env("PROBE_SIGNAL", "HUP")
            .output()
            .expect("sh runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    fn journal(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    /// The process that the pidfile names.
    fn process(&self) -> Option<Process> {
        let text = std::fs::read_to_string(self.files.path("pid")).ok()?;
        text.trim().parse().ok().and_then(Pid::from_raw).map(Process)
    }

    fn serves(&self) {
        Client::raw(&self.files.path("socket")).upgrade(&Request::new()).echo("hello");
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if let Some(process) = self.process() {
            process.signal(Signal::KILL);
        }
    }
}

/// The shell understands it, and the model.
#[test]
fn the_shell_reads_it() {
    for script in ["rc.d/dorrit", "tests/rc_d/rc.subr"] {
        let output = Command::new("sh").arg("-n").arg(root().join(script)).output();
        let output = output.expect("sh runs");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
}

/// It starts a server as root, which gives up root's rights; finds it again; and ends it.
#[test]
fn start_status_restart_stop() {
    let Some(script) = Script::copy("start", true) else { return };
    let name = &script.name;
    assert_eq!(script.run("status"), (false, format!("{name} is not running.\n")));
    let (is_started, said) = script.run("start");
    assert!(is_started && said.starts_with(&format!("Starting {name}.")), "{said}");
    // It returns when the server listens.
    script.serves();
    let first = script.process().expect("a pidfile");
    assert_ne!(first.users()[0], 0);
    assert_eq!(script.run("status"), (true, format!("{name} is running as pid {}.\n", first.0)));
    assert!(!script.run("start").0, "it runs already");

    let (is_restarted, said) = script.run("restart");
    assert!(is_restarted, "{said}");
    script.serves();
    let second = script.process().expect("a pidfile");
    assert!(first != second && first.is_over());

    let (is_stopped, said) = script.run("stop");
    assert!(is_stopped, "{said}");
    assert!(second.is_over());
    let is_clean = until(|| (!script.files.path("pid").exists()).then_some(()));
    assert!(is_clean.is_some() && !script.files.path("socket").exists());
    assert!(!script.run("status").0);
    assert!(!script.run("stop").0);
}

/// It sends SIGHUP, which asks for a new start without an end.
#[test]
fn reload() {
    let Some(script) = Script::copy("reload", true) else { return };
    assert!(!script.run("reload").0, "there is nobody to reload");
    assert!(script.run("start").0);
    assert_eq!(script.run("reload"), (true, String::new()));
    let journal = || std::fs::read_to_string(script.journal()).unwrap_or_default();
    let came = until(|| journal().contains("interrupted").then_some(()));
    assert!(came.is_some(), "{}", journal());
    script.serves();
    assert!(script.run("stop").0);
}

/// Without its line of rc.conf(5) it does nothing, unless it is told to for once; and what it does not
/// know it says.
#[test]
fn not_enabled() {
    let Some(script) = Script::copy("once", false) else { return };
    let (is_started, said) = script.run("start");
    assert!(!is_started && said.contains(&format!("Set {}_enable to YES", script.name)), "{said}");
    assert!(script.process().is_none());
    assert!(script.run("onestart").0);
    script.serves();
    assert!(script.run("onestop").0);
    let (is_known, said) = script.run("dance");
    assert!(!is_known && said.contains("reload"), "{said}");
}
