//! Saying the same kind of thing only so often, and how often it was not said.

use std::time::{Duration, Instant};

/// Admits `burst` of them in each `period`.
#[derive(Debug)]
pub struct RateLimit {
    burst: u32,
    period: Duration,
    /// When the present period began.
    since: Option<Instant>,
    admitted: u32,
    suppressed: u64,
    /// All that were not admitted.
    total: u64,
}

impl RateLimit {
    /// Nothing said yet.
    pub fn new(burst: u32, period: Duration) -> Self {
        Self {
            burst,
            period,
            since: None,
            admitted: 0,
            suppressed: 0,
            total: 0,
        }
    }

    /// Whether to say one more at `now`: if so, how many have not been said since the last.
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
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

    /// How many have not been said since the start.
    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_counted() {
        let mut limit = RateLimit::new(2, Duration::from_secs(10));
        let start = Instant::now();
        let admit =
            |limit: &mut RateLimit, second| limit.admit(start + Duration::from_secs(second));
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
