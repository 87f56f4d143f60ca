//! Times as numbers that JavaScript represents exactly.

use jiff::Timestamp;

/// The first time that the report cannot show, in September 2112. JavaScript represents whole
/// numbers below 2^53 exactly. A difference of two times needs one bit for its sign
/// (`report/column.rs`).
const LATEST: i64 = 1 << 52;

/// The microseconds from 1970 to a time. `None` if the text is not a time, or if the report cannot
/// show it.
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
        assert!(microseconds("2112-01-01T00:00:00Z").is_some());
        for wrong in ["", "1", "2113-01-01T00:00:00Z", "1960-01-01T00:00:00Z"] {
            assert_eq!(microseconds(wrong), None, "{wrong}");
        }
        // A difference with its sign bit is below 2^53.
        const { assert!(2 * (LATEST - 1) < 1 << 53) };
    }
}
