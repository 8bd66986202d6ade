//! An input of the fuzzer's, taken apart.

/// What is left of an input. Where nothing is left all is 0 and empty, so that every input is good.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// The next number, below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()])) % end
    }

    /// The next bytes, as many as the byte before them says.
    pub fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        bytes
    }

    /// Lengths of the pieces in which something comes, each at least 1.
    pub fn cuts(self) -> impl Iterator<Item = usize> + 'a {
        let lens = self.0.iter().map(|byte| usize::from(*byte).max(1));
        lens.chain(std::iter::repeat(1))
    }
}
