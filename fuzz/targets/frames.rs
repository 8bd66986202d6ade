//! The short ways to take a message agree with the long one, and leave what they do not take.
#![no_main]

use dorrit_fuzz::input::Input;
use dorrit_fuzz::stream::rules;
use dorrit_proto::{Received, Short, receive_frame, receive_medium, receive_short};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let rules = rules(&mut input);
    let (mut long, mut quick) = (input.0.to_vec(), input.0.to_vec());
    let taken = receive_frame(&rules, None, None, &mut long);
    let payload = match receive_short(rules.max_payload, rules.binary, &mut quick) {
        Some(Short { kind, len }) => Some((kind, Short::PAYLOAD..Short::PAYLOAD + len)),
        None => receive_medium(rules.max_payload, rules.binary, &mut quick),
    };
    let Some((kind, payload)) = payload else { return assert_eq!(quick, input.0) };
    let frame = taken.expect("no violation").expect("a whole frame");
    let Received::Message(complete) = frame.received else { panic!("{frame:?}") };
    assert_eq!((complete.kind, &long[frame.payload]), (kind, &quick[payload]));
});
