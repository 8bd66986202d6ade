//! The descriptors that are the engine's own.

use std::collections::TryReserveError;
use std::os::fd::RawFd;

/// Descriptors by their number, a bit each.
#[derive(Default)]
pub(crate) struct Descriptors(Vec<u64>);

impl Descriptors {
    /// Puts a descriptor in. Returns whether that is news.
    pub(crate) fn insert(&mut self, fd: RawFd) -> Result<bool, TryReserveError> {
        let Some((word, bit)) = place(fd) else { return Ok(false) };
        if word >= self.0.len() {
            let more = word + 1 - self.0.len();
            self.0.try_reserve(more)?;
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        Ok(is_new)
    }

    pub(crate) fn remove(&mut self, fd: RawFd) {
        if let Some((word, bit)) = place(fd)
            && let Some(bits) = self.0.get_mut(word)
        {
            *bits &= !bit;
        }
    }

    pub(crate) fn has(&self, fd: RawFd) -> bool {
        place(fd).is_some_and(|(word, bit)| self.0.get(word).is_some_and(|bits| bits & bit != 0))
    }
}

/// Where the bit of a descriptor is; `None` for a number that no descriptor has.
fn place(fd: RawFd) -> Option<(usize, u64)> {
    let number = usize::try_from(fd).ok()?;
    Some((number / 64, 1 << (number % 64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_told_apart() {
        let mut descriptors = Descriptors::default();
        for fd in [0, 63, 64, 1000] {
            assert!(!descriptors.has(fd));
            assert!(descriptors.insert(fd).unwrap() && !descriptors.insert(fd).unwrap());
        }
        let all: Vec<_> = (-70..2000).filter(|fd| descriptors.has(*fd)).collect();
        assert_eq!(all, [0, 63, 64, 1000]);
        descriptors.remove(64);
        descriptors.remove(5000);
        descriptors.remove(-1);
        assert!(!descriptors.has(64) && descriptors.has(63));
    }
}
