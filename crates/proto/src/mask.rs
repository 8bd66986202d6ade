//! The mask of the frames that a client sends (RFC 6455 5.3).

/// Unmasks `payload` in place, or masks it: the operation is its own inverse. Returns whether all that
/// came out is ASCII, which is UTF-8 without a further look.
#[inline]
pub fn unmask(key: [u8; 4], payload: &mut [u8]) -> bool {
    match payload.len() {
        ..LONG => unmask_words(key, payload),
        _ => pulp::Arch::new().dispatch(|| unmask_words(key, payload)),
    }
}

/// A payload of so many bytes is long: it pays to ask which instructions the processor has.
const LONG: usize = 1024;

#[inline(always)]
fn unmask_words(key: [u8; 4], payload: &mut [u8]) -> bool {
    let half = u32::from_ne_bytes(key);
    let word = u64::from(half) << 32 | u64::from(half);
    let mut seen = 0;
    let (words, rest) = payload.as_chunks_mut::<WORD>();
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

/// Masks `payload` on the way to `room`, which is as long.
pub(crate) fn mask_to(key: [u8; 4], payload: &[u8], room: &mut [u8]) {
    match payload.len() {
        ..LONG => mask_words_to(key, payload, room),
        _ => pulp::Arch::new().dispatch(|| mask_words_to(key, payload, room)),
    }
}

#[inline(always)]
fn mask_words_to(key: [u8; 4], payload: &[u8], room: &mut [u8]) {
    let half = u32::from_ne_bytes(key);
    let word = u64::from(half) << 32 | u64::from(half);
    let (words, rest) = payload.as_chunks::<WORD>();
    let (word_rooms, room) = room.as_chunks_mut::<WORD>();
    for (bytes, room) in words.iter().zip(word_rooms) {
        *room = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for ((byte, room), key) in rest.iter().zip(room).zip(key.into_iter().cycle()) {
        *room = byte ^ key;
    }
}

/// The length of a mask in bytes.
pub(crate) const MASK: usize = 4;

/// Unmasks a payload that stands behind its mask, and moves it to the front by one byte, so that there is
/// room for a zero byte behind it, which is put there. Returns whether all that came out is ASCII. It is
/// for payloads of less than 126 bytes: of them, no instruction is spent on asking how long they are.
#[inline(always)]
pub(crate) fn unmask_back(masked: &mut [u8]) -> bool {
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

/// Unmasks a payload of any length that stands behind its mask, and moves it to the front by one byte, with
/// a zero byte behind it, as [`unmask_back`] does: with wide instructions, as fast as [`unmask`], which
/// moves nothing.
pub(crate) fn unmask_back_long(masked: &mut [u8]) -> bool {
    match masked.len() {
        ..LONG => unmask_back_words(masked),
        _ => pulp::Arch::new().dispatch(|| unmask_back_words(masked)),
    }
}

#[inline(always)]
fn unmask_back_words(masked: &mut [u8]) -> bool {
    let Some(&key) = masked.first_chunk::<MASK>() else { return true };
    let half = u32::from_ne_bytes(key);
    let word = u64::from(half) << 32 | u64::from(half);
    let (mut seen, mut rest) = (0, &mut masked[MASK - 1..]);
    // Each word is read one byte behind the place where it is written: the compiler sees that it may read
    // many before it writes them.
    while rest.len() > WORD {
        let Some(masked) = rest[1..].first_chunk() else { break };
        let plain = u64::from_ne_bytes(*masked) ^ word;
        rest[..WORD].copy_from_slice(&plain.to_ne_bytes());
        seen |= plain;
        rest = &mut rest[WORD..];
    }
    let mut last = 0;
    for (at, key) in (1..rest.len()).zip(key.into_iter().cycle()) {
        rest[at - 1] = rest[at] ^ key;
        last |= rest[at - 1];
    }
    if let Some(behind) = rest.last_mut() {
        *behind = 0;
    }
    (seen & ASCII) == 0 && last.is_ascii()
}

/// The length in bytes of what is unmasked at a time.
const WORD: usize = size_of::<u64>();

/// The bits that no ASCII character has, in eight of them.
const ASCII: u64 = 0x8080_8080_8080_8080;

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways to unmask and move, for a payload of this length with a byte that is no ASCII at `high`.
    fn check_back(mask: [u8; 4], len: usize, high: Option<usize>) {
        let mut payload: Vec<u8> = (0..len).map(|i| b'a' + i as u8 % 26).collect();
        if let Some(at) = high {
            payload[at] = 0xc3;
        }
        let mut masked = mask.to_vec();
        masked.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, k)| b ^ k));
        let expected = [&mask[..MASK - 1], &payload, &[0]].concat();
        for unmask_back in [unmask_back, unmask_back_long] {
            let mut masked = masked.clone();
            assert_eq!(unmask_back(&mut masked), high.is_none(), "{len} bytes");
            assert!(masked == expected, "{len} bytes");
        }
    }

    #[test]
    fn moved_payloads_of_every_length() {
        for mask in [[0; 4], [0x37, 0xfa, 0x21, 0x3d], [0x80, 1, 2, 3]] {
            for len in (0..300).chain(LONG - 10..LONG + 50).chain([65535]) {
                check_back(mask, len, None);
                check_back(mask, len, len.checked_sub(1));
                check_back(mask, len, Some(len / 2).filter(|at| *at < len));
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
                let mut copy = vec![0; len];
                mask_to(key, &bytes[start..start + len], &mut copy);
                let is_ascii = unmask(key, &mut bytes[start..start + len]);
                assert_eq!(copy, bytes[start..start + len]);
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
