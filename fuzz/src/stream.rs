//! A peer's stream of frames, as it is read in pieces.

use std::ops::ControlFlow;

use dorrit_proto::{
    Binary, CloseCode, Coding, Complete, Deflate, Fragments, Incoming, IncomingError, Inflater,
    MessageKind, Received, Role, Rules, Violation, receive_frame,
};

use crate::input::Input;

/// What the peer says.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// A message, and whether it came compressed.
    Message(MessageKind, Coding, Vec<u8>),
    /// A ping with this payload.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// A close frame, behind which nothing is read.
    Close(Option<CloseCode>),
    /// It breaks the protocol, and nothing more is read.
    Violation(Violation),
}

/// Rules that the input chooses.
pub fn rules(input: &mut Input<'_>) -> Rules {
    let choice = input.byte();
    Rules {
        role: if choice & 32 == 0 { Role::Server } else { Role::Client },
        max_payload: [0, 10, 125, 126, 1000, 65535, 65536, 1 << 20][usize::from(choice & 7)],
        binary: if choice & 8 == 0 { Binary::Accepted } else { Binary::Refused },
        fragments: if choice & 16 == 0 { Fragments::Joined } else { Fragments::Refused },
    }
}

/// Reads a stream that comes in pieces of these lengths.
pub fn read(
    rules: &Rules,
    deflate: Option<Deflate>,
    stream: &[u8],
    mut cuts: impl Iterator<Item = usize>,
) -> Vec<Said> {
    let mut reader = Reader::new(rules, deflate);
    let mut rest = stream;
    while !rest.is_empty() {
        let len = cuts.next().unwrap_or(rest.len()).clamp(1, rest.len());
        reader.input.extend_from_slice(&rest[..len]);
        rest = &rest[len..];
        if reader.read().is_break() {
            break;
        }
    }
    reader.said
}

struct Reader<'a> {
    rules: &'a Rules,
    deflate: Option<Deflate>,
    input: Vec<u8>,
    incoming: Incoming,
    inflater: Inflater,
    said: Vec<Said>,
}

impl<'a> Reader<'a> {
    fn new(rules: &'a Rules, deflate: Option<Deflate>) -> Self {
        Self {
            rules,
            deflate,
            input: Vec::new(),
            incoming: Incoming::new(),
            inflater: Inflater::new().expect("memory"),
            said: Vec::new(),
        }
    }

    /// Reads what is there; breaks where nothing more is to be read.
    fn read(&mut self) -> ControlFlow<()> {
        loop {
            if self.incoming.is_in_frame() {
                self.receive_part()?;
                if self.incoming.is_in_frame() {
                    return ControlFlow::Continue(());
                }
            }
            let input = &mut self.input;
            let frame = match receive_frame(self.rules, Some(&self.incoming), self.deflate, input) {
                Ok(Some(frame)) => frame,
                Ok(None) => return ControlFlow::Continue(()),
                Err(violation) => return self.violated(violation),
            };
            let payload = self.input[frame.payload.clone()].to_vec();
            self.input.drain(..frame.len);
            match frame.received {
                Received::Message(complete) => self.complete(complete, payload)?,
                Received::Part(start) => {
                    self.incoming.begin(start);
                    self.receive_part()?;
                }
                Received::Ping => self.said.push(Said::Ping(payload)),
                Received::Pong => self.said.push(Said::Pong),
                Received::Close(code) => {
                    self.said.push(Said::Close(code));
                    return ControlFlow::Break(());
                }
            }
        }
    }

    fn receive_part(&mut self) -> ControlFlow<()> {
        match self.incoming.receive(&self.input) {
            Ok((len, complete)) => {
                self.input.drain(..len);
                let Some(complete) = complete else { return ControlFlow::Continue(()) };
                let mut message = self.incoming.message().to_vec();
                assert_eq!(message.pop(), Some(0), "there is no zero byte behind the message");
                self.complete(complete, message)
            }
            Err(error) => self.failed(error),
        }
    }

    fn complete(&mut self, complete: Complete, payload: Vec<u8>) -> ControlFlow<()> {
        let Complete { kind, coding } = complete;
        let mut message = payload;
        if coding == Coding::Deflated {
            let (max, mut inflated) = (self.rules.max_payload, Vec::new());
            if let Err(error) = self.inflater.inflate_whole(kind, &message, max, &mut inflated) {
                return self.failed(error);
            }
            assert_eq!(inflated.pop(), Some(0), "there is no zero byte behind the message");
            message = inflated;
        }
        assert!(message.len() <= self.rules.max_payload, "the message is too long");
        assert!(kind == MessageKind::Binary || str::from_utf8(&message).is_ok(), "no UTF-8");
        self.said.push(Said::Message(kind, coding, message));
        ControlFlow::Continue(())
    }

    fn failed(&mut self, error: IncomingError) -> ControlFlow<()> {
        match error {
            IncomingError::Violation(violation) => self.violated(violation),
            IncomingError::OutOfMemory => panic!("no memory for {} bytes", self.rules.max_payload),
        }
    }

    fn violated(&mut self, violation: Violation) -> ControlFlow<()> {
        self.said.push(Said::Violation(violation));
        ControlFlow::Break(())
    }
}
