//! A stream of frames says the same whole, byte by byte and in pieces.
#![no_main]

use dorrit_fuzz::input::Input;
use dorrit_fuzz::stream::{read, rules};
use dorrit_proto::Deflate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let rules = rules(&mut input);
    let offer = [&b"permessage-deflate"[..]].into_iter();
    let deflate = Deflate::negotiate(offer).filter(|_| input.byte() & 1 != 0);
    let cuts = Input(input.bytes()).cuts();
    let whole = read(&rules, deflate, input.0, std::iter::once(input.0.len()));
    assert_eq!(whole, read(&rules, deflate, input.0, cuts));
    assert_eq!(whole, read(&rules, deflate, input.0, Input(&[]).cuts()));
});
