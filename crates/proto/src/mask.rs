//! The mask of a client's frame (RFC 6455 5.3).

/// Unmasks `payload` in place, or masks it: the operation is its own inverse. Returns whether all that
/// came out is ASCII, which is UTF-8 without a further look.
#[inline]
pub fn unmask(key: [u8; 4], payload: &mut [u8]) -> bool {
    match payload.len() {
        ..LONG => unmask_words(key, payload),
        _ => pulp::Arch::new().dispatch(|| unmask_words(key, payload)),
    }
}

/// From so many bytes on it pays to ask which instructions the processor has.
const LONG: usize = 1024;

#[inline(always)]
fn unmask_words(key: [u8; 4], payload: &mut [u8]) -> bool {
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
    (seen & ASCII) == 0 && last.is_ascii()
}

/// The length of a mask in bytes.
pub(crate) const MASK: usize = 4;

/// Unmasks a short payload, which stands behind its mask, and moves it to the front by one byte, so that
/// there is room for a zero byte behind it. Returns whether it is ASCII.
#[inline(always)]
pub(crate) fn unmask_back(masked: &mut [u8]) -> bool {
    const WORD: usize = 8;
    let Some((&mut key, payload)) = masked.split_first_chunk_mut::<MASK>() else { return true };
    let len = payload.len();
    let bytes = &mut masked[MASK - 1..];
    let key = u32::from_le_bytes(key);
    let word = u64::from(key) << 32 | u64::from(key);
    let mut seen = 0;
    let plain = |bytes: &[u8], at: usize, key: u64| {
        let masked = bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        masked ^ key
    };
    if len >= WORD {
        // The last word overlaps the one before it, and is read before that is written.
        let last_at = len - WORD;
        let last = plain(bytes, last_at + 1, word.rotate_right(8 * (last_at % MASK) as u32));
        let mut at = 0;
        while at < last_at {
            let plain = plain(bytes, at + 1, word);
            bytes[at..at + WORD].copy_from_slice(&plain.to_le_bytes());
            seen |= plain;
            at += WORD;
        }
        bytes[last_at..len].copy_from_slice(&last.to_le_bytes());
        seen |= last;
    } else {
        for at in 0..len {
            let plain = bytes[at + 1] ^ key.to_le_bytes()[at % MASK];
            bytes[at] = plain;
            seen |= u64::from(plain);
        }
    }
    bytes[len] = 0;
    (seen & ASCII) == 0
}

/// The bits that no ASCII character has, in eight of them.
const ASCII: u64 = 0x8080_8080_8080_8080;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_payloads_of_every_length() {
        for mask in [[0; 4], [0x37, 0xfa, 0x21, 0x3d], [0x80, 1, 2, 3]] {
            for len in 0..126usize {
                for high in [None, len.checked_sub(1), Some(len / 2).filter(|at| *at < len)] {
                    let mut payload: Vec<u8> = (0..len).map(|i| b'a' + i as u8 % 26).collect();
                    if let Some(at) = high {
                        payload[at] = 0xc3;
                    }
                    let mut masked = mask.to_vec();
                    masked.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, k)| b ^ k));
                    assert_eq!(unmask_back(&mut masked), high.is_none(), "{len} bytes");
                    assert_eq!(masked[MASK - 1..MASK - 1 + len], payload, "{len} bytes");
                    assert_eq!(masked[MASK - 1 + len], 0);
                }
            }
        }
    }

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
