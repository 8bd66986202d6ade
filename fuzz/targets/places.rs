//! No target leads out of the directory of the pages, or to a file that is hidden in it.
#![no_main]

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use dorrit_server::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|target: &[u8]| {
    let Some((directories, file)) = fuzzing::place(target) else { return };
    for name in directories.iter().chain(&file).map(|name| name.as_bytes()) {
        assert!(!name.is_empty() && name[0] != b'.', "{name:x?}");
        assert!(!name.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0)), "{name:x?}");
    }
    let names: Vec<OsString> = directories.into_iter().chain(file.clone()).collect();
    let inside = fuzzing::place(&fuzzing::with_slash(target));
    assert!(file.is_none() || inside == Some((names, None)), "not the same with a slash");
});
