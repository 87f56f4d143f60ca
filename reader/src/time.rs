//! Times as numbers that JavaScript has exactly.

use jiff::Timestamp;

/// 2200-01-01T00:00:00Z. JavaScript has all whole numbers below 2^53, which is in the year 2255.
const LATEST: i64 = 7_258_118_400_000_000;

/// The microseconds of a time since 1970. `None` if it is no time that the report can show.
pub(crate) fn microseconds(ts: &str) -> Option<i64> {
    let time = ts.parse::<Timestamp>().ok()?.as_microsecond();
    (0..LATEST).contains(&time).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_to_the_microsecond_and_others_are_none() {
        assert_eq!(
            microseconds("1970-01-01T00:00:01.000002999Z"),
            Some(1_000_002)
        );
        for wrong in ["", "1", "9999-01-01T00:00:00Z", "1960-01-01T00:00:00Z"] {
            assert_eq!(microseconds(wrong), None, "{wrong}");
        }
    }
}
