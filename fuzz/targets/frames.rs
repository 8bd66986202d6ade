//! The short way to take a message agrees with the long one, and leaves what it does not take.
#![no_main]

use dorrit_fuzz::input::Input;
use dorrit_fuzz::stream::rules;
use dorrit_proto::{Received, Role, Rules, receive_frame, receive_whole};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let rules = Rules { role: Role::Server, ..rules(&mut input) };
    let (mut long, mut short) = (input.0.to_vec(), input.0.to_vec());
    let taken = receive_frame(&rules, None, None, &mut long);
    let Some(whole) = receive_whole(rules.max_payload, rules.binary, &mut short) else {
        return assert_eq!(short, input.0);
    };
    let frame = taken.expect("no violation").expect("a whole frame");
    let Received::Message(complete) = frame.received else { panic!("{frame:?}") };
    let len = whole.frame_len();
    assert_eq!((complete.kind, frame.payload, frame.len), (whole.kind, whole.payload, len));
    assert_eq!(long, short);
    assert_eq!(&long[len..], &input.0[len..]);
});
