//! Every command line is understood or refused in words, in both libraries.
#![no_main]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use dorrit_server::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let arguments = bytes.split(|byte| *byte == 0).map(|argument| argument.to_vec());
    let arguments: Vec<_> = arguments.map(OsString::from_vec).collect();
    for flavor in &dorrit_fuzz::FLAVORS {
        if let Err((status, text)) = fuzzing::parse_options(&arguments, flavor) {
            assert!((0..=2).contains(&status) && !text.is_empty(), "{status}: {text}");
        }
    }
});
