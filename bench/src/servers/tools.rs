//! What builds the servers.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a command; where it fails, the first line that names an error, or the last one at all.
pub(super) fn succeed(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said
        .lines()
        .find(|line| line.contains("error") || line.contains("undefined reference"))
        .or(said.lines().last())
        .unwrap_or("it failed");
    // Where a file lies on this machine says nothing to the reader.
    let line = line.rsplit('/').next().unwrap_or(line);
    Err(format!("{program}: {}", line.trim()))
}

pub(super) fn is_newer(file: &Path, sources: &[&Path]) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    time(file).is_some_and(|made| {
        sources.iter().all(|source| time(source).is_some_and(|then| then <= made))
    })
}

/// Compiles a C program; what is more stands behind its source.
pub(super) fn compile(
    source: &Path,
    program: &Path,
    more: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<(), String> {
    let mut command = Command::new("cc");
    succeed(command.args(["-O2", "-o"]).args([program, source]).args(more)).map(drop)
}
