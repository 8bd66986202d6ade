//! The date, as answers to requests have it.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

/// The length of a date in bytes (RFC 9110 5.6.7).
const LEN: usize = 29;

/// The date of the second in which it was asked for last.
#[derive(Debug)]
pub(crate) struct Date {
    text: [u8; LEN],
    /// Which second it is, since 1970.
    second: Option<u64>,
}

impl Default for Date {
    fn default() -> Self {
        Self { text: [b' '; LEN], second: None }
    }
}

impl Date {
    /// The date that is now; that there is none before 1970 is no matter.
    pub(crate) fn now(&mut self) -> &str {
        let now = SystemTime::now().max(UNIX_EPOCH);
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.second != Some(second) {
            self.second = Some(second);
            let _ = write!(&mut self.text[..], "{}", HttpDate::from(now));
        }
        std::str::from_utf8(&self.text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_second() {
        let mut date = Date::default();
        let before = SystemTime::now() - std::time::Duration::from_secs(1);
        let said = httpdate::parse_http_date(date.now()).unwrap();
        assert!(before <= said && said <= SystemTime::now());
        assert_eq!(date.now().len(), LEN);
    }
}
