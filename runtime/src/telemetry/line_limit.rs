//! Limits how often messages of a kind are written, and counts those that are not. The module that
//! makes the messages sets `burst` and `period`, for example `stream/workspace.rs` for lines of the
//! stream, and `actors/tracer.rs` for diagnostics.

use std::time::{Duration, Instant};

/// Admits at most `burst` messages in each `period`.
#[derive(Debug)]
pub(crate) struct LineLimit {
    burst: u32,
    period: Duration,
    /// Beginning of the current period.
    since: Option<Instant>,
    admitted: u32,
    /// Messages not admitted since the last admitted one.
    suppressed: u64,
    /// All messages that were not admitted.
    total: u64,
}

impl LineLimit {
    /// Makes a limit that has admitted nothing yet.
    pub(crate) fn new(burst: u32, period: Duration) -> Self {
        Self {
            burst,
            period,
            since: None,
            admitted: 0,
            suppressed: 0,
            total: 0,
        }
    }

    /// Decides about a message at `now`. Returns `None` if the message is not admitted, otherwise
    /// the number of messages that were not admitted since the last admitted one.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self
            .since
            .is_none_or(|since| now.duration_since(since) >= self.period)
        {
            self.since = Some(now);
            self.admitted = 0;
        }
        if self.admitted < self.burst {
            self.admitted += 1;
            Some(std::mem::take(&mut self.suppressed))
        } else {
            self.suppressed += 1;
            self.total += 1;
            None
        }
    }

    /// Number of messages not admitted since the start.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_counted() {
        let mut limit = LineLimit::new(2, Duration::from_secs(10));
        let start = Instant::now();
        let admit =
            |limit: &mut LineLimit, second| limit.admit(start + Duration::from_secs(second));
        assert_eq!(admit(&mut limit, 0), Some(0));
        assert_eq!(admit(&mut limit, 1), Some(0));
        assert_eq!(admit(&mut limit, 2), None);
        assert_eq!(admit(&mut limit, 9), None);
        assert_eq!(admit(&mut limit, 10), Some(2));
        assert_eq!(admit(&mut limit, 11), Some(0));
        assert_eq!(admit(&mut limit, 12), None);
        assert_eq!(limit.total(), 3);
    }
}
