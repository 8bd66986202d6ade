//! Allocations that fail, by tests/c/faults.c in front of the C library.

use std::fs::{File, Permissions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use super::launch::Launch;
use super::program::{Variant, program};
use super::skip::Need;

/// What the allocations of a server do, all its processes together.
pub(crate) struct Faults(File);

/// Where the numbers stand that both sides share.
const COUNT: u64 = 0;
const FIRST: u64 = 8;
const END: u64 = 16;
const FAILED: u64 = 24;

impl Faults {
    /// What they need.
    pub(crate) const NEED: Need = Need::Has(
        cfg!(all(target_os = "linux", target_env = "gnu")),
        "nothing can come between the program and malloc: the C library is not glibc",
    );

    /// Puts them into the launch: none fails yet.
    pub(crate) fn of(launch: Launch) -> (Launch, Faults) {
        let path = launch.dir().join("out/faults");
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = file.expect("a file");
        file.write_all_at(&[0; 32], 0).expect("it has room");
        // Who starts and who serves need not be the same user.
        file.set_permissions(Permissions::from_mode(0o666)).expect("it is ours");
        // Nor may both read the build directory.
        let preload = launch.dir().join("faults.so");
        std::fs::copy(program("faults.c", Variant::Preload), &preload).expect("a copy");
        let (preload, path) = (preload.display().to_string(), path.display().to_string());
        (launch.env("LD_PRELOAD", &preload).env("FAULTS", &path), Faults(file))
    }

    /// How many allocations there were.
    pub(crate) fn count(&self) -> u64 {
        self.get(COUNT)
    }

    /// How many have failed.
    pub(crate) fn failed(&self) -> u64 {
        self.get(FAILED)
    }

    /// From now on so many fail, after so many that do not.
    pub(crate) fn fail(&self, after: u64, many: u64) {
        self.set(FIRST, u64::MAX);
        let first = self.count() + after;
        self.set(END, first.saturating_add(many));
        self.set(FIRST, first);
    }

    /// From now on none fails.
    pub(crate) fn heal(&self) {
        self.set(END, 0);
    }

    fn get(&self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, at).expect("it is there");
        u64::from_ne_bytes(bytes)
    }

    fn set(&self, at: u64, value: u64) {
        self.0.write_all_at(&value.to_ne_bytes(), at).expect("it has room");
    }
}
