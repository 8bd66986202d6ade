//! The libraries as a C programmer meets them: built for release, with the names that the loader
//! looks for.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::process::Pid;

use super::command::output;

/// Where the built libraries lie, and what a program that takes a static one must add.
pub(crate) struct Library {
    /// Holds `libdorrit.so`, `libdorrit.so.3` and `libdorrit.a`, and the same of
    /// `libdorrit-classic`: copies, which a later build does not change.
    pub(crate) dir: PathBuf,
    /// What rustc says that a static library of its own needs, as linker arguments.
    pub(crate) native: Vec<String>,
}

impl Library {
    /// The static one of that name.
    pub(crate) fn archive(&self, package: Package) -> String {
        format!("{}/lib{}.a", self.dir.display(), package.name())
    }
}

/// Which of the libraries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Package {
    /// libdorrit(3)
    Dorrit,
    /// libdorrit(8)
    Classic,
}

impl Package {
    /// The linker's name for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Package::Dorrit => "dorrit",
            Package::Classic => "dorrit-classic",
        }
    }

    /// The directory of its header.
    pub(crate) fn headers(self) -> PathBuf {
        root().join(match self {
            Package::Dorrit => "include",
            Package::Classic => "include/classic",
        })
    }
}

/// The workspace's directory.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The build directory that cargo uses for this test run.
pub(crate) fn target_dir() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("cargo puts it into the target directory")
}

/// Builds the libraries at the first call.
pub(crate) fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(build)
}

/// Names a directory for what a run compiles, by whoever may neither write to the target directory nor
/// run cargo: what cargo builds is there then.
const PLACE: &str = "DORRIT_TEST_DIR";

fn place() -> Option<PathBuf> {
    std::env::var_os(PLACE).map(PathBuf::from)
}

fn build() -> Library {
    let native = match place() {
        Some(_) => installed_native_libraries(),
        None => {
            run_cargo();
            native_libraries()
        }
    };
    Library { dir: stage(&target_dir().join("release")), native }
}

fn run_cargo() {
    output(
        Command::new(env!("CARGO"))
            .args(["build", "--release", "--package", "dorrit", "--package", "dorrit-classic"])
            .arg("--target-dir")
            .arg(target_dir())
            .current_dir(root()),
    );
}

/// Copies what was built to where nothing changes it, under the names of an installation.
fn stage(built: &Path) -> PathBuf {
    let dir = program_dir().join("lib");
    std::fs::create_dir_all(&dir).expect("a directory for the library");
    for (from, to) in [
        ("libdorrit.so", "libdorrit.so"),
        ("libdorrit.so", "libdorrit.so.3"),
        ("libdorrit.a", "libdorrit.a"),
        ("libdorrit_classic.so", "libdorrit-classic.so"),
        ("libdorrit_classic.so", "libdorrit-classic.so.1"),
        ("libdorrit_classic.a", "libdorrit-classic.a"),
    ] {
        std::fs::copy(built.join(from), dir.join(to)).unwrap_or_else(|e| panic!("{from}: {e}"));
    }
    dir
}

/// What this run compiles lies here, not in a run's that goes on beside it. Directories of runs
/// that are over go.
pub(crate) fn program_dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let place = place().unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
        let all = place.join("c_programs");
        for old in std::fs::read_dir(&all).into_iter().flatten().flatten() {
            if !is_running(&old.file_name().to_string_lossy()) {
                // Another run may be removing it as well.
                let _ = std::fs::remove_dir_all(old.path());
            }
        }
        let dir = all.join(std::process::id().to_string());
        std::fs::create_dir_all(&dir).expect("a directory for programs");
        dir
    })
}

fn is_running(pid: &str) -> bool {
    let pid = pid.parse().ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

/// Asks rustc, by an empty library: the standard library's needs are those of ours.
fn native_libraries() -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let source = dir.path().join("empty.rs");
    std::fs::write(&source, "").expect("a source file");
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()))
        .args(["--crate-type", "staticlib", "--print", "native-static-libs"])
        .arg(&source)
        .current_dir(dir.path())
        .output()
        .expect("rustc runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, list) = text.split_once("native-static-libs:").expect("rustc prints the libraries");
    words(list.lines().next().unwrap_or(""))
}

/// As make has noted them.
fn installed_native_libraries() -> Vec<String> {
    let file = target_dir().join("release/native-static-libs");
    words(&std::fs::read_to_string(file).expect("make has built the library"))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
