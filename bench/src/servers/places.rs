//! Where a run has its files.

use std::fs;
use std::io;
use std::path::PathBuf;

/// The directories of this build.
pub struct Places {
    /// bench/
    pub bench: PathBuf,
    /// bench/target
    pub target: PathBuf,
    /// Sockets, whose names must be short.
    pub run: PathBuf,
}

impl Places {
    pub fn find() -> io::Result<Self> {
        // bench/target/release/dorrit-bench
        let program = std::env::current_exe()?;
        let target = program.ancestors().nth(2).ok_or(io::ErrorKind::NotFound)?.to_owned();
        let bench = target.parent().ok_or(io::ErrorKind::NotFound)?.to_owned();
        let run = std::env::temp_dir().join(format!("dorrit-bench-{}", std::process::id()));
        fs::create_dir_all(&run)?;
        Ok(Self { bench, target, run })
    }
}
