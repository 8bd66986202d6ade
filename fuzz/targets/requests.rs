//! A request is the same whole, byte by byte and in pieces.
#![no_main]

use dorrit_fuzz::input::Input;
use dorrit_proto::{Request, encode_accept};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (cuts, head) = bytes.split_at(bytes.len().min(8));
    let whole = receive(head, std::iter::once(head.len()));
    assert_eq!(whole, receive(head, Input(&[]).cuts()));
    assert_eq!(whole, receive(head, Input(cuts).cuts()));
});

/// All that there is to know of the request at the start of `input`, when it comes in such pieces.
fn receive(input: &[u8], cuts: impl Iterator<Item = usize>) -> String {
    let mut request = Request::new().expect("memory");
    let mut seen = 0;
    for cut in cuts {
        let end = input.len().min(seen + cut);
        match request.receive(&input[..end], seen) {
            Ok(None) if end == input.len() => break,
            Ok(None) => seen = end,
            Ok(Some(len)) => return describe(&request, len),
            Err(refusal) => return format!("{refusal:?}"),
        }
    }
    String::new()
}

fn describe(request: &Request, len: usize) -> String {
    let mut answer = Vec::new();
    let protocol = request.protocols().next();
    encode_accept(request.key(), protocol, request.deflate(), b"", &mut answer);
    let judged = (request.judge(), request.judge_plain(), len);
    format!("{judged:?} {:?} {:?} {answer:?}", request.target(), request.host())
}
