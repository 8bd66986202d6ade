//! A machine under systemd: its first process, with a file system, processes, control groups and a
//! network of its own (tests/systemd/boot).

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;
use tempfile::TempDir;

use crate::harness::{
    Client, Need, Process, Request, Variant, find, program, root, say, skipped, until,
};

/// What `systemctl start` needs besides the units under test. Their services want these.
const TARGETS: [&str; 5] = ["basic", "multi-user", "shutdown", "sockets", "sysinit"];
/// The log's, as systemd comes with them.
const JOURNAL: [&str; 3] =
    ["systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket"];
const UNITS: &str = "/lib/systemd/system";

/// It runs as long as it lives.
pub(super) struct Machine {
    dir: TempDir,
    boot: Child,
    /// systemd's process, as it is seen from here.
    pid: i32,
}

impl Machine {
    /// Boots one with the shipped units of a server that is called like its source in tests/c, changed
    /// like that. `None` where the test must be skipped, which is said.
    pub(super) fn boot(source: &'static str, change: impl Fn(String) -> String) -> Option<Machine> {
        let has_systemd = Path::new("/lib/systemd/systemd").exists();
        let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
        let has_group = groups.lines().any(|line| line.starts_with("www-data:"));
        let needs = [
            Need::Root,
            Need::Has(has_systemd, "systemd is not installed"),
            Need::Has(has_group, "there is no group www-data"),
            Need::Tool("unshare"),
            Need::Tool("nsenter"),
            Need::Tool("pivot_root"),
        ];
        if skipped(&needs) {
            return None;
        }
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755))
            .expect("its mode");
        fill(dir.path(), source, change);
        let output = File::create(dir.path().join("output")).expect("a file");
        let boot = Command::new(root().join("tests/systemd/boot"))
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a descriptor"))
            .stderr(output)
            .spawn()
            .expect("sh runs");
        let mut machine = Machine { dir, boot, pid: 0 };
        if let Some(why) = machine.await_systemd() {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            say(&format!("skipped: {test}: systemd does not run here: {why}"));
            return None;
        }
        Some(machine)
    }

    /// Waits until all is started. Returns why that cannot be.
    fn await_systemd(&mut self) -> Option<String> {
        let boot = Process(Pid::from_child(&self.boot));
        until(|| {
            if let Some(status) = self.boot.try_wait().expect("it is our child") {
                return Some(Some(format!("{status}: {}", self.output())));
            }
            self.pid = boot.children().first()?.0.as_raw_pid();
            (self.try_run("systemctl is-system-running").1 == "running").then_some(None)
        })
        .unwrap_or_else(|| Some(format!("it does not come up: {}", self.output())))
    }

    fn output(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("output")).unwrap_or_default()
    }

    /// Runs a command of the shell there, which must succeed. Returns what it says.
    pub(super) fn run(&self, command: &str) -> String {
        let (is_good, said) = self.try_run(command);
        assert!(is_good, "{command}: {said}\n{}", self.log(""));
        said
    }

    /// Runs a command of the shell there: whether it succeeds, and what it says.
    pub(super) fn try_run(&self, command: &str) -> (bool, String) {
        let output = Command::new(find("timeout").expect("coreutils are there"))
            .args(["30", "nsenter", "--all", "--target", &self.pid.to_string(), "sh", "-c"])
            .arg(format!("{command} 2>&1"))
            .output()
            .expect("nsenter(1) runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// What systemd says of a unit's property.
    pub(super) fn show(&self, unit: &str, property: &str) -> String {
        self.run(&format!("systemctl show --value --property={property} {unit}"))
    }

    /// The journal so far, with the name and the priority of each line, for these arguments.
    pub(super) fn log(&self, arguments: &str) -> String {
        let fields = "--output=verbose --output-fields=PRIORITY,SYSLOG_IDENTIFIER,MESSAGE";
        self.try_run(&format!("journalctl --sync; journalctl --no-pager {fields} {arguments}")).1
    }

    /// Where a path there is found here.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        format!("/proc/{}/root{path}", self.pid).into()
    }

    /// A client that has come through a socket there.
    pub(super) fn connect(&self, socket: &str) -> Client {
        Client::raw(&self.path(socket)).upgrade(&Request::new())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Nothing less ends it, and systemd with it.
        let _ = self.boot.kill();
        let _ = self.boot.wait();
        if let Ok(group) = std::fs::read_to_string(self.dir.path().join("group")) {
            // The last processes may need a moment to be gone.
            let remove = || remove_groups(Path::new(group.trim_end())).ok();
            if until(remove).is_none() {
                say(&format!("left behind: {group}"));
            }
        }
    }
}

fn remove_groups(group: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(group)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove_groups(&entry.path())?;
        }
    }
    std::fs::remove_dir(group)
}

/// Puts there what the machine is made of.
fn fill(dir: &Path, source: &'static str, change: impl Fn(String) -> String) {
    let units = dir.join("units");
    let write = |name: &str, text: &str| std::fs::write(units.join(name), text).expect("a file");
    for name in ["units", "opt"] {
        std::fs::create_dir(dir.join(name)).expect("a directory");
    }
    let name = source.trim_end_matches(".c").replace('/', "-");
    std::fs::copy(program(source, Variant::StaticLibrary), dir.join("opt").join(&name))
        .expect("a file");
    for kind in ["service", "socket"] {
        write(&format!("{name}.{kind}"), &change(shipped(kind)));
    }
    for target in TARGETS {
        write(&format!("{target}.target"), "[Unit]\nDefaultDependencies=no\n");
    }
    let wanted = "[Unit]\nDefaultDependencies=no\nRequires=sysinit.target";
    write("default.target", &format!("{wanted} {}\n", JOURNAL.join(" ")));
    for unit in JOURNAL {
        std::fs::copy(Path::new(UNITS).join(unit), units.join(unit)).expect("systemd's own unit");
    }
}

/// A unit as it is shipped, for a program in /opt.
pub(super) fn shipped(kind: &str) -> String {
    let path = root().join("rc.d").join(format!("dorrit.{kind}"));
    let text = std::fs::read_to_string(path).expect("a unit");
    text.replace("/usr/local/bin/", "/opt/")
}

/// A unit with another text in the place of that one, which must be there.
pub(super) fn replace(unit: String, before: &str, after: &str) -> String {
    if !unit.contains("[Service]") {
        return unit;
    }
    assert!(unit.contains(before), "no {before} in the unit");
    unit.replace(before, after)
}
