//! When the probes wake the reader of the ring.

/// Minimum time between two wake-ups of the reader, nanoseconds. Records that are written within
/// this time after a wake-up cause none. So after a wake-up the reader looks again, at intervals
/// longer than this time, until it finds nothing.
pub const WAKEUP_PERIOD: u64 = 50_000_000;
