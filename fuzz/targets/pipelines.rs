//! What a client asks is told, and answered, alike: whole, byte by byte and in pieces, at once and later.
#![no_main]

use dorrit_fuzz::input::Input;
use dorrit_fuzz::{pipeline, setup};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (choice, rest) = bytes.split_at(bytes.len().min(3));
    let (cuts, stream) = rest.split_at(rest.len().min(8));
    // When a queue or the memory is full depends on the pieces.
    let mut config = setup::config(&mut Input(choice), 2);
    (config.max_memory, config.max_queued_frames) = (None, None);
    config.queue_limit.bytes = 1 << 26;
    let whole = pipeline::read(&config, stream, std::iter::once(stream.len()), false);
    let none = || Input(&[]).cuts();
    assert_eq!(whole, pipeline::read(&config, stream, std::iter::once(0), false));
    assert_eq!(whole, pipeline::read(&config, stream, none(), false));
    assert_eq!(whole, pipeline::read(&config, stream, Input(cuts).cuts(), true));
});
