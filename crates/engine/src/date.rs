//! The date, as answers to requests have it.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

/// The length of a date in bytes (RFC 9110 5.6.7).
const LEN: usize = 29;

/// The date of the second in which it was asked for last. No answer costs a look at the clock.
#[derive(Debug)]
pub(crate) struct Date {
    text: String,
    /// Which second it is, since 1970.
    second: Option<u64>,
    /// The clock was looked at in this round.
    is_fresh: bool,
}

impl Default for Date {
    fn default() -> Self {
        Self { text: String::with_capacity(LEN), second: None, is_fresh: false }
    }
}

impl Date {
    /// Notes that time may have passed.
    pub(crate) fn expire(&mut self) {
        self.is_fresh = false;
    }

    /// The date that is now; that there is none before 1970 is no matter.
    pub(crate) fn now(&mut self) -> &str {
        if !self.is_fresh {
            self.refresh();
        }
        &self.text
    }

    #[inline(never)]
    fn refresh(&mut self) {
        self.is_fresh = true;
        let now = SystemTime::now().max(UNIX_EPOCH);
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.second != Some(second) {
            self.second = Some(second);
            self.text.clear();
            let _ = write!(&mut self.text, "{}", HttpDate::from(now));
        }
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
