//! Formats instants. The text of the second is cached: from one event to the next, usually only the
//! fraction changes.

use std::io::Write as _;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// The text of the last second that was written.
#[derive(Debug, Default)]
pub(super) struct Second {
    /// The second, since 1970 UTC. `None` before the first one.
    of: Option<i64>,
    /// The text of the second, up to and including the decimal point.
    text: Vec<u8>,
}

impl Second {
    /// Appends an instant in UTC with nine digits of nanoseconds.
    pub(super) fn push(&mut self, line: &mut Vec<u8>, ts: Timestamp) {
        // Before 1970 seconds and nanoseconds are negative, so the cached text would be wrong.
        if ts < Timestamp::UNIX_EPOCH {
            let _ = write!(line, "{ts:.9}");
            return;
        }
        let second = ts.as_second();
        if self.of != Some(second) {
            self.of = Some(second);
            self.text.clear();
            // Writing to memory does not fail.
            let _ = write!(self.text, "{ts:.9}");
            self.text.truncate(self.text.len() - "000000000Z".len());
        }
        line.extend_from_slice(&self.text);
        let mut digits = *b"000000000Z";
        let mut rest = ts.subsec_nanosecond().unsigned_abs();
        for digit in digits[..9].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        line.extend_from_slice(&digits);
    }
}

/// An instant in UTC with all nine digits of nanoseconds.
pub(super) struct Instant(pub(super) Timestamp);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.9}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_instant_is_written_as_jiff_writes_it(
            instants in prop::collection::vec((-3i64..3, -999_999_999i32..1_000_000_000), 1..20),
            later in 0i64..200_000_000_000,
        ) {
            let mut second = Second::default();
            for (seconds, nanoseconds) in instants {
                for base in [0, later] {
                    let Ok(ts) = Timestamp::new(base + seconds, nanoseconds) else { continue };
                    let mut line = Vec::new();
                    second.push(&mut line, ts);
                    prop_assert_eq!(String::from_utf8(line).unwrap(), format!("{ts:.9}"));
                }
            }
        }
    }
}
