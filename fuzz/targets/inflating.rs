//! Inflating takes time in proportion to what goes in and comes out, and no more memory than a message
//! may have.
#![no_main]

use std::time::Duration;

use dorrit_fuzz::input::Input;
use dorrit_proto::{Inflater, MessageKind};
use libfuzzer_sys::fuzz_target;
use rustix::time::{ClockId, clock_gettime};

/// Ten times what a byte of the dearest blocks takes.
const BYTE: Duration = Duration::from_nanos(500);
/// What a run may take besides, on a machine that does other things too.
const BESIDES: Duration = Duration::from_millis(20);

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let max_payload = 1 << 18;
    let kind = [MessageKind::Text, MessageKind::Binary][usize::from(input.byte() & 1)];
    // One piece, so often that what takes more than its share of time is seen to.
    let times = 4 * input.below(1 << 16);
    let message = input.0.repeat(times.min((1 << 18) / input.0.len().max(1)).max(1));
    let (mut inflater, mut out) = (Inflater::new().expect("memory"), Vec::new());
    let start = clock_gettime(ClockId::ThreadCPUTime);
    let inflated = inflater.inflate_whole(kind, &message, max_payload, &mut out);
    let end = clock_gettime(ClockId::ThreadCPUTime);
    assert!(out.capacity() <= max_payload + 1, "{} bytes are taken", out.capacity());
    assert!(inflated.is_err() || out.last() == Some(&0), "no zero byte behind the message");
    let spent = Duration::try_from(end - start).expect("time goes forward");
    let allowed = BESIDES + BYTE * (message.len() + out.len()) as u32;
    assert!(spent <= allowed, "{spent:?} for {} bytes in, {} out", message.len(), out.len());
});
