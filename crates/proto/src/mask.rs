//! The mask of a client's frame (RFC 6455 5.3).

/// Unmasks `payload` in place, or masks it: the operation is its own inverse. Returns whether all that
/// came out is ASCII, which is UTF-8 without a further look.
#[inline]
pub fn unmask(key: [u8; 4], payload: &mut [u8]) -> bool {
    let half = u32::from_ne_bytes(key);
    let word = u64::from(half) << 32 | u64::from(half);
    let mut seen = 0;
    let (words, rest) = payload.as_chunks_mut::<8>();
    for bytes in words {
        let plain = u64::from_ne_bytes(*bytes) ^ word;
        *bytes = plain.to_ne_bytes();
        seen |= plain;
    }
    let mut last = 0;
    for (byte, key) in rest.iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key;
        last |= *byte;
    }
    (seen & 0x8080_8080_8080_8080) == 0 && last.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ADVISORIES T11: every length and every alignment, and nothing outside the payload.
    #[test]
    fn every_length_at_every_alignment() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for start in 0..16 {
            for len in 0..100 {
                let plain: Vec<u8> = (0..start + len + 16).map(|i| i as u8).collect();
                let mut bytes = plain.clone();
                let is_ascii = unmask(key, &mut bytes[start..start + len]);
                assert_eq!(is_ascii, bytes[start..start + len].is_ascii());
                for (i, (&got, &was)) in bytes.iter().zip(&plain).enumerate() {
                    let inside = (start..start + len).contains(&i);
                    let key = if inside { key[(i - start) % 4] } else { 0 };
                    assert_eq!(got, was ^ key, "start {start}, length {len}, byte {i}");
                }
            }
        }
    }
}
