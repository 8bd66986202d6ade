//! Frames as bytes: a client may build any, right or wrong.

/// What a frame is, by its four bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Op(pub(crate) u8);

impl Op {
    /// The next part of a message.
    pub(crate) const CONTINUATION: Op = Op(0);
    /// A text message.
    pub(crate) const TEXT: Op = Op(1);
    /// A binary message.
    pub(crate) const BINARY: Op = Op(2);
    /// The close frame.
    pub(crate) const CLOSE: Op = Op(8);
    /// A ping.
    pub(crate) const PING: Op = Op(9);
    /// A pong.
    pub(crate) const PONG: Op = Op(10);
}

/// How the payload's length is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Length {
    Shortest,
    /// In two bytes, whatever it is.
    Two(u16),
    /// In eight bytes, whatever it is.
    Eight(u64),
}

/// One frame, received or to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Frame {
    /// The last frame of its message.
    pub(crate) fin: bool,
    /// The three reserved bits.
    pub(crate) rsv: u8,
    /// The kind.
    pub(crate) op: Op,
    /// The payload, unmasked.
    pub(crate) payload: Vec<u8>,
    mask: Option<[u8; 4]>,
    length: Length,
}

impl Frame {
    /// A whole, masked frame.
    pub(crate) fn new(op: Op, payload: impl AsRef<[u8]>) -> Frame {
        Frame {
            fin: true,
            rsv: 0,
            op,
            payload: payload.as_ref().to_vec(),
            mask: Some([0x37, 0xfa, 0x21, 0x3d]),
            length: Length::Shortest,
        }
    }

    /// A text message.
    pub(crate) fn text(text: &str) -> Frame {
        Frame::new(Op::TEXT, text)
    }

    /// A close frame with that code and reason.
    pub(crate) fn close(code: u16, reason: &str) -> Frame {
        Frame::new(Op::CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// Without FIN.
    pub(crate) fn unfinished(mut self) -> Frame {
        self.fin = false;
        self
    }

    /// With these reserved bits, 0 to 7.
    pub(crate) fn reserved(mut self, bits: u8) -> Frame {
        self.rsv = bits;
        self
    }

    /// Without a mask.
    pub(crate) fn unmasked(mut self) -> Frame {
        self.mask = None;
        self
    }

    /// With that mask.
    pub(crate) fn masked(mut self, mask: [u8; 4]) -> Frame {
        self.mask = Some(mask);
        self
    }

    /// Declares a length in the two-byte form.
    pub(crate) fn declare16(mut self, length: u16) -> Frame {
        self.length = Length::Two(length);
        self
    }

    /// Declares a length in the eight-byte form.
    pub(crate) fn declare64(mut self, length: u64) -> Frame {
        self.length = Length::Eight(length);
        self
    }

    /// The code of a close frame; `None` where it has none.
    pub(crate) fn code(&self) -> Option<u16> {
        assert_eq!(self.op, Op::CLOSE, "a close frame was expected: {self:?}");
        let code = self.payload.first_chunk::<2>()?;
        Some(u16::from_be_bytes(*code))
    }

    /// The payload as text.
    pub(crate) fn as_text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("a text frame holds UTF-8")
    }

    /// The frame as it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let first = u8::from(self.fin) << 7 | self.rsv << 4 | self.op.0;
        let masked = u8::from(self.mask.is_some()) << 7;
        let mut bytes = vec![first];
        let length = match (self.length, self.payload.len()) {
            (Length::Shortest, short @ 0..=125) => {
                bytes.push(masked | short as u8);
                return self.add_payload(bytes);
            }
            (Length::Shortest, middle @ 126..=0xffff) => Length::Two(middle as u16),
            (Length::Shortest, long) => Length::Eight(long as u64),
            (declared, _) => declared,
        };
        if let Length::Two(length) = length {
            bytes.push(masked | 126);
            bytes.extend(length.to_be_bytes());
        } else if let Length::Eight(length) = length {
            bytes.push(masked | 127);
            bytes.extend(length.to_be_bytes());
        }
        self.add_payload(bytes)
    }

    fn add_payload(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let mask = self.mask.unwrap_or_default();
        if self.mask.is_some() {
            bytes.extend(mask);
        }
        bytes.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }

    /// The first frame of these bytes and its length on the wire, or `None` where they are too few.
    /// A server's frame has no mask and the shortest form of length: anything else panics.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
        let [first, second, rest @ ..] = bytes else {
            return None;
        };
        assert_eq!(second & 0x80, 0, "a server does not mask");
        let (length, header) = match second & 0x7f {
            126 => {
                let length = u64::from(u16::from_be_bytes(*rest.first_chunk::<2>()?));
                assert!(length > 125, "the shortest form of a length");
                (length, 4)
            }
            127 => {
                let length = u64::from_be_bytes(*rest.first_chunk::<8>()?);
                assert!(length > 0xffff, "the shortest form of a length");
                (length, 10)
            }
            short => (u64::from(short), 2),
        };
        let end = header + usize::try_from(length).expect("a length that fits");
        let payload = bytes.get(header..end)?;
        let frame = Frame {
            fin: first & 0x80 != 0,
            rsv: first >> 4 & 7,
            op: Op(first & 0x0f),
            ..Frame::new(Op::TEXT, payload).unmasked()
        };
        Some((frame, end))
    }
}
