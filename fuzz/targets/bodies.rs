//! Plain requests and their bodies are the same whole, byte by byte and in pieces.
#![no_main]

use std::io::Write as _;

use dorrit_fuzz::input::Input;
use dorrit_proto::{Body, ProxyHeader, Refusal, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (cuts, stream) = bytes.split_at(bytes.len().min(8));
    let is_proxied = cuts.first().is_some_and(|first| first & 1 == 1);
    let whole = read(stream, is_proxied, std::iter::once(stream.len()));
    assert_eq!(whole, read(stream, is_proxied, Input(&[]).cuts()));
    assert_eq!(whole, read(stream, is_proxied, Input(cuts).cuts()));
});

/// All that a client says, when it comes in such pieces, perhaps behind a header of the PROXY protocol.
fn read(stream: &[u8], is_proxied: bool, cuts: impl Iterator<Item = usize>) -> Vec<u8> {
    let mut reader = Reader {
        request: Request::new().expect("memory"),
        is_proxied,
        body: None,
        seen: 0,
        said: Vec::new(),
    };
    let (mut at, mut end) = (0, 0);
    for cut in cuts {
        end = stream.len().min(end + cut);
        loop {
            match reader.receive(&stream[at..end]) {
                Ok(Some(len)) => at += len,
                Ok(None) if end < stream.len() => break,
                Ok(None) => return reader.said,
                Err(refusal) => {
                    let _ = write!(reader.said, "{refusal:?}");
                    return reader.said;
                }
            }
        }
    }
    reader.said
}

struct Reader {
    request: Request,
    is_proxied: bool,
    body: Option<Body>,
    seen: usize,
    said: Vec<u8>,
}

impl Reader {
    /// Takes the next part of the input; `None` where more is needed, and behind what ends all.
    fn receive(&mut self, input: &[u8]) -> Result<Option<usize>, Refusal> {
        if self.is_proxied {
            let Some(header) = ProxyHeader::receive(input)? else { return Ok(None) };
            let _ = write!(self.said, "{header:?}");
            self.is_proxied = false;
            return Ok(Some(header.len));
        }
        if let Some(body) = &mut self.body {
            let piece = body.receive(input)?;
            assert!(piece.data.end <= piece.consumed && piece.consumed <= input.len());
            self.said.extend_from_slice(&input[piece.data]);
            if body.is_complete() {
                self.body = None;
                self.said.push(b';');
                return Ok(Some(piece.consumed));
            }
            return Ok((piece.consumed > 0).then_some(piece.consumed));
        }
        let Some(len) =
            self.request.receive(input, std::mem::replace(&mut self.seen, input.len()))?
        else {
            return Ok(None);
        };
        self.seen = 0;
        let plain = self.request.judge_plain();
        let kept = self.request.keep().expect("memory");
        assert_eq!((kept.judge_plain(), kept.target()), (plain, self.request.target()));
        // An upgrade ends all: what is behind it is no request.
        let plain = plain?.ok_or(Refusal::UpgradeRequired)?;
        let _ = write!(self.said, "{plain:?} {:?} {:?}", kept.method(), kept.target());
        self.body = Some(Body::new(plain.body));
        Ok(Some(len))
    }
}
