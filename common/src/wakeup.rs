//! When the probes wake the reader of the ring.

/// Minimum time between two wake-ups of the reader, nanoseconds. After a wake-up the reader reads
/// the ring again and again, with longer pauses than this, until it finds nothing: records written
/// meanwhile cause no wake-up.
pub const WAKEUP_PERIOD: u64 = 50_000_000;
